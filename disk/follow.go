package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFollowed is the number of links that Linux follows on the way to a file.
const maxFollowed = 40

// OpenFollowing opens a regular file below a folder for reading, and follows symbolic
// links, even out of the folder. users are the Unix users of the links on the way. The
// links may belong to another user, and the caller decides whether the file may be read.
// Each step of the way is an open folder, so nobody can exchange a checked link.
func OpenFollowing(folder *os.Root, path string) (f *os.File, users []int, err error) {
	at, err := folder.Open(".")
	if err != nil {
		return nil, nil, err
	}
	defer func() { at.Close() }()
	for rest := strings.Split(path, "/"); len(rest) > 0; {
		name := rest[0]
		if rest = rest[1:]; name == "" || name == "." {
			continue
		}
		next, err := openAt(at, name, unix.O_PATH)
		if err != nil {
			return nil, users, err
		}
		info, err := next.Stat()
		if err != nil {
			next.Close()
			return nil, users, err
		}
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			text, err := linkText(next)
			next.Close()
			if users = append(users, FileUser(info)); err == nil && len(users) > maxFollowed {
				err = fmt.Errorf("open %s: %w", path, syscall.ELOOP)
			}
			if err == nil && filepath.IsAbs(text) {
				at.Close()
				at, err = os.Open("/")
			}
			if err != nil {
				return nil, users, err
			}
			rest = append(strings.Split(text, "/"), rest...)
		case info.IsDir():
			at.Close()
			at = next
		default:
			next.Close()
			if len(rest) > 0 {
				return nil, users, fmt.Errorf("open %s: %w", path, syscall.ENOTDIR)
			}
			if f, err = openAt(at, name, readOnly); err == nil {
				f, err = keepRegular(f)
			}
			return f, users, err
		}
	}
	return nil, users, fmt.Errorf("%s is not a regular file", path)
}

// openAt opens an entry of a folder, and follows no link.
func openAt(folder *os.File, name string, flag int) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(folder.Fd()), name, flag|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: filepath.Join(folder.Name(), name), Err: err}
		}
		return os.NewFile(uintptr(fd), filepath.Join(folder.Name(), name)), nil
	}
}

// linkText returns the text of an open link.
func linkText(link *os.File) (string, error) {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", text)
	if err != nil {
		return "", &os.PathError{Op: "readlink", Path: link.Name(), Err: err}
	}
	return string(text[:n]), nil
}
