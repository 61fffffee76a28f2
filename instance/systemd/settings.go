package systemd

import (
	"errors"
	"io/fs"

	"holdfast/disk"
	"holdfast/remedy"
)

// MaxSettings is the size of the largest file of settings, in bytes. GoToSocial's own
// example has 50 KiB.
const MaxSettings = 256 << 10

// ReadSettings reads a file of settings. An error is a [remedy.Error] with the fix.
func ReadSettings(path, what, fix string) (string, error) {
	text, err := disk.ReadSmall(path, MaxSettings)
	if err == nil {
		return string(text), nil
	}
	if large := (*disk.TooLarge)(nil); errors.As(err, &large) {
		return "", &remedy.Error{Kind: remedy.Setting, What: large.Error(), Fix: "name a file of settings"}
	}
	if errors.Is(err, fs.ErrPermission) {
		fix = "run Holdfast as root, or let Holdfast's user read the file"
	}
	return "", &remedy.Error{Kind: remedy.Source, What: "can't read " + what, Err: err, Fix: fix}
}
