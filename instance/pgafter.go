package instance

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// scripts is the folder of what psql restores a database from.
const scripts = "database"

// afterRestore marks remote media as not cached, once everything is loaded.
const (
	afterName    = "after-restore.sql"
	afterRestore = "-- No backup holds remote media. The server fetches them again, if they are not marked as cached.\n" +
		"UPDATE media_attachments SET cached = false WHERE cached AND coalesce(remote_url, '') <> '';\n" +
		"UPDATE emojis SET cached = false WHERE cached AND domain IS NOT NULL;\n"
)

// whereTablesAre is the line of restore.sql that leads to GoToSocial's tables.
// dir is the scripts' folder.
func whereTablesAre(files fs.FS, dir string) (line string, err error) {
	text, err := readScript(files, path.Join(dir, restoreBy))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, searchPath) {
			line = l
		}
	}
	return line, err
}
