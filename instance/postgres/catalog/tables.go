package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// Table is a table whose rows COPY prints.
type Table struct {
	schema, relation string
	columns          []string // without computed columns
	order            []string // the columns that order the rows; empty: the order on disk
	Size             int64    // bytes on disk, about the size of the printed rows
}

func (t Table) Name() string { return psql.QuoteName(t.schema, t.relation) }

// list returns the columns for SQL: "(a, b)", or "" for a table without columns.
func (t Table) list() string {
	if len(t.columns) == 0 {
		return ""
	}
	return "(" + strings.Join(psql.QuoteNames(t.columns), ", ") + ")"
}

// File returns the path in the database part: "public.accounts.copy".
func (t Table) File() string {
	return psql.EscapeName(t.schema) + "." + psql.EscapeName(t.relation) + ".copy"
}

// CopyLines are the lines of restore.sql that load the tables.
func CopyLines(tables []Table) (lines []psql.CopyLine) {
	for _, t := range tables {
		lines = append(lines, psql.CopyLine{Table: t.Name(), Columns: t.list(), File: t.File()})
	}
	return lines
}

// CopyOut returns the SQL that prints the rows, each night in the same order.
func (t Table) CopyOut() string {
	if len(t.order) == 0 {
		return "COPY " + t.Name() + " " + t.list() + " TO STDOUT"
	}
	return "COPY (SELECT " + strings.Join(psql.QuoteNames(t.columns), ", ") + " FROM ONLY " + t.Name() +
		" ORDER BY " + strings.Join(psql.QuoteNames(t.order), ", ") + ") TO STDOUT"
}

// smallTable is the largest table, in bytes, that is always ordered: the table fits
// into memory.
const smallTable = 64 << 20

// correlated is the correlation (pg_stats) above which a primary key leads through
// a table almost in the order on disk.
const correlated = 0.9

// OfExtension is an SQL condition: an extension brought pg_class c. CREATE
// EXTENSION makes such objects again.
const OfExtension = `EXISTS (SELECT FROM pg_depend d
	WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

// OwnTables is an SQL clause: the tables that have rows of their own, in the order of
// their names.
const OwnTables = `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		AND NOT ` + OfExtension + `
	ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

// Tables lists the tables that have rows of their own, in the order of their
// names. The sizes need the locks of the tables.
func Tables(ctx context.Context, conn *pgx.Conn) ([]Table, error) {
	rows, err := conn.Query(ctx, `
		SELECT n.nspname, c.relname, coalesce(pg_relation_size(c.oid), 0),
			ARRAY(SELECT attname::text FROM pg_attribute
				WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum),
			ARRAY(SELECT a.attname::text FROM pg_index i
				CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
				WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.n),
			coalesce((SELECT s.correlation FROM pg_index i
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
				JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
					AND s.attname = a.attname AND NOT s.inherited
				WHERE i.indrelid = c.oid AND i.indisprimary), 0)
		`+OwnTables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
		var key []string
		var correlation float64
		err = row.Scan(&t.schema, &t.relation, &t.Size, &t.columns, &key, &correlation)
		if t.Size <= smallTable || correlation > correlated {
			t.order = key
		}
		return t, err
	})
}

// CheckNames refuses names with a line break: a script of lines can't hold them.
func CheckNames(tables []Table) error {
	for _, t := range tables {
		for _, name := range append([]string{t.schema, t.relation}, t.columns...) {
			if strings.ContainsAny(name, "\n\r") {
				return &remedy.Error{
					Kind: remedy.Setting,
					What: fmt.Sprintf("table %q of the schema %q has a line break in the name %q", t.relation,
						t.schema, name),
					Fix: "rename or drop the table or column: GoToSocial did not make it",
				}
			}
		}
	}
	return nil
}
