package instance

import (
	"fmt"
	"io/fs"
	"os"

	"holdfast/disk"
	"holdfast/manifest"
)

// openFile is an open file of the files part.
type openFile struct {
	*os.File
	userOf func(fs.FileInfo) string
}

// Rights returns the mode and the user of the open file. Since [Instance.Files] another
// user may have put a link to a file of root in the place of a file.
func (f openFile) Rights() (mode manifest.Mode, user string, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	plain, _ := disk.PlainMode(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), info)
	return manifest.Mode(plain), f.userOf(info), nil
}
