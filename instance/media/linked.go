package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// mayBeLinked reports whether an error of [os.Root] may come from a link that leads out
// of the folder. The error of os.Root has no name of its own.
func mayBeLinked(err error) bool {
	return err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

// statLinked is [Folder.Stat] behind a link.
func (f *Folder) statLinked(key string, cause error) (manifest.File, error) {
	file, err := f.openLinked(key, cause)
	if err != nil {
		return manifest.File{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return manifest.File{}, err
	}
	return FileOf(info)
}

// openLinked opens a file behind a link that leads out of the folder: an admin moved the
// media of one account to another disk. cause is the error without the link.
//
// The server's user may write to the folder, and may name any key in the database. A
// restore gives the media to the server's user. Therefore a link brings only files of
// that user, and never a file that only root may read. A link of another user than root
// brings only files of the link's user.
func (f *Folder) openLinked(key string, cause error) (*os.File, error) {
	file, users, err := disk.OpenFollowing(f.root, key)
	if len(users) == 0 { // no link
		if file != nil {
			file.Close()
		}
		return nil, cause
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	folder, err := f.root.Stat(".")
	if err != nil {
		file.Close()
		return nil, err
	}
	user := disk.FileUser(info)
	users = slices.DeleteFunc(users, func(link int) bool { return link == 0 })
	theirs := !slices.ContainsFunc(users, func(link int) bool { return link != user })
	if theirs && (len(users) > 0 || user == disk.FileUser(folder)) {
		return file, nil
	}
	file.Close()
	return nil, &remedy.Error{Kind: remedy.Source,
		What: fmt.Sprintf("a link in the media directory leads to %s, a file of %s", file.Name(), disk.UserName(user)),
		Fix: fmt.Sprintf("give the file to the user of the media directory: %s", remedy.ShellLine([]string{
			"chown", disk.UserName(disk.FileUser(folder)), "--", file.Name()}))}
}
