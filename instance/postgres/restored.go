package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Folder is the folder of the database part in a restored folder: the scripts and
// rows that psql loads.
const Folder = "database"

// afterFile is a script that runs once everything is loaded.
const afterFile = "after-restore.sql"

// uncache marks remote media as not cached.
const uncache = "-- No backup holds remote media. The server fetches them again, if they are not marked as cached.\n" +
	"UPDATE media_attachments SET cached = false WHERE cached AND coalesce(remote_url, '') <> '';\n" +
	"UPDATE emojis SET cached = false WHERE cached AND domain IS NOT NULL;\n"

// Restored is the database part in a folder that a restore made.
type Restored struct {
	Verbatim bool // remote media stay marked as they were
}

// Finish writes the script that runs after all others, unless Verbatim is set.
func (r Restored) Finish(folder *os.Root) error {
	if r.Verbatim {
		return nil
	}
	where, err := whereTablesAre(folder.FS(), Folder)
	if err == nil {
		err = disk.WriteIn(folder, path.Join(Folder, afterFile), where+uncache)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", afterFile, err)
	}
	return nil
}

// Settings name the engine. All other settings of the database are those of the
// server's own configuration.
func (Restored) Settings(string) []gotosocial.Setting {
	return []gotosocial.Setting{{Key: "db-type", Value: gotosocial.Postgres}}
}

// Instructions are comments with the commands that load the folder by psql.
func (r Restored) Instructions(folder string, facts manifest.Facts) string {
	after := " --file=" + afterFile
	if r.Verbatim {
		after = ""
	}
	version := cmp.Or(remedy.Printable(facts.Server), "(unknown)")
	return "#\n# The database, made anew in PostgreSQL " + version + " or newer, as its superuser and then as the\n# server's own user:\n#\n" +
		"#   createdb --template=template0 --locale=C.UTF-8 --owner=gotosocial NAME\n" +
		"#   cd " + gotosocial.Quote(filepath.Join(folder, Folder)) + " && psql --no-psqlrc --username=gotosocial --dbname=NAME --file=restore.sql" + after + "\n#\n" +
		"# Then give the server db-database (GTS_DB_DATABASE) NAME, and where PostgreSQL is.\n"
}

// whereTablesAre is the line of restore.sql that leads to GoToSocial's tables.
// dir is the scripts' folder.
func whereTablesAre(files fs.FS, dir string) (line string, err error) {
	text, err := ReadScript(files, path.Join(dir, RestoreFile))
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
