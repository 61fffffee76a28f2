package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// File is a file's line of the listing: a named stream of bytes within a part.
type File struct {
	Part Part `json:"part"`
	// Path is relative, with slashes: in media the storage key, in files the
	// absolute path without the leading slash, in the database a plain name.
	Path string `json:"path"`
	// Name is the true path if Path can't hold it; nil otherwise. See [StandIn].
	Name     []byte    `json:"name,omitempty"`
	Size     int64     `json:"size"` // bytes
	Mode     Mode      `json:"mode"`
	Modified time.Time `json:"modified,omitzero"` // zero for a stream of the database
	// Changed is the ctime of a file on disk: each change of bytes or attributes moves
	// the ctime, and no program can set the ctime. The listing leaves Changed out.
	Changed time.Time `json:"-"`
	// User is the Unix owner as "USER:GROUP", each by name, or by number if the
	// server has no name for the number; only in the files part.
	User string `json:"owner,omitempty"`
	// ETag is the bucket's ETag of the object. The ETag changes with the bytes.
	ETag string `json:"etag,omitempty"`
	// SHA256 is the hash of the file's bytes; nil for a paged file, a link and a missing file.
	SHA256 *Hash `json:"sha256,omitempty"`
	// PageSize is set for a paged file, a database of pages. The map lines after
	// the file's line locate the pages.
	PageSize int `json:"page_size,omitempty"`
	// Link is set for a symbolic link. A link has no bytes.
	Link Link `json:"link,omitempty"`
	// Holdfast marks the configuration of the Holdfast that made the snapshot.
	Holdfast bool `json:"holdfast,omitempty"`
	// Folder marks a folder of the files part. A folder has no bytes and no time.
	Folder bool `json:"folder,omitempty"`
	// Missing marks a file that the source could not read.
	Missing bool `json:"missing,omitempty"`
	// Mixed marks a file that changed during every reading. Its bytes may be a mix of
	// several states.
	Mixed bool `json:"mixed,omitempty"`
	// Lines is the number of extent lines after the file's line. A stream has
	// extent lines, because the extents of a large table do not fit into one line.
	Lines   int     `json:"lines,omitempty"`
	Extents Extents `json:"extents,omitempty"`
}

// HasContents reports whether the file is neither a link nor a folder.
func (f *File) HasContents() bool { return f.Link == "" && !f.Folder }

// Pages returns the number of pages in a segment of a paged file.
func (f *File) Pages(segment int) int {
	per := int64(SegmentSize / f.PageSize)
	return int(max(0, min(per, f.Size/int64(f.PageSize)-int64(segment)*per)))
}

// Segments returns the number of segments of a paged file.
func (f *File) Segments() int { return int((f.Size + SegmentSize - 1) / SegmentSize) }

// validate checks a file's line. last is the file before, or nil.
func (f *File) validate(last *File) error {
	switch {
	case f.Part != Database && f.Part != Files && f.Part != Media:
		return fmt.Errorf("part %.100q is not known", f.Part)
	case !ValidPath(f.Path):
		return fmt.Errorf("path %.100q is not allowed", f.Path)
	case last != nil && (f.Part < last.Part || f.Part == last.Part && f.Path <= last.Path):
		return fmt.Errorf("%s/%.100q comes after %s/%.100q", f.Part, f.Path, last.Part, last.Path)
	case f.Name != nil && f.validateName() != nil:
		return f.validateName()
	case f.User != "" && !ValidUser(f.User):
		return fmt.Errorf("user %.100q is not allowed", f.User)
	case f.Holdfast && f.Part != Files:
		return fmt.Errorf("%s/%s is marked as Holdfast's configuration", f.Part, f.Path)
	case f.Folder:
		return f.validateFolder()
	case (f.SHA256 != nil) != (f.Link == "" && !f.Missing && f.PageSize == 0):
		return errors.New("a file without sha256, or a link, pages or a missing file with sha256")
	case f.Link != "":
		return f.validateLink()
	case f.Missing:
		return f.validateMissing()
	case f.PageSize != 0:
		return f.validatePaged()
	case f.Lines != 0:
		return f.validateStream()
	}
	return f.validateExtents()
}

func (f *File) validateLink() error {
	if f.Part != Files || f.hasBytes() || f.PageSize != 0 || f.Missing {
		return fmt.Errorf("a link with bytes, or in the part %s", f.Part)
	}
	return nil
}

// validateFolder checks a folder's line. Older readers pass over the line, because it
// also has the member missing.
func (f *File) validateFolder() error {
	if f.Part != Files || f.hasBytes() || f.SHA256 != nil || f.PageSize != 0 || f.Link != "" || !f.Missing {
		return fmt.Errorf("a folder with bytes, or in the part %s, or not marked as missing", f.Part)
	}
	return nil
}

func (f *File) validateMissing() error {
	if f.hasBytes() {
		return errors.New("a missing file with bytes")
	}
	return nil
}

func (f *File) hasBytes() bool { return f.Size != 0 || f.Lines != 0 || len(f.Extents) > 0 }

func (f *File) validatePaged() error {
	powerOfTwo := f.PageSize&(f.PageSize-1) == 0
	if f.PageSize < minPage || f.PageSize > maxPage || !powerOfTwo || f.Lines != 0 || len(f.Extents) > 0 ||
		f.Size < 0 || f.Size > maxPaged || f.Size%int64(f.PageSize) != 0 {
		return fmt.Errorf("pages of %d bytes in a file of %d", f.PageSize, f.Size)
	}
	return nil
}

// validateStream checks a file with extent lines. Each line has at least a byte.
func (f *File) validateStream() error {
	if f.Lines < 0 || int64(f.Lines) > f.Size || len(f.Extents) > 0 {
		return fmt.Errorf("%d extent lines for a file of %d bytes", f.Lines, f.Size)
	}
	return nil
}

// validateExtents checks a file whose line holds all extents.
func (f *File) validateExtents() error {
	size, err := sumExtents(f.Extents)
	if err != nil {
		return err
	}
	if size != f.Size {
		return fmt.Errorf("%d bytes, extents of %d", f.Size, size)
	}
	return nil
}

// Bounds of a paged file, in bytes. maxPaged is SQLite's own limit
// (sqlite.org/limits.html).
const (
	minPage  = 512
	maxPage  = 64 << 10
	maxPaged = 1 << 48
)

// Mode is permission bits. In JSON a Mode is an octal string such as "0644".
type Mode fs.FileMode

// MarshalText writes four octal digits.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)&0o7777), nil }

// UnmarshalText reads four octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil || len(text) != 4 {
		return fmt.Errorf("mode %.100q is not four octal digits", text)
	}
	*m = Mode(n)
	return nil
}

// maxUser bounds [File.User], in bytes. Names of users and groups are far shorter.
const maxUser = 512

// ValidUser reports whether the listing can hold a file's user, "USER:GROUP":
// both names are set, printable and without a colon.
func ValidUser(user string) bool {
	name, group, ok := strings.Cut(user, ":")
	return ok && name != "" && group != "" && !strings.Contains(group, ":") &&
		len(user) <= maxUser && utf8.ValidString(user) && printable(user)
}

// printable reports whether text is harmless on a terminal and in a file of lines.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

// maxPath bounds a path, in bytes: Linux's PATH_MAX without the NUL.
const maxPath = 4095

// ValidPath reports whether the listing can hold a path: relative, clean, valid
// UTF-8, at most 4,095 bytes, without NUL and line breaks.
func ValidPath(p string) bool {
	if len(p) > maxPath || !fs.ValidPath(p) || p == "." || path.Clean(p) != p || !utf8.ValidString(p) {
		return false
	}
	return !strings.ContainsAny(p, "\x00\n\r")
}
