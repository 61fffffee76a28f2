package systemd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"holdfast/disk"
	"holdfast/remedy"
)

// MaxSettings is the size of the largest file of settings, in bytes. GoToSocial's own
// example has 50 KiB.
const MaxSettings = 256 << 10

// ReadSettings reads a file of settings. An error is a [remedy.Error] with the fix,
// unless the file is unreadable for this user or too large.
func ReadSettings(path, what, fix string) (string, error) {
	text, err := readText(path)
	if err == nil {
		return text, nil
	}
	if explained := (*remedy.Error)(nil); errors.As(err, &explained) {
		return "", err
	}
	if errors.Is(err, fs.ErrPermission) {
		fix = "run Holdfast as root, or let Holdfast's user read the file"
	}
	return "", &remedy.Error{Kind: remedy.Source, What: "can't read " + what, Err: err, Fix: fix}
}

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
		return "", &remedy.Error{
			Kind: remedy.Setting, What: fmt.Sprintf("%s is larger than %d bytes", path, MaxSettings),
			Fix: "name a file of settings",
		}
	}
	return string(text), nil
}
