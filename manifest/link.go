package manifest

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// Link is where a symbolic link leads, as readlink gives it; "" for what is none.
type Link string

// maxLink is the longest that Linux makes, in bytes (PATH_MAX without its NUL).
const maxLink = 4095

// Valid reports whether the listing can hold the link.
func (l Link) Valid() bool {
	return l != "" && len(l) <= maxLink && utf8.ValidString(string(l)) && !strings.ContainsAny(string(l), "\x00\n\r")
}

// UnmarshalText reads a valid link, and nothing else: an empty one would pass
// for an empty file.
func (l *Link) UnmarshalText(text []byte) error {
	if *l = Link(text); !l.Valid() {
		return fmt.Errorf("link to %.100q is not allowed", text)
	}
	return nil
}

// ErrLoop means that links lead round in a circle, or through too many others.
var ErrLoop = errors.New("the links lead round in a circle")

// MaxFollowed is how many links Linux follows on the way to one file.
const MaxFollowed = 40

// Resolve is where a path of the files part leads once every link on its way is
// followed, as the kernel would. leads tells whether there is a link at a path,
// and where it leads.
func Resolve(name string, leads func(path string) (Link, bool)) (string, error) {
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
		link, ok := leads(at)
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

// above is the folder that a path lies in; "" is the root, and lies in itself.
func above(name string) string {
	dir, _ := path.Split(name)
	return strings.TrimSuffix(dir, "/")
}

// links are those that begin as the last path does, by length: no other could
// have one of the next paths below it, as the listing is in byte order.
type links []int

// next is what there is after f, or an error where f lies below a link.
func (l links) next(last, f *File) (links, error) {
	for len(l) > 0 && (f.Part != last.Part || !strings.HasPrefix(f.Path, last.Path[:l[len(l)-1]])) {
		l = l[:len(l)-1]
	}
	for _, n := range l {
		if f.Path[n] == '/' {
			return nil, fmt.Errorf("%s/%s lies below a link", f.Part, f.Path)
		}
	}
	if f.Link != "" {
		l = append(l, len(f.Path))
	}
	return l, nil
}
