package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WriteNew writes what r reads to a new file of mode 0600. The file and its name
// are durable when WriteNew returns. If path exists, WriteNew leaves the file alone
// and returns [fs.ErrExist]. After any other error no file is left.
func WriteNew(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return SyncFolder(filepath.Dir(path))
}

// Replace writes text to path with mode 0600. After a crash the file holds either
// the old text or the new text, whole. Only one process may replace a file at a time.
func Replace(path string, text []byte) error {
	part := path + PartSuffix
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// PartSuffix ends the name of the file that [Replace] writes first. If a killed
// process leaves such a file, the next Replace writes over it.
const PartSuffix = ".part"

// SyncFolder makes new, renamed and deleted names in a folder durable.
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return SyncOpenFolder(f)
}

// SyncOpenFolder is [SyncFolder] for an open folder. File systems that can't sync a
// folder, such as some network file systems, count as durable.
func SyncOpenFolder(folder *os.File) error {
	err := folder.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// SyncDisk makes everything durable on the disk of a folder.
func SyncDisk(folder *os.File) error {
	if err := unix.Syncfs(int(folder.Fd())); err != nil {
		return &os.PathError{Op: "sync", Path: folder.Name(), Err: err}
	}
	return nil
}

// WriteIn writes text to a file in a folder, with mode 0644, in place of what the
// file held. The text is durable when WriteIn returns, the name once the folder
// is synced.
func WriteIn(folder *os.Root, name, text string) error {
	f, err := folder.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
