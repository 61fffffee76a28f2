package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/restic/chunker"

	"holdfast/disk"
	"holdfast/internal/strict"
)

// Host is the key file of the instance's server, mode 0600. A Host can seal
// packs and sign records, and cannot open a pack.
type Host struct {
	Format      int          `json:"format"`
	Repository  RepositoryID `json:"repository"`
	Instance    string       `json:"instance"` // the domain
	Epoch       int          `json:"epoch"`
	Recipient   string       `json:"recipient"` // of the epoch, for packs
	Polynomial  chunker.Pol  `json:"polynomial"`
	SigningKey  strict.Bytes `json:"signing_key"` // ed25519 seed
	Certificate Certificate  `json:"certificate"`
}

// Certify makes a host of the repository: a fresh signing key with the root's
// certificate. after names the last record of the generation before; the first
// generation has "".
func (k *Keys) Certify(instance string, generation int, after string) (*Host, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make host key: %w", err)
	}
	epoch := k.Epochs[len(k.Epochs)-1]
	recipient, err := epoch.recipient()
	if err != nil {
		return nil, err
	}
	c := Certificate{Key: strict.Bytes(public), Generation: generation, After: after}
	c.Signature = ed25519.Sign(ed25519.NewKeyFromSeed(k.Root), c.text(k.Repository, instance))
	return &Host{
		Format: 1, Repository: k.Repository, Instance: instance, Epoch: epoch.Epoch, Recipient: recipient,
		Polynomial: k.Polynomial, SigningKey: private.Seed(), Certificate: c,
	}, nil
}

// recordContext keeps a signature of a record from passing for another signature.
const recordContext = "holdfast record 1\n"

// SignRecord signs the first line of a record, without the newline.
func (h *Host) SignRecord(line []byte) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(h.SigningKey), append([]byte(recordContext), line...))
}

// maxHostFile bounds the file of a host's key, in bytes.
const maxHostFile = 64 << 10

// LoadHost reads the file of [Host.Save] and verifies the certificate. No error
// quotes the file.
func LoadHost(path string) (*Host, error) {
	text, err := disk.ReadSmall(path, maxHostFile)
	if err != nil {
		return nil, err
	}
	var h Host
	if err := strict.Unmarshal(text, &h); err != nil {
		// The decoder's message may quote a secret.
		return nil, fmt.Errorf("read host key %q: not a file of holdfast init", path)
	}
	if h.Format != 1 {
		return nil, fmt.Errorf("read host key %q: format %d, this version knows 1", path, h.Format)
	}
	if len(h.SigningKey) != ed25519.SeedSize || !h.Polynomial.Irreducible() {
		return nil, fmt.Errorf("read host key %q: the file is damaged", path)
	}
	if err := h.Certificate.Verify(h.Repository, h.Instance); err != nil {
		return nil, fmt.Errorf("read host key %q: %w", path, err)
	}
	return &h, nil
}

// Save writes the host's key to a new file of mode 0600, durably. An existing
// file is [fs.ErrExist]: the file may be the last key that can sign for the
// instance.
func (h *Host) Save(path string) error {
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return saveKey(path, append(text, '\n'))
}

// saveKey writes a secret to a new file of mode 0600, durably.
func saveKey(path string, text []byte) error {
	err := disk.WriteNew(path, bytes.NewReader(text))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write key %q: %w: move the file away first, an overwritten key is lost", path, fs.ErrExist)
	}
	if err != nil {
		return fmt.Errorf("write key %q: %w", path, err)
	}
	return nil
}
