package seal

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"filippo.io/age/plugin"
)

// Identity opens what was sealed to an owner.
type Identity = age.Identity

// Owner is a person who can open snapshots.
type Owner struct {
	Name      string // the recipient as written, or "passphrase"
	Recipient age.Recipient
}

// ParseOwner reads a recipient of any kind that age knows: "age1…" (X25519,
// post-quantum hybrid, a plugin such as a YubiKey's) or an ssh public key.
func ParseOwner(s string) (Owner, error) {
	s = strings.TrimSpace(s)
	recipient, err := parseRecipient(s)
	if err != nil {
		if strings.HasPrefix(strings.ToUpper(s), "AGE-SECRET-KEY") {
			// Never echo it.
			return Owner{}, errors.New("this is an identity, a secret: an owner is named by the recipient that goes with it, age1…")
		}
		return Owner{}, fmt.Errorf("owner %q is no age recipient: %w", s, err)
	}
	return Owner{s, recipient}, nil
}

func parseRecipient(s string) (age.Recipient, error) {
	switch {
	case strings.HasPrefix(s, "ssh-"):
		return agessh.ParseRecipient(s)
	case strings.HasPrefix(s, "age1pq1"):
		return age.ParseHybridRecipient(s)
	case strings.HasPrefix(s, "age1") && strings.Count(s, "1") > 1 && strings.LastIndex(s, "1") > 4:
		return plugin.NewRecipient(s, plugin.NewTerminalUI(discard, discard))
	}
	return age.ParseX25519Recipient(s)
}

func discard(string, ...any) {}

// PassphraseOwner is an owner who remembers a passphrase instead of keeping a
// file. scrypt makes each guess cost a second.
func PassphraseOwner(passphrase string) (Owner, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return Owner{}, fmt.Errorf("owner by passphrase: %w", err)
	}
	return Owner{"passphrase", recipient}, nil
}

// PassphraseIdentity opens what PassphraseOwner sealed.
func PassphraseIdentity(passphrase string) (age.Identity, error) {
	return age.NewScryptIdentity(passphrase)
}

// NewIdentity makes an age identity (X25519) for a new owner.
func NewIdentity() (identity, recipient string, err error) {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("make identity: %w", err)
	}
	return i.String(), i.Recipient().String(), nil
}

// NewHybridIdentity makes one that withstands quantum computers, too. Its
// recipient has 1,959 characters.
func NewHybridIdentity() (identity, recipient string, err error) {
	i, err := age.GenerateHybridIdentity()
	if err != nil {
		return "", "", fmt.Errorf("make identity: %w", err)
	}
	return i.String(), i.Recipient().String(), nil
}

// SaveIdentity writes an owner's identity to a new file of mode 0600. The ID,
// if there is one yet, goes into a comment, so that the file alone pins the
// repository it belongs to.
func SaveIdentity(path, identity, recipient string, id RepositoryID) error {
	var text strings.Builder
	text.WriteString("# Holdfast owner identity: keep it secret, keep it off the server, keep it on paper\n")
	if !id.IsZero() {
		fmt.Fprintf(&text, "# repository: %s\n", id)
	}
	fmt.Fprintf(&text, "# public key: %s\n%s\n", recipient, identity)
	return writeNew(path, []byte(text.String()))
}

// maxIdentityFile bounds what is read as an identity file.
const maxIdentityFile = 64 << 10

// ReadIdentities reads an identity file: age identities one a line, plugin
// identities, or one ssh private key. passphrase is asked only for a locked
// file. The ID is that of a "# repository:" comment, else zero.
func ReadIdentities(r io.Reader, passphrase func() ([]byte, error)) ([]age.Identity, RepositoryID, error) {
	var id RepositoryID
	raw, err := io.ReadAll(io.LimitReader(r, maxIdentityFile))
	if err != nil {
		return nil, id, fmt.Errorf("read identity: %w", err)
	}
	text := string(raw)
	if strings.HasPrefix(text, "age-encryption.org/") || strings.HasPrefix(text, armor.Header) {
		if text, err = unlock(text, passphrase); err != nil {
			return nil, id, err
		}
	}
	if strings.Contains(text, "-----BEGIN") {
		identity, err := agessh.ParseIdentity([]byte(text))
		if err != nil {
			return nil, id, errors.New("read identity: not an ssh key that age can use, or one with a passphrase; convert it or use an age identity")
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
			return nil, id, fmt.Errorf("read identity: line %d is no age identity (AGE-SECRET-KEY-1…)", n+1) // never quote a secret
		}
		identities = append(identities, identity)
	}
	if len(identities) == 0 {
		return nil, id, errors.New("read identity: there is none in it; a line must start with AGE-SECRET-KEY-1")
	}
	return identities, id, nil
}

func parseIdentity(s string) (age.Identity, error) {
	// From paper, a phone or a mail a key may come in lower case.
	upper := strings.ToUpper(s)
	switch {
	case strings.HasPrefix(upper, "AGE-SECRET-KEY-PQ-1"):
		return age.ParseHybridIdentity(upper)
	case strings.HasPrefix(upper, "AGE-PLUGIN-"):
		return plugin.NewIdentity(s, plugin.NewTerminalUI(discard, discard))
	}
	return age.ParseX25519Identity(upper)
}

// unlock opens an identity file that is itself sealed with a passphrase.
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
	plain, err := io.ReadAll(io.LimitReader(opened, maxIdentityFile))
	if err != nil {
		return "", fmt.Errorf("read identity: %w", err)
	}
	return string(plain), nil
}
