package seal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
)

// RepositoryID is the public half of the repository's root key. Written out it
// is bech32 (BIP 173) with the prefix "hf": 61 characters that start with
// "hf1" and end with a checksum, so that a slip of the pen is noticed.
type RepositoryID [ed25519.PublicKeySize]byte

// IsZero reports whether no repository is named.
func (id RepositoryID) IsZero() bool { return id == RepositoryID{} }

func (id RepositoryID) String() string { return bech32("hf", id[:]) }

// MarshalText writes "hf1…".
func (id RepositoryID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads "hf1…".
func (id *RepositoryID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseRepositoryID(string(text))
	return err
}

// ParseRepositoryID reads "hf1…" and checks its checksum.
func ParseRepositoryID(s string) (RepositoryID, error) {
	var id RepositoryID
	data, err := parseBech32("hf", s)
	if err == nil && len(data) != len(id) {
		err = errors.New("wrong length")
	}
	if err != nil {
		return id, fmt.Errorf("repository ID %q: %w", s, err)
	}
	copy(id[:], data)
	return id, nil
}

// The rest is bech32 as BIP 173 specifies it.

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

func bech32(prefix string, data []byte) string {
	digits, _ := regroup(data, 8, 5, true)
	sum := bech32Sum(append(bech32Prefix(prefix), append(digits, 0, 0, 0, 0, 0, 0)...)) ^ 1
	for i := range 6 {
		digits = append(digits, byte(sum>>(5*(5-i)))&31)
	}
	var s strings.Builder
	s.WriteString(prefix + "1")
	for _, d := range digits {
		s.WriteByte(bech32Alphabet[d])
	}
	return s.String()
}

func parseBech32(prefix, s string) ([]byte, error) {
	rest, ok := strings.CutPrefix(s, prefix+"1")
	if !ok {
		return nil, fmt.Errorf("does not start with %s1", prefix)
	}
	var digits []byte
	for _, c := range rest {
		d := strings.IndexRune(bech32Alphabet, c)
		if d < 0 {
			return nil, fmt.Errorf("has the character %q", c)
		}
		digits = append(digits, byte(d))
	}
	if len(digits) < 6 || bech32Sum(append(bech32Prefix(prefix), digits...)) != 1 {
		return nil, errors.New("its checksum is wrong: a character was mistyped or lost")
	}
	data, ok := regroup(digits[:len(digits)-6], 5, 8, false)
	if !ok {
		return nil, errors.New("has bits too many")
	}
	return data, nil
}

func bech32Prefix(prefix string) []byte {
	var out []byte
	for _, c := range []byte(prefix) {
		out = append(out, c>>5)
	}
	out = append(out, 0)
	for _, c := range []byte(prefix) {
		out = append(out, c&31)
	}
	return out
}

func bech32Sum(digits []byte) uint32 {
	sum := uint32(1)
	for _, d := range digits {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ uint32(d)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	return sum
}

// regroup turns groups of from bits into groups of to bits. Without pad, bits
// left over must be few and zero.
func regroup(in []byte, from, to uint, pad bool) (out []byte, ok bool) {
	var acc, bits uint
	for _, b := range in {
		acc = acc<<from | uint(b)
		for bits += from; bits >= to; {
			bits -= to
			out = append(out, byte(acc>>bits&(1<<to-1)))
		}
		acc &= 1<<bits - 1
	}
	if pad {
		if bits > 0 {
			out = append(out, byte(acc<<(to-bits)))
		}
		return out, true
	}
	return out, bits < from && acc == 0
}
