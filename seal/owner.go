package seal

import (
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"holdfast/remedy"
)

// Owner is a person who can open snapshots.
type Owner struct {
	Name      string // the recipient as the caller wrote it, or "passphrase"
	Recipient age.Recipient
}

// ParseOwner reads a recipient of any kind of age's: X25519, post-quantum hybrid
// and plugins ("age1…"), or an ssh public key. No error quotes an identity.
func ParseOwner(s string) (Owner, error) {
	s = strings.TrimSpace(s)
	recipient, err := parseRecipient(s)
	if err != nil {
		if remedy.HoldsIdentity(s) {
			return Owner{}, errors.New("an owner is named by a recipient (age1…); the text is an identity, a secret")
		}
		// age's own error quotes the text, which may be an identity without its first letters.
		return Owner{}, fmt.Errorf("owner %.8q… is not an age recipient (age1…) or an ssh public key", s)
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
		return newPluginRecipient(s)
	}
	return age.ParseX25519Recipient(s)
}

// PassphraseOwner returns an owner who remembers a passphrase and keeps no file.
// scrypt makes each guess cost about a second.
func PassphraseOwner(passphrase string) (Owner, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return Owner{}, fmt.Errorf("owner by passphrase: %w", err)
	}
	recipient.SetWorkFactor(scryptFactor)
	return Owner{"passphrase", recipient}, nil
}
