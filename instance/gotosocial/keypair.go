package gotosocial

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
)

// What may be wrong with a key. The words of the libraries stay away: they
// quote what they could not read.
var (
	errPrivate   = errors.New("its private key is no sound RSA key")
	errPublic    = errors.New("its public key is no RSA key")
	errOtherPair = errors.New("its private and public key belong to different pairs")
)

// CheckKeyPair wants the key pair of a local account, as GoToSocial stores it, to
// be sound and to be one.
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

// storedKey is the part of a key that the rest can be computed from, as
// GoToSocial stores it: rsa.PrivateKey in JSON. Its numbers have 600 digits:
// big.Int reads every one of them, a float would keep 16.
type storedKey struct {
	N, D   *big.Int
	E      int
	Primes []*big.Int
}

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
