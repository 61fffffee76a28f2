package agent

import (
	"strings"

	"holdfast/agent/location"
	"holdfast/disk"
	"holdfast/instance/gotosocial"
)

// warnOfFolderRemotes warns of each folder remote that is lost together with the instance.
func (c *Config) warnOfFolderRemotes(settings *gotosocial.Config, o Observer) {
	database, media := settings.LocalPlaces()
	for _, r := range c.Remotes {
		l, err := location.Parse(r.URL)
		if l.IsInBucket(settings.Get("storage-s3-endpoint"), settings.Bucket()) {
			o.warn("the repository is in the bucket of GoToSocial's media, and is lost with the bucket: " +
				"name another bucket")
		}
		folder := l.Folder()
		if err != nil || folder == "" {
			continue
		}
		if disk.IsInMemory(folder) {
			o.warn("the repository in %s is in memory (tmpfs), and a restart of this machine deletes the repository: "+
				"name a folder on a disk, or a bucket", folder)
		}
		if media != "" && disk.Around(folder, media) != "" {
			o.warn("the repository in %s is inside GoToSocial's storage, and is lost if the storage is moved or "+
				"cleaned: name a folder elsewhere, or a bucket", folder)
		}
		if database != "" && disk.Around(database, folder) != "" || media != "" && disk.Around(media, folder) != "" {
			o.warn("GoToSocial's database or storage is inside the repository in %s: name another folder, or a bucket",
				folder)
		}
		if shared := sharedWith(folder, database, media); len(shared) > 0 {
			o.warn("the repository in %s is on the disk of GoToSocial's %s, and a broken disk takes both: "+
				"name a folder on another disk, or a bucket", folder, strings.Join(shared, " and "))
		}
	}
}

// warnOfFilesInStorage warns of files and folders of Holdfast that are lost together with
// GoToSocial's storage.
func warnOfFilesInStorage(settings *gotosocial.Config, own []string, o Observer) {
	_, media := settings.LocalPlaces()
	for _, path := range own {
		if media != "" && disk.Around(path, media) != "" {
			o.warn("%s is inside GoToSocial's storage, and is lost if the storage is moved or cleaned: "+
				"name another place by --state or --kit", path)
		}
	}
}

// sharedWith returns what lies on the disk of a folder: "database", "media", or both.
func sharedWith(folder, database, media string) (shared []string) {
	if database != "" && disk.ShareDevice(folder, database) {
		shared = append(shared, "database")
	}
	if media != "" && disk.ShareDevice(folder, media) {
		shared = append(shared, "media")
	}
	return shared
}
