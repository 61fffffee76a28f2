package sample

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SamePages compares two files, 4 KiB at a time. The result is the number of
// pages, or an error about the first different page.
func SamePages(want, have string) (pages int64, err error) {
	a, err := os.Open(want)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := os.Open(have)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	pageA, pageB := make([]byte, 4096), make([]byte, 4096)
	for {
		n, errA := io.ReadFull(a, pageA)
		m, errB := io.ReadFull(b, pageB)
		if !bytes.Equal(pageA[:n], pageB[:m]) {
			return pages, fmt.Errorf("%s differs from %s in page %d", have, want, pages+1)
		}
		if n > 0 {
			pages++
		}
		switch {
		case errA == io.EOF || errA == io.ErrUnexpectedEOF:
			return pages, nil
		case errA != nil:
			return pages, errA
		case errB != nil:
			return pages, errB
		}
	}
}

// SameMedia compares the files of a folder with a list of keys and SHA-256 sums.
func SameMedia(want map[string]string, dir string) error {
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		key, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		switch hexadecimal, ok := want[key]; {
		case !ok:
			return fmt.Errorf("%s is restored, but is not a local media file", key)
		case hexadecimal != hex.EncodeToString(sum[:]):
			return fmt.Errorf("%s is restored with other bytes", key)
		}
		seen++
		return nil
	})
	if err == nil && seen != len(want) {
		err = fmt.Errorf("%d of %d media files are restored", seen, len(want))
	}
	return err
}
