package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"github.com/restic/chunker"

	"holdfast/internal/strict"
)

// Keys holds every secret of a repository, as a key object stores them. Only an
// owner ever sees Keys.
type Keys struct {
	Format     int          `json:"format"`
	Kind       string       `json:"kind"` // "key"
	Repository RepositoryID `json:"repository"`
	Root       strict.Bytes `json:"root"` // ed25519 seed
	Polynomial chunker.Pol  `json:"polynomial"`
	Epochs     []Epoch      `json:"epochs"` // oldest first; new packs are sealed to the last epoch
	Owner      string       `json:"owner"`  // the recipient of the key object
}

// Epoch is a span of time in which all packs are sealed to one key pair.
type Epoch struct {
	Epoch    int    `json:"epoch"`
	Identity string `json:"identity"` // "AGE-SECRET-KEY-1…"
}

// recipient returns the recipient of the epoch's packs, "age1…".
func (e Epoch) recipient() (string, error) {
	identity, err := age.ParseX25519Identity(e.Identity)
	if err != nil {
		return "", fmt.Errorf("read identity of epoch %d: malformed", e.Epoch)
	}
	return identity.Recipient().String(), nil
}

// NewKeys makes the keys of a new repository.
func NewKeys() (*Keys, error) {
	public, root, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make root key: %w", err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make repository key: %w", err)
	}
	polynomial, err := chunker.RandomPolynomial()
	if err != nil {
		return nil, fmt.Errorf("make polynomial: %w", err)
	}
	return &Keys{
		Format: 1, Kind: "key", Repository: RepositoryID(public), Root: root.Seed(), Polynomial: polynomial,
		Epochs: []Epoch{{1, identity.String()}},
	}, nil
}

// keyContext keeps a signature of a key object from passing for another signature.
const keyContext = "holdfast key 1\n"

// maxKeyObject bounds a key object's plaintext, in bytes. A repository of a
// thousand epochs needs a tenth of the bound.
const maxKeyObject = 1 << 20

// SealTo returns the key object for one owner: an age file with a line of JSON
// and a line with the root's signature over the JSON.
func (k *Keys) SealTo(owner Owner) ([]byte, error) {
	mine := *k
	mine.Owner = owner.Name
	line, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(k.Root), append([]byte(keyContext), line...))
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, owner.Recipient)
	if err != nil {
		return nil, fmt.Errorf("seal keys to owner %s: %w", owner.Name, err)
	}
	if _, err := fmt.Fprintf(w, "%s\n%s\n", line, base64.StdEncoding.EncodeToString(signature)); err != nil {
		return nil, fmt.Errorf("seal keys to owner %s: %w", owner.Name, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal keys to owner %s: %w", owner.Name, err)
	}
	return sealed.Bytes(), nil
}

// ErrNotOwner means that no given identity opens a key object.
var ErrNotOwner = errors.New("the identity does not open this key")

// OpenKeys decrypts a key object and verifies the signature by the root of
// repository id. The error is [ErrNotOwner] if no identity opens the object, and
// wraps [ErrForged] if the signature is wrong. No error quotes a secret.
func OpenKeys(object []byte, id RepositoryID, identities []age.Identity) (*Keys, error) {
	r, err := age.Decrypt(bytes.NewReader(object), identities...)
	var other *age.NoIdentityMatchError
	if errors.As(err, &other) {
		return nil, ErrNotOwner
	}
	if err != nil {
		return nil, fmt.Errorf("open key object: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxKeyObject))
	if err != nil {
		return nil, fmt.Errorf("open key object: %w", err)
	}
	lines := bytes.Split(text, []byte("\n"))
	if len(lines) != 3 || len(lines[2]) != 0 {
		return nil, errors.New("open key object: not two lines")
	}
	var k Keys
	if err := strict.Unmarshal(lines[0], &k); err != nil {
		return nil, errors.New("open key object: malformed") // the decoder's message may quote a secret
	}
	if k.Format != 1 || k.Kind != "key" {
		return nil, fmt.Errorf("open key object: kind %.100q, format %d; known is \"key\", format 1: update holdfast",
			k.Kind, k.Format)
	}
	signature, err := strict.Base64(base64.StdEncoding, lines[1])
	if err != nil || !ed25519.Verify(id[:], append([]byte(keyContext), lines[0]...), signature) {
		return nil, fmt.Errorf("open key object: %w", ErrForged)
	}
	if k.Repository != id || len(k.Root) != ed25519.SeedSize || len(k.Epochs) == 0 {
		return nil, errors.New("open key object: malformed")
	}
	return &k, nil
}

// Opener returns an opener for the packs of every epoch.
func (k *Keys) Opener() (*Opener, error) {
	var o Opener
	for _, e := range k.Epochs {
		identity, err := age.ParseX25519Identity(e.Identity)
		if err != nil {
			return nil, fmt.Errorf("read identity of epoch %d: malformed", e.Epoch)
		}
		o.identities = append(o.identities, identity)
	}
	return &o, nil
}
