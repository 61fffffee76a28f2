package terminal

import (
	"fmt"
	"io/fs"

	"holdfast/manifest"
)

// FileLine describes a file of a snapshot in one line.
func FileLine(f manifest.File) string {
	name := Quote(string(f.Part) + "/" + f.Path)
	modified := f.Modified.Local().Format("2006-01-02 15:04")
	switch {
	case f.Folder:
		return fmt.Sprintf("%-10s  %12s  %-16s  %s", fs.ModeDir|fs.FileMode(f.Mode), "-", "-", name)
	case f.Missing:
		return fmt.Sprintf("%-10s  %12s  %-16s  %s", "missing", "-", "-", name)
	case f.Link != "":
		return fmt.Sprintf("%-10s  %12s  %s  %s -> %s", "lrwxrwxrwx", "-", modified, name,
			Quote(string(f.Link)))
	}
	return fmt.Sprintf("%-10s  %12d  %s  %s", fs.FileMode(f.Mode), f.Size, modified, name)
}
