package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/catalog"
	"holdfast/instance/postgres/client"
	"holdfast/instance/postgres/psql"
	"holdfast/instance/postgres/tablelock"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// View is a PostgreSQL database at one moment: an exported snapshot that all
// connections of the view and pg_dump see.
type View struct {
	db         *Database
	conn       *pgx.Conn // holds the snapshot, and locks that keep the tables as they are
	snapshot   string
	version    int    // of the server, as in server_version_num
	pgDump     string // the program
	tables     []catalog.Table
	extensions []catalog.Extension
	triggers   string // SQL that makes the event triggers
	leftOut    []string
	refused    psql.Refusals
	facts      manifest.Facts
	began      time.Time // the view shows every change that was committed before
	path       string    // the schemas of the session, quoted, as SET search_path takes them

	mu   sync.Mutex // guards idle
	idle []*copier
}

// Begin opens a view for a backup. Begin returns an error if the user may not read
// all of the database.
func (d *Database) Begin(ctx context.Context, domain string) (vault.View, error) {
	v, err := d.view(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.prepare(ctx, domain); err != nil {
		v.Close()
		return nil, v.db.explain(err)
	}
	return v, nil
}

// view exports a snapshot.
func (d *Database) view(ctx context.Context) (v *View, err error) {
	if d, err = d.reached(ctx); err != nil {
		return nil, err
	}
	v = &View{db: d}
	if v.conn, err = d.connect(ctx); err != nil {
		return nil, err
	}
	if err := v.export(ctx); err != nil {
		v.Close()
		return nil, v.db.explain(err)
	}
	return v, nil
}

// plainRows makes the output of COPY depend on the rows alone, and lifts all limits
// on a long transaction. pg_dump sets the same.
const plainRows = `
	SET LOCAL client_encoding = 'UTF8'; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres';
	SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex';
	SET LOCAL xmloption = 'content'; SET LOCAL synchronize_seqscans = off; SET LOCAL row_security = off;
	SET LOCAL enable_sort = off; SET LOCAL standard_conforming_strings = on; SET LOCAL quote_all_identifiers = off;
	SELECT set_config(name, '0', true) FROM pg_settings WHERE name LIKE '%_timeout' AND context = 'user';`

const beginReading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"

func (v *View) export(ctx context.Context) error {
	v.began = time.Now()
	if err := execute(ctx, v.conn, beginReading+plainRows); err != nil {
		return err
	}
	// Before version 15 there is no datlocprovider, and before 17 datlocale has another name.
	const query = `SELECT pg_export_snapshot(), current_setting('server_version_num')::int,
		current_setting('server_version'), pg_is_in_recovery(),
		CASE columns ->> 'datlocprovider' WHEN 'i' THEN concat(locale, ' (icu)') WHEN 'b' THEN locale
			ELSE datcollate END
		FROM pg_database AS d, to_jsonb(d) AS columns,
			coalesce(columns ->> 'datlocale', columns ->> 'daticulocale') AS locale
		WHERE datname = current_database()`
	err := v.conn.QueryRow(ctx, query).Scan(&v.snapshot, &v.version, &v.facts.Server, &v.db.standby,
		&v.facts.Collation)
	v.facts.Server, _, _ = strings.Cut(v.facts.Server, " ") // Debian adds words of its own
	return err
}

// prepare lists the content of the backup, and checks the rights of the user.
func (v *View) prepare(ctx context.Context, domain string) (err error) {
	if err := v.checkRights(ctx); err != nil {
		return err
	}
	if err := v.findTables(ctx); err != nil {
		return err
	}
	// From here on, queries read tables, and another session may hold a table's lock.
	if err := v.lockTables(ctx); err != nil {
		return err
	}
	if v.tables, err = catalog.Tables(ctx, v.conn); err != nil {
		return err
	}
	if err := catalog.CheckNames(v.tables); err != nil {
		return err
	}
	if v.extensions, err = catalog.Extensions(ctx, v.conn); err != nil {
		return err
	}
	if v.triggers, err = catalog.EventTriggers(ctx, v.conn); err != nil {
		return err
	}
	if v.leftOut, err = catalog.LeftOut(ctx, v.conn); err != nil {
		return err
	}
	if err := v.describe(ctx, domain); err != nil {
		return err
	}
	v.pgDump, err = client.FindDump(ctx, v.version/10000)
	return err
}

// lockTables keeps migrations away from the tables until the view is closed.
func (v *View) lockTables(ctx context.Context) error {
	return tablelock.Take(ctx, v.conn, tablelock.Wait{Limit: v.db.lockWait, Database: v.db.String(),
		Connect: v.db.connect})
}

// findTables finds GoToSocial's tables in the catalog, by the search path.
func (v *View) findTables(ctx context.Context) error {
	if err := v.checkPath(ctx); err != nil {
		return err
	}
	const schemas = `SELECT string_agg(format('"%s"', replace(name, '"', '""')), ', ' ORDER BY n)
		FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (name, n) WHERE name !~ '[\n\r]'`
	var path *string
	if err := v.conn.QueryRow(ctx, schemas).Scan(&path); err != nil {
		return err
	}
	for _, name := range gotosocial.RequiredTables {
		var found bool
		if err := v.conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&found); err != nil {
			return err
		}
		if !found || path == nil {
			return &remedy.Error{
				Kind: remedy.Setting,
				What: fmt.Sprintf("%s is not GoToSocial's: user %q finds no table %s", v.db, v.db.config.User, name),
				Fix: "correct db-database, or search_path in the connection string; if the database is new, start " +
					"the server once",
			}
		}
	}
	v.path = *path
	return nil
}

// describe collects the facts.
func (v *View) describe(ctx context.Context, domain string) error {
	v.facts.Engine = gotosocial.Postgres
	const last = `SELECT coalesce((SELECT name FROM bun_migrations ORDER BY id DESC LIMIT 1), '')`
	if err := v.conn.QueryRow(ctx, last).Scan(&v.facts.Migration); err != nil {
		return err
	}
	v.facts.Migration = remedy.Printable(v.facts.Migration)
	if err := v.count(ctx, &v.facts.Accounts, "accounts", "domain", "domain IS NULL AND username <> $1",
		domain); err != nil {
		return err
	}
	return v.count(ctx, &v.facts.Statuses, "statuses", "local", "local")
}

// count counts rows if an index of the table begins with the column. Without an
// index PostgreSQL would read the whole table, so n stays as it is.
func (v *View) count(ctx context.Context, n *int64, table, column, where string, args ...any) error {
	var indexed bool
	err := v.conn.QueryRow(ctx, `SELECT EXISTS (
		SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = to_regclass($1) AND a.attname = $2 AND i.indpred IS NULL)`, table, column).Scan(&indexed)
	if err != nil || !indexed {
		return err
	}
	return v.conn.QueryRow(ctx, "SELECT count(*) FROM "+table+" WHERE "+where, args...).Scan(n)
}

// Facts describes the instance for the snapshot's record.
func (v *View) Facts(context.Context) (manifest.Facts, time.Time) { return v.facts, v.began }

// LeftOut names what the database holds and the snapshot does not.
func (v *View) LeftOut() []string { return v.leftOut }

// Refused says which scripts of the schema a restore will refuse, and why.
func (v *View) Refused() []string { return v.refused.All() }

// Database lists the schema in two parts, the sequences, restore.sql, and the rows
// of each table.
func (v *View) Database() []manifest.File {
	var files []manifest.File
	names := []string{psql.PreData, psql.Sequences, psql.PostData, psql.RestoreFile}
	if catalog.HasExtras(v.extensions) {
		names = append(names, psql.Extensions)
	}
	if v.triggers != "" {
		names = append(names, psql.EventTriggers)
	}
	for _, name := range names {
		files = append(files, manifest.File{Part: manifest.Database, Path: name, Mode: 0o600})
	}
	for _, t := range v.tables {
		files = append(files, manifest.File{Part: manifest.Database, Path: t.File(), Mode: 0o600, Size: t.Size})
	}
	slices.SortFunc(files, func(a, b manifest.File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

// OpenDatabase streams a file of [View.Database].
func (v *View) OpenDatabase(ctx context.Context, path string) (io.ReadCloser, error) {
	switch path {
	case psql.PreData, psql.PostData:
		return v.schema(ctx, path)
	case psql.Sequences:
		text, err := v.sequences(ctx)
		return io.NopCloser(strings.NewReader(text)), err
	case psql.RestoreFile:
		text := psql.Script{Tables: catalog.CopyLines(v.tables), Extensions: catalog.HasExtras(v.extensions),
			EventTriggers: v.triggers != "", Path: v.path}.Text()
		return io.NopCloser(strings.NewReader(text)), nil
	case psql.EventTriggers:
		return io.NopCloser(strings.NewReader(v.triggers)), nil
	case psql.Extensions:
		return io.NopCloser(strings.NewReader(catalog.ExtensionScript(v.extensions))), nil
	}
	i := slices.IndexFunc(v.tables, func(t catalog.Table) bool { return t.File() == path })
	if i < 0 {
		return nil, fmt.Errorf("database part has no file %q", path)
	}
	c, err := v.copier(ctx)
	if err != nil {
		return nil, err
	}
	return c.copy(ctx, v, v.tables[i])
}

// sequences returns SQL that sets all sequences to their values. No transaction
// holds a sequence back. A sequence may be ahead of the rows, which does no harm.
func (v *View) sequences(ctx context.Context) (string, error) {
	conn, err := v.db.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, `SELECT format('%I.%I', nspname, relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind = 'S' AND relpersistence <> 't' AND nspname !~ '^pg_' AND NOT `+catalog.OfExtension+`
		ORDER BY nspname COLLATE "C", relname COLLATE "C"`)
	if err != nil {
		return "", v.db.explain(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", v.db.explain(err)
	}
	var b strings.Builder
	for _, name := range names {
		// The query asks the sequence itself: pg_sequences shows NULL both for an
		// unused sequence and for a sequence that the user may not read.
		var line string
		err := conn.QueryRow(ctx,
			`SELECT format('SELECT pg_catalog.setval(%L, %s, %L);', $1::text, last_value, is_called) FROM `+name,
			name).Scan(&line)
		if err != nil {
			return "", fmt.Errorf("read sequence %s: %w", name, v.db.explain(err))
		}
		b.WriteString(line + "\n")
	}
	return b.String(), nil
}

// Media yields the storage keys of local media in byte order, each once.
func (v *View) Media(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := eachKey(ctx, v.conn, func(key string) bool { return yield(key, nil) })
		if err != nil {
			yield("", v.db.explain(err))
		}
	}
}

// eachKey calls key with the storage keys of local media in byte order, until key
// returns false. After false the connection is closed.
func eachKey(ctx context.Context, conn *pgx.Conn, key func(string) bool) error {
	rows, err := conn.Query(ctx,
		`SELECT key FROM (`+gotosocial.LocalMedia+`) AS keys (key) ORDER BY key COLLATE "C"`,
		pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if !key(text) {
			return conn.Close(ctx)
		}
	}
	return rows.Err()
}

// EachLocalMedia calls key with the storage keys of local media, in a transaction
// of its own.
func (d *Database) EachLocalMedia(ctx context.Context, key func(string)) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := execute(ctx, conn, beginReading+plainRows); err != nil {
		return d.explain(err)
	}
	return d.explain(eachKey(ctx, conn, func(k string) bool { key(k); return true }))
}

// Close ends the transactions. A second call does nothing.
func (v *View) Close() (err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.idle {
		err = errors.Join(err, c.close())
	}
	v.idle = nil
	if v.conn != nil {
		err = errors.Join(err, v.conn.Close(context.Background()))
		v.conn = nil
	}
	return err
}
