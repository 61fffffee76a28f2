// Package seal is the home of age and ed25519. Encryption keeps packs secret
// from the operator of the bucket; signatures protect records against forgery.
//
// A host can seal but cannot open: a host keeps the repository's recipient and
// a signing key. An owner holds an age identity. The identity opens a key
// object, and a key object holds every secret of the repository.
package seal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// Sealer encrypts to the repository's recipient. A Sealer is safe for
// concurrent use.
type Sealer struct{ to age.Recipient }

// NewSealer reads the repository's recipient, "age1…".
func NewSealer(recipient string) (*Sealer, error) {
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		return nil, fmt.Errorf("read repository recipient: %w", err)
	}
	return &Sealer{to}, nil
}

// Seal returns a writer that encrypts plaintext into one age file in w. The
// file is complete once Close of the writer returns nil.
func (s *Sealer) Seal(w io.Writer) (io.WriteCloser, error) { return age.Encrypt(w, s.to) }

// Opener decrypts the files of a Sealer of any epoch of the repository. An
// Opener is safe for concurrent use.
type Opener struct{ identities []age.Identity }

// maxHeader bounds the header of an age file of a [Sealer], in bytes. The header has
// 168 bytes. age itself takes 2 MiB, and quotes a malformed line as a whole.
const maxHeader = 1024

// Open returns the plaintext of one age file. Read returns a byte only after age
// authenticated the 64 KiB around the byte.
func (o *Opener) Open(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	head, err := buffered.Peek(maxHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Contains(head, []byte("\n---")) {
		return nil, errors.New("the age header does not end, or is not of a pack")
	}
	return age.Decrypt(buffered, o.identities...)
}
