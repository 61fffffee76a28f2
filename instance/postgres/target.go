package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/client"
	"holdfast/instance/postgres/guard"
	"holdfast/instance/postgres/psql"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Target is the PostgreSQL database that a restore makes.
type Target struct{ db *Database }

// NewTarget returns the database of the configuration. NewTarget makes no
// connection.
func NewTarget(c *gotosocial.Config) (*Target, error) {
	db, err := Open(c)
	if err != nil {
		return nil, err
	}
	return &Target{db}, nil
}

// Destination names the server and the database.
func (t *Target) Destination() gotosocial.Destination {
	return gotosocial.Destination{Name: t.db.String()}
}

// Inspect checks the server, its version, its users, and the name of the database.
func (t *Target) Inspect(ctx context.Context, facts manifest.Facts, m *disk.Mover) (details []string, err error) {
	d := t.db
	switch d.config.Database {
	case "postgres", "template0", "template1":
		return nil, &remedy.Error{
			Kind: remedy.Setting, What: fmt.Sprintf("db-database is %s, which is PostgreSQL's own", d.config.Database),
			Fix: "give a configuration with another db-database by --gotosocial",
		}
	}
	admin, err := d.admin(ctx)
	if err != nil && d.isLocal() && len(client.Programs("postgres")) == 0 {
		return nil, &remedy.Error{
			Kind: remedy.Source, What: "PostgreSQL is not installed here", Err: err,
			Fix: "apt install postgresql, or your distribution's package, of at least the version that the " +
				"instance ran on: " + facts.Server,
		}
	}
	if err != nil {
		return nil, d.explainAdmin(err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if exists, err := d.hasRole(ctx, admin); err != nil {
		return nil, d.explain(err)
	} else if !exists {
		details = append(details, fmt.Sprintf("PostgreSQL has no user %q: the restore makes the user, "+
			"with the password of GoToSocial's configuration and the right to log in", d.config.User))
	} else if err := d.logIn(ctx); err != nil {
		return nil, err
	}
	var version string
	const query = `SELECT split_part(current_setting('server_version'), ' ', 1)`
	if err := admin.QueryRow(ctx, query).Scan(&version); err != nil {
		return nil, d.explain(err)
	}
	detail := fmt.Sprintf("%s as PostgreSQL's user %q, PostgreSQL %s; the instance ran on %s", d, d.config.User,
		version, facts.Server)
	if major(version) < major(facts.Server) {
		return nil, &remedy.Error{
			Kind: remedy.Refused, What: detail,
			Fix: fmt.Sprintf("apt install postgresql-%d, or newer", major(facts.Server)),
		}
	}
	if old := facts.Collation; old != "" && !strings.EqualFold(strings.Replace(old, "utf8", "UTF-8", 1), "C.UTF-8") {
		details = append(details, fmt.Sprintf("the old database sorts text by %s, the restored one by C.UTF-8, as "+
			"GoToSocial demands: no row changes, but the order of names may", remedy.Printable(old)))
	}
	if aside, err := d.vacate(ctx, admin, m.Replace); err != nil {
		return nil, d.explain(err)
	} else if aside != "" {
		detail += "; the old database is renamed aside"
	}
	strong, err := guard.Describe(ctx, admin, d.config.User)
	return append(append(details, detail), strong...), d.explain(err)
}

// major returns the major version of a server: 15 for "15.18".
func major(version string) int {
	text, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// Put makes the database, fills it, and removes the files that it loaded.
func (t *Target) Put(ctx context.Context, folder string, m *disk.Mover) (notes []string, err error) {
	from := filepath.Join(folder, psql.Folder)
	if _, err := os.Stat(filepath.Join(from, psql.RestoreFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // an earlier run loaded and removed the files
	}
	l := &load{db: t.db, files: os.DirFS(from), run: m.Run, replace: m.Replace}
	done, err := l.start(ctx)
	if err != nil {
		return nil, err
	}
	return t.notes(done), os.RemoveAll(from)
}

// notes describes a load to the person who restores.
func (t *Target) notes(done loaded) (notes []string) {
	name := t.db.config.Database
	if done.madeRole {
		notes = append(notes, fmt.Sprintf("PostgreSQL's user %s: made", t.db.config.User))
	}
	if done.filled {
		notes = append(notes, fmt.Sprintf("database %s: %s, %s, each counted",
			name, units.Count(done.tables, "table"), units.Count(done.rows, "row")))
	}
	if done.path != "" {
		notes = append(notes, fmt.Sprintf("database %s leads every session to GoToSocial's tables (search_path = %s), "+
			"as a setting of the old role or database did", name, done.path))
	}
	for _, left := range done.leftOut {
		notes = append(notes, fmt.Sprintf("the restore left out a part that nothing in the database needs (%s); "+
			"to get it, run as PostgreSQL's superuser in database %s: %s", left.message, name, left.statement))
	}
	for _, c := range done.open {
		notes = append(notes, fmt.Sprintf("PostgreSQL does not confirm the check constraint %s of %s for the "+
			"restored rows: the constraint stays, for new and changed rows alone (NOT VALID)",
			remedy.Printable(c.Name), remedy.Printable(c.Of)))
	}
	if done.aside != "" {
		notes = append(notes, fmt.Sprintf("the old database is now called %s", done.aside))
	}
	return notes
}

// Tables opens the tables after Put.
func (t *Target) Tables(ctx context.Context) (gotosocial.Tables, error) {
	conn, err := t.db.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &Rows{t.db, conn}, nil
}

// Rest tells about the databases that were renamed aside.
func (t *Target) Rest(ctx context.Context) []string { return t.db.listAside(ctx) }
