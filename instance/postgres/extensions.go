package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/remedy"
)

// extension is one of the database's extensions.
type extension struct {
	name, schema string
	// needed: it came with PostgreSQL (plpgsql), or something else of the schema
	// can't be made without it.
	needed bool
}

// firstObject is the lowest OID that initdb gives nothing: FirstNormalObjectId.
const firstObject = 16384

// listExtensions lists them in the order of their names. Most on a server that
// has any are for whoever looks after it (pg_stat_statements): GoToSocial's
// tables need none.
func listExtensions(ctx context.Context, conn *pgx.Conn) ([]extension, error) {
	rows, err := conn.Query(ctx, `
		WITH RECURSIVE part (ext, classid, objid) AS (
			-- an extension, what it brought, and what is a part of that, such as a view's rule
			SELECT oid, 'pg_extension'::regclass::oid, oid FROM pg_extension
			UNION
			SELECT ext, d.classid, d.objid FROM part JOIN pg_depend d ON d.refclassid = part.classid AND d.refobjid = part.objid AND d.deptype IN ('e', 'i', 'a')
		), needed (ext) AS (
			SELECT oid FROM pg_extension WHERE oid < $1
			UNION
			SELECT part.ext FROM part JOIN pg_depend d ON d.refclassid = part.classid AND d.refobjid = part.objid
			WHERE (d.classid, d.objid) NOT IN (SELECT classid, objid FROM part)
			UNION
			-- one that another one is built on
			SELECT d.refobjid FROM needed JOIN pg_depend d ON d.classid = 'pg_extension'::regclass AND d.objid = needed.ext AND d.refclassid = 'pg_extension'::regclass
		)
		SELECT extname::text, nspname::text, e.oid IN (SELECT ext FROM needed)
		FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace ORDER BY extname COLLATE "C"`, firstObject)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e extension, err error) {
		err = row.Scan(&e.name, &e.schema, &e.needed)
		return e, err
	})
}

// extras reports whether there are some that nothing needs.
func extras(all []extension) bool {
	return slices.ContainsFunc(all, func(e extension) bool { return !e.needed })
}

// onlyNeeded are arguments for pg_dump that leave all other extensions out; none
// where there are no others.
func onlyNeeded(all []extension) (args []string) {
	if !extras(all) {
		return nil
	}
	for _, e := range all {
		if e.needed {
			args = append(args, "--extension="+quoteName(e.name))
		}
	}
	return args
}

// extensionScript makes the extensions that nothing needs, a line each.
func extensionScript(all []extension) string {
	var b strings.Builder
	for _, e := range all {
		if !e.needed {
			fmt.Fprintf(&b, "CREATE EXTENSION IF NOT EXISTS %s WITH SCHEMA %s CASCADE;\n", quoteName(e.name), quoteName(e.schema))
		}
	}
	return b.String()
}

// extensions makes those that nothing needs. One that only a superuser may make,
// or that this server doesn't have, is a note for whoever restores.
func (l *load) extensions(ctx context.Context, conn *pgx.Conn) (notes []string, err error) {
	text, err := ReadScript(l.files, extensionsBy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		err := l.sql(ctx, conn, line)
		var refused *pgconn.PgError
		switch {
		case err == nil:
		case errors.As(err, &refused) && !conn.IsClosed():
			notes = append(notes, fmt.Sprintf("an extension that nothing in the database needs is left out (%s): if you want it, as PostgreSQL's superuser in database %s: %s", refused.Message, l.final, line))
		default:
			return nil, fmt.Errorf("%s: %w", extensionsBy, err)
		}
	}
	return notes, nil
}

// unmade says what to do about an error of the schema: what is left to go wrong
// there is an extension that it needs.
func (p *Database) unmade(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return err
	}
	switch server.Code {
	case "42501":
		return &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("PostgreSQL's user %q may not make what the schema needs", p.config.User), Err: err,
			Fix: fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %[1]s SUPERUSER, run it again, then ALTER ROLE %[1]s NOSUPERUSER; only if the snapshot is your own server's: what it holds can then do anything there", quoteName(p.config.User))}
	case "58P01", "0A000":
		return &remedy.Error{Kind: remedy.Source, What: "this PostgreSQL lacks what the schema needs", Err: err,
			Fix: "install what it names on PostgreSQL's machine, then run it again; apt install postgresql-contrib has PostgreSQL's own extensions"}
	}
	return err
}
