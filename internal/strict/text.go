package strict

import (
	"errors"
	"strconv"
)

// quoted steps over a string. The opening quote is behind.
func (s *scanner) quoted() error {
	for s.at < len(s.text) {
		switch b := s.text[s.at]; {
		case b == '"':
			s.at++
			return nil
		case b < ' ':
			return s.unexpected()
		case b == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		default:
			s.at++
		}
	}
	return s.unexpected()
}

// escape steps over an escape, or over the two escapes of a surrogate pair.
func (s *scanner) escape() error {
	if s.at+1 < len(s.text) && s.text[s.at+1] != 'u' {
		s.at += 2 // json.Unmarshal knows the letters
		return nil
	}
	unit, ok := s.unit()
	if !ok {
		return s.unexpected()
	}
	if unit < 0xd800 || unit > 0xdfff {
		return nil
	}
	low, ok := s.unit()
	if unit >= 0xdc00 || !ok || low < 0xdc00 || low > 0xdfff {
		return errors.New("the JSON has half of a surrogate pair")
	}
	return nil
}

// unit steps over an escape of the form \uXXXX and returns its number.
func (s *scanner) unit() (uint64, bool) {
	if s.at+6 > len(s.text) || s.text[s.at] != '\\' || s.text[s.at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.text[s.at+2:s.at+6]), 16, 16)
	if err != nil {
		return 0, false
	}
	s.at += 6
	return n, true
}

// literal steps over a number, true or false.
func (s *scanner) literal() error {
	start := s.at
	for s.at < len(s.text) && part(s.text[s.at]) {
		s.at++
	}
	switch word := s.text[start:s.at]; {
	case len(word) == 0:
		return s.unexpected()
	case len(word) > maxLiteral:
		return errors.New("the JSON has an endless number")
	case string(word) == "null":
		return errors.New("the JSON has a null")
	}
	return nil
}

// maxLiteral bounds a number, in bytes.
const maxLiteral = 64

// part reports whether a byte may be part of a number or a word. json.Unmarshal checks the order.
func part(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b == '-' || b == '+' || b == '.' || b == 'E'
}
