package seal

import (
	"errors"
	"fmt"
	"strings"
)

// bech32Alphabet has the 32 digits of bech32 (BIP 173) in order.
const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32 writes data behind a prefix, with a checksum of 6 digits (BIP 173).
func bech32(prefix string, data []byte) string {
	digits := bech32Digits(data)
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

// parseBech32 is the reverse of bech32. Text in upper case is an error.
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
		return nil, errors.New("wrong checksum: a character is mistyped or missing")
	}
	data, ok := bech32Bytes(digits[:len(digits)-6])
	if !ok {
		return nil, errors.New("too many bits")
	}
	return data, nil
}

// bech32Prefix expands a prefix for the checksum.
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

// bech32Sum is BIP 173's bech32_polymod; 1 means a right checksum.
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

// bech32Digits regroups bytes into digits of 5 bits; zeros fill the last digit.
func bech32Digits(data []byte) []byte {
	digits, left, bits := regroup(data, 8, 5)
	if bits > 0 {
		digits = append(digits, byte(left<<(5-bits)))
	}
	return digits
}

// bech32Bytes regroups digits into bytes. ok is false unless the bits beyond
// the last byte are fewer than 5 and zero.
func bech32Bytes(digits []byte) (data []byte, ok bool) {
	data, left, bits := regroup(digits, 5, 8)
	return data, bits < 5 && left == 0
}

// regroup turns groups of from bits into groups of to bits. left holds the
// remaining bits, fewer than to.
func regroup(in []byte, from, to uint) (out []byte, left, bits uint) {
	for _, b := range in {
		left = left<<from | uint(b)
		for bits += from; bits >= to; {
			bits -= to
			out = append(out, byte(left>>bits&(1<<to-1)))
		}
		left &= 1<<bits - 1
	}
	return out, left, bits
}
