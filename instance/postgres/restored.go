package postgres

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/psql"
	"holdfast/manifest"
	"holdfast/remedy"
)

// afterFile is a script that runs after all others. Only a restored folder has it.
const afterFile = "after-restore.sql"

// uncache marks remote media as not cached.
const uncache = "-- No backup holds remote media. The server fetches them again, if they are not marked as cached.\n" +
	"UPDATE media_attachments SET cached = false WHERE cached AND coalesce(remote_url, '') <> '';\n" +
	"UPDATE emojis SET cached = false WHERE cached AND domain IS NOT NULL;\n"

// Restored is the database part in a folder that a restore made.
type Restored struct {
	Verbatim bool // the marks of remote media stay as they were
}

// Finish writes after-restore.sql, unless Verbatim is set.
func (r Restored) Finish(folder *os.Root) error {
	if r.Verbatim {
		return nil
	}
	where, err := psql.SearchPathLine(folder.FS(), psql.Folder)
	if err == nil {
		err = disk.WriteIn(folder, path.Join(psql.Folder, afterFile), where+uncache)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", afterFile, err)
	}
	return nil
}

// Settings returns the engine. The other settings depend on where a person makes
// the database.
func (Restored) Settings(string) []gotosocial.Setting {
	return []gotosocial.Setting{{Key: "db-type", Value: gotosocial.Postgres}}
}

// Instructions returns comments with the commands that load the folder by psql.
func (r Restored) Instructions(folder string, facts manifest.Facts) string {
	after := " --file=" + afterFile
	if r.Verbatim {
		after = ""
	}
	version := cmp.Or(remedy.Printable(facts.Server), "(unknown)")
	return "#\n# Make the database in PostgreSQL " + version + " or newer: run the first command as " +
		"PostgreSQL's\n# superuser, and the second command as the server's own user:\n#\n" +
		"#   createdb --template=template0 --locale=C.UTF-8 --owner=gotosocial NAME\n" +
		"#   cd " + gotosocial.Quote(filepath.Join(folder, psql.Folder)) +
		" && psql --no-psqlrc --username=gotosocial --dbname=NAME --file=restore.sql" + after + "\n#\n" +
		"# Then set db-database (GTS_DB_DATABASE) to NAME, and db-address to PostgreSQL's address.\n"
}
