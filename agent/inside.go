package agent

import (
	"fmt"
	"path/filepath"

	"holdfast/agent/location"
	"holdfast/disk"
	"holdfast/instance"
	"holdfast/remedy"
)

// CheckOutside refuses remotes and files of Holdfast's own inside the backed up folders.
// GoToSocial shows some of these folders to everybody.
func (c *Config) CheckOutside(i *instance.Instance, own ...string) error {
	var paths []string
	for _, r := range c.Remotes {
		if l, err := location.Parse(r.URL); err == nil && l.Folder() != "" {
			paths = append(paths, l.Folder())
		}
	}
	for _, path := range append(paths, own...) {
		path, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if around := i.Around(path); around != "" {
			return &remedy.Error{Kind: remedy.Refused,
				What:   fmt.Sprintf("%s lies in %s, which is backed up", path, around),
				Effect: "each backup would save Holdfast's own files and the earlier backups again",
				Fix:    "name another folder than " + path + ", or other extra paths"}
		}
	}
	return nil
}

// checkTarget refuses to restore into the repository: mirrors of the storage would copy the
// restored files unencrypted. flag names the folder on the command line.
func (r *Repository) checkTarget(folder, flag string) error {
	repository := r.Location.Folder()
	if repository == "" || disk.Around(folder, repository) == "" {
		return nil
	}
	return &remedy.Error{Kind: remedy.Refused,
		What:   fmt.Sprintf("the folder %s lies in the repository %s", folder, repository),
		Effect: "nothing was restored: the restored files would lie unencrypted among the encrypted backups",
		Fix:    "name a folder elsewhere by " + flag}
}
