package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/check"
	"holdfast/instance/postgres/guard"
	"holdfast/instance/postgres/psql"
	"holdfast/internal/units"
)

// load fills a new database from the files of a snapshot's database part. The
// database has a temporary name until the end. The name contains the random word of
// the run, so that a repeated run may drop the database of an interrupted run.
type load struct {
	db      *Database
	files   fs.FS              // restore.sql and the files that restore.sql names
	run     string             // a random word, the same for all repetitions of a run
	replace bool               // rename a database with the final name aside
	path    string             // the search path of restore.sql, quoted, or ""; fill sets it
	dropped []check.Constraint // until all rows have their final form
}

// loaded tells what a load did. The zero loaded means: the database was complete
// already.
type loaded struct {
	madeRole bool
	filled   bool
	tables   int
	rows     int64
	leftOut  []leftOut          // extensions and event triggers
	open     []check.Constraint // PostgreSQL does not confirm these for all rows
	aside    string             // the new name of a database that was in the way, or ""
	path     string             // the search path that the database has now, quoted, or ""
}

// start makes and fills the database. Start never drops a database of the final
// name unless the database is empty. The same run can repeat start.
func (l *load) start(ctx context.Context) (loaded, error) {
	done, err := l.steps(ctx)
	if err != nil {
		return loaded{}, fmt.Errorf("load database: %w", l.db.explainLoad(err))
	}
	return done, nil
}

// final is the name of the database.
func (l *load) final() string { return l.db.config.Database }

// temporary is the name of the database until the end of the load.
func (l *load) temporary() string {
	return psql.ShortName(l.final()) + "_holdfast_" + strings.ToLower(l.run[:min(10, len(l.run))])
}

func (l *load) steps(ctx context.Context) (done loaded, err error) {
	admin, err := l.db.admin(ctx)
	if err != nil {
		return done, err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if err := l.db.lock(ctx, admin); err != nil {
		return done, err
	}
	whole := "restored by holdfast, run " + l.run // the comment of the whole database
	if comment, err := commentOf(ctx, admin, l.final()); err != nil || comment == whole {
		return done, err // an earlier run was killed while it removed the files
	}
	if err := guard.Check(ctx, admin, l.db.config.User, l.files); err != nil {
		return done, err
	}
	lines, err := psql.CopyLines(l.files)
	if err != nil {
		return done, err
	}
	if err := psql.LargestFirst(l.files, lines); err != nil {
		return done, err
	}
	if done.aside, err = l.db.vacate(ctx, admin, l.replace); err != nil {
		return done, err
	}
	if done.madeRole, err = l.db.makeRole(ctx, admin); err != nil {
		return done, err
	}
	comment, err := commentOf(ctx, admin, l.temporary())
	if err != nil {
		return done, err
	}
	if comment != whole {
		if err := l.create(ctx, admin); err != nil {
			return done, err
		}
		if err := l.fill(ctx, lines, &done); err != nil {
			return done, err
		}
		if err := setComment(ctx, admin, l.temporary(), whole); err != nil {
			return done, err
		}
	}
	if done.aside != "" {
		if err := rename(ctx, admin, l.final(), done.aside); err != nil {
			return done, err
		}
	}
	return done, rename(ctx, admin, l.temporary(), l.final())
}

// commentOf returns the comment of a database, or "" if there is no such database.
func commentOf(ctx context.Context, admin *pgx.Conn, database string) (comment string, err error) {
	const comments = `SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1`
	err = admin.QueryRow(ctx, comments, database).Scan(&comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return comment, err
}

func setComment(ctx context.Context, admin *pgx.Conn, database, comment string) error {
	text := strings.ReplaceAll(comment, "'", "''")
	_, err := admin.Exec(ctx, fmt.Sprintf("COMMENT ON DATABASE %s IS '%s'", psql.QuoteName(database), text))
	return err
}

func rename(ctx context.Context, admin *pgx.Conn, from, to string) error {
	_, err := admin.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", psql.QuoteName(from), psql.QuoteName(to)))
	return err
}

// create makes the temporary database. A database that an interrupted run left
// under the temporary name is dropped.
func (l *load) create(ctx context.Context, admin *pgx.Conn) error {
	name := psql.QuoteName(l.temporary())
	if _, err := admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return err
	}
	const settings = "LOCALE 'C.UTF-8' ENCODING 'UTF8' TEMPLATE template0"
	user := psql.QuoteName(l.db.config.User)
	_, err := admin.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s %s", name, user, settings))
	return err
}

// fill loads everything into the temporary database, as GoToSocial's own user, so
// that the user owns all objects.
func (l *load) fill(ctx context.Context, lines []psql.CopyLine, done *loaded) error {
	var err error
	if l.path, err = psql.ReadSearchPath(l.files); err != nil {
		return err
	}
	temp := l.db.with(l.temporary(), l.db.config.User)
	conn, err := temp.connectToLoad(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := l.script(ctx, conn, psql.PreData); err != nil {
		return err
	}
	// Extensions come before all computed values: the body of a function may name an
	// object of an extension.
	if err := l.makeOptional(ctx, conn, psql.Extensions, done); err != nil {
		return err
	}
	counts, err := l.copyAll(ctx, temp, lines)
	if err != nil {
		return err
	}
	for _, name := range []string{psql.Sequences, psql.PostData} {
		if err := l.script(ctx, conn, name); err != nil {
			return err
		}
	}
	err = l.script(ctx, conn, afterFile)
	if check.IsBroken(err) { // PostgreSQL checks each row that the script changes
		if err = l.dropChecks(ctx, temp, lines...); err == nil {
			err = l.script(ctx, conn, afterFile)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if done.open, err = l.addChecks(ctx, temp); err != nil {
		return err
	}
	if err := l.makeOptional(ctx, conn, psql.EventTriggers, done); err != nil {
		return err
	}
	if err := l.setSearchPath(ctx, conn, done); err != nil {
		return err
	}
	if err := execute(ctx, conn, "ANALYZE"); err != nil {
		return err
	}
	for i, line := range lines {
		var n int64
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM ONLY "+line.Table).Scan(&n); err != nil {
			return err
		}
		if n != counts[i] {
			return gotosocial.Damaged(fmt.Sprintf("table %s has %s instead of %d", line.Table, units.Count(n, "row"),
				counts[i]))
		}
		done.rows += n
	}
	done.filled, done.tables = true, len(lines)
	return nil
}

// script runs a script of the database part, without the lines for psql itself.
func (l *load) script(ctx context.Context, conn *pgx.Conn, name string) error {
	text, err := psql.ReadScript(l.files, name)
	if err != nil {
		return err
	}
	var statements strings.Builder
	for line := range strings.Lines(psql.DropNewTimeouts(text)) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			statements.WriteString(line)
		}
	}
	if err := execute(ctx, conn, statements.String()); err != nil {
		return fmt.Errorf("%s: %w", name, l.db.explainSchema(err))
	}
	// The settings of pg_dump's scripts must end with the script, but the session stays
	// plain.
	return execute(ctx, conn, "RESET ALL; "+plainSession)
}

// setSearchPath leads every session to GoToSocial's tables. In the old server a setting of
// the role or of the database may have led there, and no dump has such a setting.
func (l *load) setSearchPath(ctx context.Context, conn *pgx.Conn, done *loaded) error {
	var found bool
	const tables = `SELECT to_regclass($1) IS NOT NULL`
	err := conn.QueryRow(ctx, tables, gotosocial.RequiredTables[0]).Scan(&found)
	if err != nil || found || l.path == "" {
		return err
	}
	done.path = l.path
	return execute(ctx, conn, fmt.Sprintf("ALTER DATABASE %s SET search_path = %s; SET search_path = %s",
		psql.QuoteName(l.temporary()), done.path, done.path))
}

// leftOut is an extension or event trigger that the load could not make, and that nothing
// needs.
type leftOut struct {
	statement string // makes the extension or event trigger
	message   string // PostgreSQL's
}

// makeOptional runs each line of a script. The script makes what nothing needs: a line that
// needs software of another server, or a superuser, is left out.
func (l *load) makeOptional(ctx context.Context, conn *pgx.Conn, name string, done *loaded) error {
	text, err := psql.ReadScript(l.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		err := execute(ctx, conn, line)
		var refused *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &refused) && !conn.IsClosed():
			done.leftOut = append(done.leftOut, leftOut{line, refused.Message})
		default:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
