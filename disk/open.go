package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readOnly does not wait for the other end of a pipe.
const readOnly = os.O_RDONLY | unix.O_NONBLOCK

// Open opens a regular file for reading, and refuses pipes, devices and folders
// without waiting.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, readOnly, 0)
	if err != nil {
		return nil, err
	}
	return keepRegular(f)
}

// OpenRoot opens a folder as [os.OpenRoot] does, and refuses everything else without waiting: a
// pipe would wait for its other end.
func OpenRoot(dir string) (*os.Root, error) { return os.OpenRoot(dir + "/") }

// TooLarge reports a file with more bytes than its reader takes.
type TooLarge struct {
	Path string
	Most int64 // bytes
}

func (e *TooLarge) Error() string { return fmt.Sprintf("%s is larger than %d bytes", e.Path, e.Most) }

// ReadSmall returns the text of a regular file of at most most bytes. A larger file is
// [TooLarge]. Pipes and devices are errors, too: another user may choose the file.
func ReadSmall(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAtMost(f, path, most)
}

// ReadAtMost reads r to the end. Text of more than most bytes is [TooLarge], with the path.
func ReadAtMost(r io.Reader, path string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		return nil, &TooLarge{path, most}
	}
	return text, err
}

// OpenIn is [Open] within a folder. Symbolic links can't lead out of the folder.
func OpenIn(folder *os.Root, path string) (*os.File, error) {
	f, err := folder.OpenFile(path, readOnly, 0)
	if err != nil {
		return nil, err
	}
	return keepRegular(f)
}

// keepRegular closes f unless f is a regular file.
func keepRegular(f *os.File) (*os.File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", f.Name())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// IsRegular reports whether path leads to a regular file that this user can see.
func IsRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// Changed returns the ctime of a file: the last change of bytes or attributes.
func Changed(info fs.FileInfo) time.Time {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(s.Ctim.Unix())
}

// CheckRegular returns an error unless info describes a regular file.
func CheckRegular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", info.Name())
	}
	return nil
}
