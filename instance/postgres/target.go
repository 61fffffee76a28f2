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
	"holdfast/manifest"
	"holdfast/remedy"
)

// Target is the PostgreSQL database that a restore makes.
type Target struct {
	db       *Database
	mover    *disk.Mover
	verbatim bool
}

func NewTarget(c *gotosocial.Config, m *disk.Mover, verbatim bool) (*Target, error) {
	p, err := Open(c)
	if err != nil {
		return nil, err
	}
	return &Target{p, m, verbatim}, nil
}

// Look looks at the server, its version, its users and what has the database's
// name.
func (t *Target) Look(ctx context.Context, facts manifest.Facts) (details []string, err error) {
	p := t.db
	switch p.config.Database {
	case "postgres", "template0", "template1":
		return nil, &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-database is %s, which is PostgreSQL's own", p.config.Database), Fix: "give a configuration with another db-database by --gotosocial"}
	}
	admin, err := p.admin(ctx)
	if err != nil && p.here() && len(servers()) == 0 {
		return nil, &remedy.Error{Kind: remedy.Source, What: "PostgreSQL is not installed here", Err: err,
			Fix: fmt.Sprintf("apt install postgresql, or what your distribution calls it, of at least the version that the instance ran on: %s", facts.Server)}
	}
	if err != nil {
		return nil, p.noAdmin(err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if there, err := p.hasRole(ctx, admin); err != nil {
		return nil, p.explain(err)
	} else if !there {
		details = append(details, fmt.Sprintf("PostgreSQL has no user %q: it is made, with the password of GoToSocial's configuration and no right but to log in", p.config.User))
	} else if err := p.logIn(ctx); err != nil {
		return nil, err
	}
	var version string
	if err := admin.QueryRow(ctx, `SELECT split_part(current_setting('server_version'), ' ', 1)`).Scan(&version); err != nil {
		return nil, p.explain(err)
	}
	detail := fmt.Sprintf("%s, PostgreSQL %s; the instance ran on %s", p, version, facts.Server)
	if major(version) < major(facts.Server) {
		return nil, &remedy.Error{Kind: remedy.Refused, What: detail, Fix: fmt.Sprintf("apt install postgresql-%d, or newer", major(facts.Server))}
	}
	l := &load{db: p, final: p.config.Database, replace: t.mover.Replace}
	if aside, err := l.vacant(ctx, admin); err != nil {
		return nil, p.explain(err)
	} else if aside != "" {
		detail += "; the one that is there is renamed aside"
	}
	return append(details, detail), nil
}

func major(version string) int {
	text, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// Put makes the database and fills it.
func (t *Target) Put(ctx context.Context, folder string) (notes []string, err error) {
	from := filepath.Join(folder, Folder)
	if _, err := os.Stat(filepath.Join(from, RestoreFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // it was loaded, and cleared away
	}
	notes, err = t.db.load(ctx, os.DirFS(from), t.mover.Run, t.mover.Replace, t.verbatim)
	if err != nil {
		return nil, err
	}
	return notes, os.RemoveAll(from)
}

// Tables opens the database, which no server uses yet.
func (t *Target) Tables(ctx context.Context) (gotosocial.Tables, error) {
	conn, err := t.db.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &Rows{t.db, conn}, nil
}

// Rest tells of the databases that were renamed aside.
func (t *Target) Rest(ctx context.Context) []string { return t.db.tellAside(ctx) }
