package manifest

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Link is the target of a symbolic link, as readlink returns it; "" for a file
// that is not a link.
type Link string

// maxLink is Linux's limit, in bytes: PATH_MAX without the NUL.
const maxLink = 4095

// Valid reports whether the listing can hold the link. "" is not valid.
func (l Link) Valid() bool {
	return l != "" && len(l) <= maxLink && utf8.ValidString(string(l)) && !strings.ContainsAny(string(l), "\x00\n\r")
}

// UnmarshalText reads a valid link. An empty link would pass for an empty file
// and is an error.
func (l *Link) UnmarshalText(text []byte) error {
	if *l = Link(text); !l.Valid() {
		return fmt.Errorf("link to %.100q is not allowed", text)
	}
	return nil
}

// ErrLoop means that links lead in a circle, or through more than [MaxFollowed]
// links.
var ErrLoop = errors.New("the links lead round in a circle")

// MaxFollowed is the number of links that Linux follows on the way to a file.
const MaxFollowed = 40

// Resolve follows every link on the way to a path of the files part, as the
// kernel does, and returns the final path. readlink returns the link at a path;
// ok is false if the path is not a link. The error is [ErrLoop].
func Resolve(name string, readlink func(path string) (link Link, ok bool)) (string, error) {
	at, rest := "", name
	for followed := 0; rest != ""; {
		var next string
		next, rest, _ = strings.Cut(rest, "/")
		switch next {
		case "", ".":
			continue
		case "..":
			at = above(at)
			continue
		}
		at = path.Join(at, next)
		link, ok := readlink(at)
		if !ok {
			continue
		}
		if followed++; followed > MaxFollowed {
			return "", ErrLoop
		}
		if at = above(at); strings.HasPrefix(string(link), "/") {
			at = ""
		}
		rest = string(link) + "/" + rest
	}
	return at, nil
}

// above returns the folder of a path. "" is the root; above("") is "".
func above(name string) string {
	dir, _ := path.Split(name)
	return strings.TrimSuffix(dir, "/")
}

// links holds the lengths of the links that are prefixes of the last path. In
// byte order, only these links can contain the next path.
type links []int

// next returns the links after f. A path below a link is an error.
func (l links) next(last, f *File) (links, error) {
	for len(l) > 0 && (f.Part != last.Part || !strings.HasPrefix(f.Path, last.Path[:l[len(l)-1]])) {
		l = l[:len(l)-1]
	}
	for _, n := range l {
		if f.Path[n] == '/' {
			return nil, fmt.Errorf("%s/%.100q lies below a link", f.Part, f.Path)
		}
	}
	if f.Link != "" {
		l = append(l, len(f.Path))
	}
	return l, nil
}
