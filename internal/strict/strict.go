// Package strict reads JSON and base64 of which each value has exactly one meaning. encoding/json takes "Size"
// for "size" and the last of two equal members, and encoding/base64 passes over line ends: two readers may then
// understand two different things, and a signed text may have many forms. docs/format.md has the rules.
package strict

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"
)

// Bounds of a document. Documents of the format stay far below.
const (
	maxDepth   = 16
	maxMembers = 64 // in one object
	maxName    = 64 // bytes of a member's name
)

// Unmarshal reads text into v, like [json.Unmarshal]. Unmarshal refuses text that breaks the rules of [Members].
func Unmarshal(text []byte, v any) error {
	if _, err := Members(text); err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// Members checks one JSON value and returns the raw values of some members of the outermost object, nil for an
// absent member. The rules: valid UTF-8; names of a-z, 0-9 and _, each once in an object; no null; no half of a
// surrogate pair; at most 16 levels and 64 members in one object. Members needs little memory beside the text, and
// leaves the grammar of numbers to [json.Unmarshal].
func Members(text []byte, names ...string) ([][]byte, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	s := scanner{text: text, want: names, found: make([][]byte, len(names))}
	if err := s.value(0); err != nil {
		return nil, err
	}
	if s.space(); s.at < len(text) {
		return nil, s.unexpected()
	}
	return s.found, nil
}

// Array yields the raw values of an array. The caller has checked the text by [Unmarshal].
func Array(text []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s := scanner{text: text}
		if s.space(); !s.take('[') {
			yield(nil, errors.New("not an array"))
			return
		}
		if s.space(); s.take(']') {
			return
		}
		for {
			s.space()
			start := s.at
			if err := s.value(1); err != nil {
				yield(nil, err)
				return
			}
			if !yield(text[start:s.at], nil) {
				return
			}
			if s.space(); s.take(',') {
				continue
			}
			if !s.take(']') {
				yield(nil, s.unexpected())
			}
			return
		}
	}
}

// Base64 decodes text, and refuses every text but the one that encodes the bytes.
func Base64(encoding *base64.Encoding, text []byte) ([]byte, error) {
	data := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(data, text)
	if err != nil || encoding.EncodeToString(data[:n]) != string(text) {
		return nil, errors.New("not canonical base64")
	}
	return data[:n], nil
}

// Bytes are bytes that JSON holds as standard base64 with padding.
type Bytes []byte

// MarshalText writes base64.
func (b Bytes) MarshalText() ([]byte, error) { return base64.StdEncoding.AppendEncode(nil, b), nil }

// UnmarshalText reads the output of MarshalText and refuses any other text.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = Base64(base64.StdEncoding, text)
	return err
}

// scanner is a place in a JSON text.
type scanner struct {
	text  []byte
	at    int
	names [][]byte // of the open objects
	want  []string // members of the outermost object
	found [][]byte // the values of want
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take steps over a byte if the byte comes next.
func (s *scanner) take(b byte) bool {
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

func (s *scanner) unexpected() error {
	if s.at >= len(s.text) {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("unexpected character %q at byte %d of the JSON", s.text[s.at], s.at)
}

// value steps over a value. depth is the number of open objects and arrays.
func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the JSON has more than %d levels", maxDepth)
	}
	s.space()
	switch {
	case s.take('{'):
		return s.object(depth)
	case s.take('['):
		return s.array(depth)
	case s.take('"'):
		return s.quoted()
	}
	return s.literal()
}

// object steps over the members of an object.
func (s *scanner) object(depth int) error {
	first := len(s.names)
	defer func() { s.names = s.names[:first] }()
	if s.space(); s.take('}') {
		return nil
	}
	for {
		name, err := s.name(first)
		if err != nil {
			return err
		}
		s.names = append(s.names, name)
		if s.space(); !s.take(':') {
			return s.unexpected()
		}
		s.space()
		start := s.at
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if depth == 0 {
			s.keep(name, s.text[start:s.at])
		}
		if s.space(); s.take(',') {
			continue
		}
		if !s.take('}') {
			return s.unexpected()
		}
		return nil
	}
}

// name steps over the name of a member. first is the place of the object's first name.
func (s *scanner) name(first int) ([]byte, error) {
	if s.space(); !s.take('"') {
		return nil, s.unexpected()
	}
	start := s.at
	for s.at < len(s.text) && plain(s.text[s.at]) {
		s.at++
	}
	name := s.text[start:s.at]
	if !s.take('"') {
		return nil, s.unexpected()
	}
	if len(name) == 0 || len(name) > maxName || len(s.names)-first >= maxMembers {
		return nil, errors.New("the JSON has too many members, or a name that is too long")
	}
	for _, other := range s.names[first:] {
		if string(other) == string(name) {
			return nil, fmt.Errorf("the member %q occurs twice", name)
		}
	}
	return name, nil
}

// plain reports whether a member's name may hold a byte.
func plain(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '_' }

// keep notes the value of a wanted member.
func (s *scanner) keep(name, value []byte) {
	for i, want := range s.want {
		if want == string(name) {
			s.found[i] = value
		}
	}
}

// array steps over the values of an array.
func (s *scanner) array(depth int) error {
	if s.space(); s.take(']') {
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if s.space(); s.take(',') {
			continue
		}
		if !s.take(']') {
			return s.unexpected()
		}
		return nil
	}
}
