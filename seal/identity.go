package seal

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"

	"holdfast/disk"
)

// Identity is an owner's secret. An identity opens the key object of the owner.
type Identity = age.Identity

// NewIdentity makes an age identity (X25519) and the recipient of the identity.
func NewIdentity() (identity, recipient string, err error) {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("make identity: %w", err)
	}
	return i.String(), i.Recipient().String(), nil
}

// NewHybridIdentity is [NewIdentity] for the post-quantum hybrid of age. The
// recipient has 1,959 characters.
func NewHybridIdentity() (identity, recipient string, err error) {
	i, err := age.GenerateHybridIdentity()
	if err != nil {
		return "", "", fmt.Errorf("make identity: %w", err)
	}
	return i.String(), i.Recipient().String(), nil
}

// scryptFactor is the work factor of age's scrypt recipients: 256 MiB of memory. A
// key object with a higher factor is hostile: the factor 22 costs 4 GiB.
const scryptFactor = 18

// PassphraseIdentity returns the identity of a [PassphraseOwner].
func PassphraseIdentity(passphrase string) (age.Identity, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	identity.SetMaxWorkFactor(scryptFactor)
	return identity, nil
}

// SaveIdentity writes an owner's identity to a new file of mode 0600, durably. A
// comment in the file pins the repository unless id is zero. An existing file is
// [fs.ErrExist].
func SaveIdentity(path, identity, recipient string, id RepositoryID) error {
	var text strings.Builder
	text.WriteString("# Holdfast owner identity: keep it secret, keep it off the server, keep it on paper\n")
	if !id.IsZero() {
		fmt.Fprintf(&text, "# repository: %s\n", id)
	}
	fmt.Fprintf(&text, "# public key: %s\n%s\n", recipient, identity)
	return saveKey(path, []byte(text.String()))
}

// maxIdentityFile bounds an identity file, in bytes.
const maxIdentityFile = 64 << 10

// ReadIdentities reads an identity file: a line for each age or plugin identity,
// or one ssh private key. ReadIdentities calls passphrase only for a locked file,
// an age file with a passphrase. The ID comes from a "# repository:" comment and
// is zero without a comment. No error quotes more of an identity than one wrong letter.
func ReadIdentities(r io.Reader, passphrase func() ([]byte, error)) ([]age.Identity, RepositoryID, error) {
	var id RepositoryID
	raw, err := disk.ReadAtMost(r, "the file", maxIdentityFile)
	if err != nil {
		return nil, id, fmt.Errorf("read identity: %w", err)
	}
	text := PlainText(raw)
	if strings.HasPrefix(text, "age-encryption.org/") || strings.HasPrefix(text, armor.Header) {
		if text, err = unlock(text, passphrase); err != nil {
			return nil, id, err
		}
	}
	if strings.Contains(text, "-----BEGIN") {
		identity, err := agessh.ParseIdentity([]byte(text))
		if err != nil {
			return nil, id, errors.New("read identity: the ssh key has a passphrase or an unsupported type; " +
				"convert the key or use an age identity")
		}
		return []age.Identity{identity}, id, nil
	}
	var identities []age.Identity
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if pin, ok := strings.CutPrefix(line, "# repository:"); ok {
			if id, err = ParseRepositoryID(strings.TrimSpace(pin)); err != nil {
				return nil, id, fmt.Errorf("read identity: line %d: %w", n+1, err)
			}
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		identity, err := parseIdentity(line)
		if err != nil {
			return nil, id, fmt.Errorf("read identity: line %d %s", n+1, mistake(line))
		}
		identities = append(identities, identity)
	}
	if len(identities) == 0 {
		return nil, id, errors.New("read identity: no identity found; a line must start with AGE-SECRET-KEY-1")
	}
	return identities, id, nil
}

// parseIdentity reads an age or plugin identity.
func parseIdentity(s string) (age.Identity, error) {
	// A key from paper, a phone or a mail may be in lower case.
	upper := strings.ToUpper(s)
	switch {
	case strings.HasPrefix(upper, "AGE-SECRET-KEY-PQ-1"):
		return age.ParseHybridIdentity(upper)
	case strings.HasPrefix(upper, "AGE-PLUGIN-"):
		return newPluginIdentity(s)
	}
	return age.ParseX25519Identity(upper)
}

// unlock decrypts a locked identity file.
func unlock(text string, passphrase func() ([]byte, error)) (string, error) {
	secret, err := passphrase()
	if err != nil {
		return "", fmt.Errorf("read identity: %w", err)
	}
	identity, err := age.NewScryptIdentity(string(secret))
	if err != nil {
		return "", fmt.Errorf("read identity: %w", err)
	}
	var r io.Reader = strings.NewReader(text)
	if strings.HasPrefix(text, armor.Header) {
		r = armor.NewReader(r)
	}
	opened, err := age.Decrypt(r, identity)
	if err != nil {
		return "", errors.New("read identity: wrong passphrase")
	}
	plain, err := disk.ReadAtMost(opened, "the file", maxIdentityFile)
	if err != nil {
		return "", fmt.Errorf("read identity: %w", err)
	}
	return string(plain), nil
}
