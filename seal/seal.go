// Package seal is the one home of age and ed25519: what makes a pack unreadable
// to whoever holds the bucket, and a record impossible to forge.
//
// A host can seal but not open: it keeps the repository's recipient and a
// signing key of its own. An owner holds an age identity, which opens a key
// object, which holds everything else.
package seal

import (
	"fmt"
	"io"

	"filippo.io/age"
)

// Sealer encrypts to the repository's recipient. It may be used concurrently.
type Sealer struct{ to age.Recipient }

// NewSealer takes the repository's recipient, "age1…".
func NewSealer(recipient string) (*Sealer, error) {
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("read repository recipient: %w", err)
	}
	return &Sealer{to}, nil
}

// Seal returns a writer whose plaintext becomes one age file in w. The file is
// whole once the writer was closed.
func (s *Sealer) Seal(w io.Writer) (io.WriteCloser, error) { return age.Encrypt(w, s.to) }

// Opener decrypts what a Sealer of any epoch of the repository wrote. It may be
// used concurrently.
type Opener struct{ identities []age.Identity }

// Open returns the plaintext of one age file. Every 64 KiB of it are
// authenticated before they are returned.
func (o *Opener) Open(r io.Reader) (io.Reader, error) { return age.Decrypt(r, o.identities...) }
