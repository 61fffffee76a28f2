package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// load fills a new database from the files that a snapshot's view printed, and
// gives it its name at the end. Its temporary name has the run's own random word
// in it: what stands under it is nobody's but ours, and begins anew where the run
// was cut off.
type load struct {
	db      *Database
	files   fs.FS  // restore.sql and what it names
	final   string // the database's name
	temp    string // its name until it is whole
	replace bool   // a database of that name is renamed aside
	uncache bool   // remote media are marked as not cached
	done    string // the comment of the database when it is whole
}

// load makes the instance's database from the files in folder. A database of its
// name that has anything in it is never dropped: with replace it is renamed aside,
// else refused. It can be repeated by the same run, which is named by a random
// word. notes are for the person who restores.
func (p *Database) load(ctx context.Context, folder fs.FS, run string, replace, verbatim bool) (notes []string, err error) {
	final := p.config.Database
	l := &load{
		db: p, files: folder, final: final, temp: short(final) + "_holdfast_" + strings.ToLower(run[:min(10, len(run))]), replace: replace, uncache: !verbatim,
		done: "restored by holdfast, run " + run,
	}
	if notes, err = l.run(ctx); err != nil {
		return nil, fmt.Errorf("load database: %w", l.explain(err))
	}
	return notes, nil
}

// short leaves room for a suffix: PostgreSQL cuts names after 63 bytes.
func short(name string) string { return strings.ToValidUTF8(name[:min(40, len(name))], "") }

func (l *load) run(ctx context.Context) (notes []string, err error) {
	tables, err := scriptTables(l.files)
	if err != nil {
		return nil, err
	}
	admin, err := l.db.admin(ctx)
	if err != nil {
		return nil, err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if err := l.lock(ctx, admin); err != nil {
		return nil, err
	}
	if comment, _, err := describe(ctx, admin, l.final); err != nil || comment == l.done {
		return nil, err
	}
	aside, err := l.vacant(ctx, admin)
	if err != nil {
		return nil, err
	}
	made, err := l.db.makeRole(ctx, admin)
	if err != nil {
		return nil, err
	}
	if made {
		notes = append(notes, fmt.Sprintf("PostgreSQL's user %s: made", l.db.config.User))
	}
	comment, there, err := describe(ctx, admin, l.temp)
	if err != nil {
		return nil, err
	}
	if comment != l.done {
		if err := l.create(ctx, admin, there); err != nil {
			return nil, err
		}
		rows, left, err := l.fill(ctx, tables)
		if err != nil {
			return nil, err
		}
		notes = append(notes, fmt.Sprintf("database %s: %s, %s, each counted", l.final, remedy.Plural(len(tables), "table"), remedy.Plural(int(rows), "row")))
		notes = append(notes, left...)
		if err := comments(ctx, admin, l.temp, l.done); err != nil {
			return nil, err
		}
	}
	if aside != "" {
		if err := rename(ctx, admin, l.final, aside); err != nil {
			return nil, err
		}
		notes = append(notes, fmt.Sprintf("the database that was there is called %s now", aside))
	}
	return notes, rename(ctx, admin, l.temp, l.final)
}

// patience is how long a run waits for another at the same database.
const patience = "10s"

// lock keeps others from the database for as long as admin is connected. The
// server may still be at work for a run that was killed: it notices soon, unless
// the network to it broke.
func (l *load) lock(ctx context.Context, admin *pgx.Conn) error {
	const key = `hashtext('holdfast ' || $1)`
	var free bool
	if err := admin.QueryRow(ctx, `SELECT pg_try_advisory_lock(`+key+`)`, l.final).Scan(&free); err != nil || free {
		return err
	}
	slog.WarnContext(ctx, "another restore is at work at the database, or PostgreSQL is still for one that was killed", "database", l.final, "waiting", patience)
	if err := l.sql(ctx, admin, "SET lock_timeout = '"+patience+"'"); err != nil {
		return err
	}
	_, err := admin.Exec(ctx, `SELECT pg_advisory_lock(`+key+`)`, l.final)
	if server := (*pgconn.PgError)(nil); !errors.As(err, &server) || server.Code != "55P03" {
		return errors.Join(err, l.sql(ctx, admin, "SET lock_timeout = DEFAULT"))
	}
	held := &remedy.Error{Kind: remedy.Busy, What: fmt.Sprintf("another restore is at work at %s", l.db), Fix: "wait until it ends"}
	var pid int
	err = admin.QueryRow(ctx, `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND (classid::bigint << 32 | objid::bigint) = `+key, l.final).Scan(&pid)
	if err == nil {
		held.Fix += fmt.Sprintf("; if it was killed, and PostgreSQL has not noticed, as its superuser: SELECT pg_terminate_backend(%d)", pid)
	}
	return held
}

// describe looks for a database and its comment.
func describe(ctx context.Context, admin *pgx.Conn, database string) (comment string, there bool, err error) {
	err = admin.QueryRow(ctx, `SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1`, database).Scan(&comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	return comment, err == nil, err
}

// create makes the temporary database, in place of what a try that was cut off
// left under its name.
func (l *load) create(ctx context.Context, admin *pgx.Conn, there bool) error {
	if there {
		if _, err := admin.Exec(ctx, "DROP DATABASE "+quoteName(l.temp)+" WITH (FORCE)"); err != nil {
			return err
		}
	}
	_, err := admin.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s LOCALE 'C.UTF-8' TEMPLATE template0 ENCODING 'UTF8'", quoteName(l.temp), quoteName(l.db.config.User)))
	return err
}

func comments(ctx context.Context, admin *pgx.Conn, database, comment string) error {
	_, err := admin.Exec(ctx, fmt.Sprintf("COMMENT ON DATABASE %s IS '%s'", quoteName(database), strings.ReplaceAll(comment, "'", "''")))
	return err
}

func rename(ctx context.Context, admin *pgx.Conn, from, to string) error {
	_, err := admin.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s RENAME TO %s", quoteName(from), quoteName(to)))
	return err
}

// loaders is how many tables are loaded side by side.
const loaders = 2

// fill loads everything, as the instance's own user: what it makes belongs to it.
// notes tell of extensions that are left out.
func (l *load) fill(ctx context.Context, tables []CopyLine) (rows int64, notes []string, err error) {
	temp := l.db.to(l.temp, l.db.config.User)
	conn, err := temp.connect(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := l.script(ctx, conn, preData); err != nil {
		return 0, nil, err
	}
	// Before anything is computed: the body of a function may name what they bring.
	if notes, err = l.extensions(ctx, conn); err != nil {
		return 0, nil, err
	}
	counts := make([]int64, len(tables))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(loaders)
	for i, t := range tables {
		g.Go(func() (err error) {
			if counts[i], err = l.table(gctx, temp, t); err != nil {
				return fmt.Errorf("table %s: %w", t.name, l.explain(err))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, nil, err
	}
	for _, name := range []string{sequences, postData} {
		if err := l.script(ctx, conn, name); err != nil {
			return 0, nil, err
		}
	}
	if l.uncache {
		where, err := WhereTablesAre(l.files, ".")
		if err == nil {
			err = l.sql(ctx, conn, where+AfterRestore)
		}
		if err != nil {
			return 0, nil, err
		}
	}
	if err := l.sql(ctx, conn, "ANALYZE"); err != nil {
		return 0, nil, err
	}
	for i, t := range tables {
		var n int64
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM ONLY "+t.name).Scan(&n); err != nil {
			return 0, nil, err
		}
		if n != counts[i] {
			return 0, nil, gotosocial.Damaged(fmt.Sprintf("table %s has %d rows, %d were loaded", t.name, n, counts[i]))
		}
		rows += n
	}
	return rows, notes, nil
}

// table loads the rows of one table. In the transaction that emptied it they
// need no entry in the write-ahead log where PostgreSQL keeps none for replicas,
// and are not rewritten later (FREEZE).
func (l *load) table(ctx context.Context, temp *Database, t CopyLine) (int64, error) {
	conn, err := temp.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	f, err := l.files.Open(t.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := l.sql(ctx, conn, "BEGIN; SET LOCAL client_encoding = 'UTF8'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL statement_timeout = 0; TRUNCATE ONLY "+t.name); err != nil {
		return 0, err
	}
	lines := &lineCounter{r: f}
	tag, err := conn.PgConn().CopyFrom(ctx, lines, "COPY "+t.name+" "+t.columns+" FROM STDIN WITH (FREEZE)")
	if err != nil {
		return 0, err
	}
	if tag.RowsAffected() != lines.n {
		return 0, gotosocial.Damaged(fmt.Sprintf("%s has %d lines, PostgreSQL took %d rows", t.file, lines.n, tag.RowsAffected()))
	}
	return lines.n, l.sql(ctx, conn, "COMMIT")
}

// lineCounter counts rows on the way: COPY's text has a line for each.
type lineCounter struct {
	r io.Reader
	n int64
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(bytes.Count(p[:n], []byte{'\n'}))
	return n, err
}

func (l *load) sql(ctx context.Context, conn *pgx.Conn, text string) error {
	_, err := conn.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
	return err
}

// script runs a file of SQL. Lines for psql itself are left out.
func (l *load) script(ctx context.Context, conn *pgx.Conn, name string) error {
	text, err := ReadScript(l.files, name)
	if err != nil {
		return err
	}
	var plainSQL strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			plainSQL.WriteString(line)
		}
	}
	if err := l.sql(ctx, conn, plainSQL.String()); err != nil {
		return fmt.Errorf("%s: %w", name, l.db.unmade(err))
	}
	// pg_dump's own settings end with its script, but for those that give it time.
	return l.sql(ctx, conn, "RESET ALL; SET statement_timeout = 0; SET lock_timeout = 0")
}
