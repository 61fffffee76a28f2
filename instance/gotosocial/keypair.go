package gotosocial

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
)

// The faults of a key. The errors of the libraries are dropped: they quote the key.
var (
	errPrivate   = errors.New("the private key is not a valid RSA key")
	errPublic    = errors.New("the public key is not an RSA key")
	errOtherPair = errors.New("private and public key belong to different pairs")
)

// CheckKeyPair checks the key pair of a local account, in the form in which GoToSocial
// stores keys.
func CheckKeyPair(private, public string) error {
	pair, err := ParsePrivateKey(private)
	if err != nil {
		return err
	}
	other, err := ParsePublicKey(public)
	if err != nil {
		return err
	}
	if !pair.PublicKey.Equal(other) {
		return errOtherPair
	}
	return nil
}

// storedKey is a key as GoToSocial stores it: rsa.PrivateKey in JSON, without the
// values that follow from the others. The numbers have 600 digits.
type storedKey struct {
	N, D   *big.Int
	E      int
	Primes []*big.Int
}

// ParsePrivateKey parses a private key as GoToSocial stores it.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	var s storedKey
	if json.Unmarshal([]byte(text), &s) != nil || !positive(append(s.Primes, s.N, s.D)...) {
		return nil, errPrivate
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: s.N, E: s.E}, D: s.D, Primes: s.Primes}
	if len(s.Primes) < 2 || key.Validate() != nil {
		return nil, errPrivate
	}
	key.Precompute()
	return key, nil
}

// ParsePublicKey parses a public key as GoToSocial stores it.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	var s storedKey
	if json.Unmarshal([]byte(text), &s) != nil || !positive(s.N) || s.E < 2 {
		return nil, errPublic
	}
	return &rsa.PublicKey{N: s.N, E: s.E}, nil
}

func positive(numbers ...*big.Int) bool {
	for _, n := range numbers {
		if n == nil || n.Sign() <= 0 {
			return false
		}
	}
	return true
}
