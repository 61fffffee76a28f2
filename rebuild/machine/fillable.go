package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/remedy"
)

// checkFillable refuses a folder in which the restore can't make files.
func checkFillable(dir string) error {
	err := disk.CheckFillable(dir)
	var at *fs.PathError
	if !errors.As(err, &at) {
		return err
	}
	p := &remedy.Error{Kind: remedy.Refused}
	switch target, _ := os.Readlink(at.Path); {
	case errors.Is(err, unix.EROFS):
		p.What, p.Fix = fmt.Sprintf("the disk of %s is mounted read-only", at.Path), "mount the disk for writing"
	case errors.Is(err, unix.ENOTDIR):
		p.What, p.Fix = at.Path+" is a file, and the restore needs a folder there", "move the file away"
	case target != "":
		p.What = fmt.Sprintf("%s is a link to %s, which does not exist", at.Path, target)
		p.Fix = "mount the disk or make the folder that the link leads to, or remove the link"
	default:
		return err
	}
	return p
}

// shutFolders remembers which folders the restore can't fill.
type shutFolders map[string]error

func (s shutFolders) check(dir string) error {
	err, known := s[dir]
	if !known {
		err = checkFillable(dir)
		s[dir] = err
	}
	return err
}

// fateShut is the fate of a file whose folder the restore can't fill.
func fateShut(err error) fate {
	fix := fixOf(err)
	return fate{one: ": " + err.Error(), many: ": " + err.Error(), fix: fix, fixForMany: fix, refused: true}
}
