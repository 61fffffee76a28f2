package systemd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"holdfast/disk"
	"holdfast/remedy"
)

// MaxSettings bounds a file of settings, in bytes: GoToSocial's own example has
// 50 KiB.
const MaxSettings = 1 << 20

// ReadSettings reads a small file of settings. what and fix are for its error:
// fix says what to do, unless the file is there and closed.
func ReadSettings(path, what, fix string) (string, error) {
	text, err := readText(path)
	if err != nil {
		return "", unreadFile(what, err, fix)
	}
	return text, nil
}

// readText reads a small file of settings.
func readText(path string) (string, error) {
	f, err := disk.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxSettings+1))
	if err != nil {
		return "", err
	}
	if len(text) > MaxSettings {
		return "", &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("%s is larger than %d bytes", path, MaxSettings), Fix: "name a file of settings"}
	}
	return string(text), nil
}

// unreadFile says what to do about a file of settings that can't be read: fix,
// unless it is there and closed, or says itself what is wrong.
func unreadFile(what string, err error, fix string) error {
	if problem := (*remedy.Error)(nil); errors.As(err, &problem) {
		return err
	}
	if errors.Is(err, fs.ErrPermission) {
		fix = "run Holdfast as root, or let its user read the file"
	}
	return &remedy.Error{Kind: remedy.Source, What: "no " + what, Err: err, Fix: fix}
}
