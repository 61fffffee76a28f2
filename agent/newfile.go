package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"holdfast/disk"
	"holdfast/remedy"
)

// WriteNew writes a durable file of mode 0600. An existing file is refused, and
// never overwritten.
func WriteNew(path string, r io.Reader) error {
	err := disk.WriteNew(path, r)
	if errors.Is(err, fs.ErrExist) {
		return refuseExisting(path)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// CheckNew refuses paths of existing files and folders. A path in an unreadable folder
// passes; the write will fail.
func CheckNew(paths ...string) error {
	if found := existing(paths...); len(found) > 0 {
		return refuseExisting(found...)
	}
	return nil
}

func refuseExisting(paths ...string) *remedy.Error {
	predicate := "exists already, and is"
	if len(paths) > 1 {
		predicate = "exist already, and are"
	}
	return &remedy.Error{Kind: remedy.Refused,
		What: fmt.Sprintf("%s %s never overwritten", strings.Join(paths, " and "), predicate),
		Fix:  "name another file, or move the existing file away first"}
}
