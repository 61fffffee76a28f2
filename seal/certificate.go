package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"holdfast/internal/strict"
)

// Certificate is the root's permission for a host's key to sign the records of
// an instance. The certificates of an instance are numbered by generation. Once
// a newer generation exists, a record of an older generation counts only if a
// record of the newer generation lists the older record.
type Certificate struct {
	Key        strict.Bytes `json:"key"` // ed25519 public key of the host
	Generation int          `json:"generation"`
	After      string       `json:"after,omitempty"` // last accepted record of the generation before, hexadecimal
	Signature  strict.Bytes `json:"signature"`       // by the root, over text
}

// text returns the bytes under the root's signature. Lines of text need no
// canonical JSON.
func (c Certificate) text(id RepositoryID, instance string) []byte {
	after := c.After
	if after == "" {
		after = "-"
	}
	return fmt.Appendf(nil, "holdfast host certificate 1\n%s\n%s\n%s\n%d\n%s\n",
		id, instance, base64.StdEncoding.EncodeToString(c.Key), c.Generation, after)
}

// ErrForged means that a signature does not verify with the expected key.
var ErrForged = errors.New("signature is not valid")

// Verify checks that the root of repository id certified the key for the
// instance. The error wraps [ErrForged].
func (c Certificate) Verify(id RepositoryID, instance string) error {
	if len(c.Key) != ed25519.PublicKeySize || !ed25519.Verify(id[:], c.text(id, instance), c.Signature) {
		return fmt.Errorf("host certificate: %w", ErrForged)
	}
	if c.After != "" && (len(c.After) != 64 || strings.Trim(c.After, "0123456789abcdef") != "") {
		return errors.New("host certificate: after is not a record's name")
	}
	return nil
}

// VerifyRecord checks a signature of the certified key over the first line of a
// record. The error wraps [ErrForged]. Callers check the certificate by Verify.
func (c Certificate) VerifyRecord(line, signature []byte) error {
	signed := append([]byte(recordContext), line...)
	if len(c.Key) != ed25519.PublicKeySize || !ed25519.Verify(ed25519.PublicKey(c.Key), signed, signature) {
		return fmt.Errorf("record: %w", ErrForged)
	}
	return nil
}
