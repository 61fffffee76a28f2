package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/restic/chunker"
)

// Host is what the instance's server keeps: enough to seal packs and to sign
// records, not enough to open anything. It is a file of mode 0600.
type Host struct {
	Format      int          `json:"format"`
	Repository  RepositoryID `json:"repository"`
	Instance    string       `json:"instance"` // the domain
	Epoch       int          `json:"epoch"`
	Recipient   string       `json:"recipient"` // packs are sealed to it
	Polynomial  chunker.Pol  `json:"polynomial"`
	SigningKey  []byte       `json:"signing_key"` // ed25519 seed
	Certificate Certificate  `json:"certificate"`
}

// Certificate is the root's word that a host's key may sign records of an
// instance. Certificates of one instance are numbered by generation; records
// of an older generation count only as far as a newer generation lists them.
type Certificate struct {
	Key        []byte `json:"key"` // ed25519 public key of the host
	Generation int    `json:"generation"`
	After      string `json:"after,omitempty"` // the last accepted record of the generation before, hexadecimal
	Signature  []byte `json:"signature"`       // by the root, over text
}

// text is what the root signs: lines, so that no JSON has to be canonical.
func (c Certificate) text(id RepositoryID, instance string) []byte {
	after := c.After
	if after == "" {
		after = "-"
	}
	return fmt.Appendf(nil, "holdfast host certificate 1\n%s\n%s\n%s\n%d\n%s\n",
		id, instance, base64.StdEncoding.EncodeToString(c.Key), c.Generation, after)
}

// ErrForged means that a signature is not of the key that it must be of.
var ErrForged = errors.New("signature is not valid")

// Verify checks that the root of id certified the key for the instance.
func (c Certificate) Verify(id RepositoryID, instance string) error {
	if len(c.Key) != ed25519.PublicKeySize || !ed25519.Verify(id[:], c.text(id, instance), c.Signature) {
		return fmt.Errorf("host certificate: %w", ErrForged)
	}
	return nil
}

const recordContext = "holdfast record 1\n"

// SignRecord signs the first line of a record, without its newline.
func (h *Host) SignRecord(line []byte) []byte {
	return ed25519.Sign(ed25519.NewKeyFromSeed(h.SigningKey), append([]byte(recordContext), line...))
}

// VerifyRecord checks a record's signature by the certified key. The
// certificate itself is checked by Verify.
func (c Certificate) VerifyRecord(line, signature []byte) error {
	if len(c.Key) != ed25519.PublicKeySize || !ed25519.Verify(c.Key, append([]byte(recordContext), line...), signature) {
		return fmt.Errorf("record: %w", ErrForged)
	}
	return nil
}

// Certify makes a host of the repository: a fresh signing key, certified by the
// root. after names the last record of the generation before, "" for the first.
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
	c := Certificate{Key: public, Generation: generation, After: after}
	c.Signature = ed25519.Sign(ed25519.NewKeyFromSeed(k.Root), c.text(k.Repository, instance))
	return &Host{
		Format: 1, Repository: k.Repository, Instance: instance, Epoch: epoch.Epoch, Recipient: recipient,
		Polynomial: k.Polynomial, SigningKey: private.Seed(), Certificate: c,
	}, nil
}

// LoadHost reads the file that Save wrote.
func LoadHost(path string) (*Host, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var h Host
	if err := json.Unmarshal(text, &h); err != nil {
		// The decoder's message may quote the file, and the file is secret.
		return nil, fmt.Errorf("read host key %q: not the file that init wrote", path)
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

// Save writes the file with mode 0600. An existing file is refused: it may be
// the only key that can continue a repository's log.
func (h *Host) Save(path string) error {
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	return writeNew(path, append(text, '\n'))
}

// writeNew writes a secret to a file that must not exist, durably.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%q is there already; move it away first: a key that is overwritten is lost", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("write key %q: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name in the folder survive a power cut.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
