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

// way is the way to a path along symbolic links, even out of the first folder. Each step of
// the way is an open folder, so nobody can exchange a link after the look at the link.
type way struct {
	folder *os.File // the last folder of the way, open
	name   string   // the entry of folder at the end; "" if the way ends at folder
	links  []followedLink
}

type followedLink struct {
	path string
	user int
}

// follow goes from an open folder to a path, and closes the open folder unless the way has
// it. After an error the way has no folder, and the links so far.
func follow(at *os.File, path string) (w way, err error) {
	w.folder = at
	defer func() {
		if err != nil {
			w.folder.Close()
		}
	}()
	for rest := strings.Split(path, "/"); len(rest) > 0; {
		name := rest[0]
		if rest = rest[1:]; name == "" || name == "." {
			continue
		}
		next, err := openAt(w.folder, name, unix.O_PATH)
		if err != nil {
			return w, err
		}
		info, err := next.Stat()
		if err == nil && info.IsDir() {
			w.folder.Close()
			w.folder = next
			continue
		}
		text := ""
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			text, err = linkText(next)
			w.links = append(w.links, followedLink{next.Name(), FileUser(info)})
		}
		next.Close()
		switch {
		case err != nil:
			return w, err
		case len(w.links) > maxFollowed:
			return w, &os.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		case text == "" && len(rest) > 0:
			return w, &os.PathError{Op: "open", Path: path, Err: syscall.ENOTDIR}
		case text == "":
			w.name = name
			return w, nil
		case filepath.IsAbs(text):
			root, err := os.Open("/")
			if err != nil {
				return w, err
			}
			w.folder.Close()
			w.folder = root
		}
		rest = append(strings.Split(text, "/"), rest...)
	}
	return w, nil
}

// OpenFollowing opens a regular file below a folder for reading, and follows symbolic
// links, even out of the folder. users are the Unix users of the links on the way. The
// links may belong to another user, and the caller decides whether the file may be read.
func OpenFollowing(folder *os.Root, path string) (f *os.File, users []int, err error) {
	at, err := folder.Open(".")
	if err != nil {
		return nil, nil, err
	}
	w, err := follow(at, path)
	for _, link := range w.links {
		users = append(users, link.user)
	}
	if err != nil {
		return nil, users, err
	}
	defer w.folder.Close()
	if w.name == "" {
		return nil, users, fmt.Errorf("%s is not a regular file", path)
	}
	if f, err = openAt(w.folder, w.name, readOnly); err == nil {
		f, err = keepRegular(f)
	}
	return f, users, err
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
