package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"holdfast/remedy"
)

// table is one whose rows are read by COPY.
type table struct {
	schema, relation string
	columns          []string // but for those that are computed
	order            []string // columns to order the rows by, or none: as they lie
	size             int64    // bytes on disk: about what its rows print
}

func (t table) name() string { return quoteName(t.schema, t.relation) }

// list is the columns for SQL: "(a, b)", or "" where there are none.
func (t table) list() string {
	if len(t.columns) == 0 {
		return ""
	}
	return "(" + strings.Join(quoteAll(t.columns), ", ") + ")"
}

// file is the path in the database part: "public.accounts.copy". Every byte of a
// name but letters, digits and underscores is escaped, so no two tables share a
// file.
func (t table) file() string { return fileName(t.schema) + "." + fileName(t.relation) + ".copy" }

func fileName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// copyOut prints the rows in an order that the next night finds again.
func (t table) copyOut() string {
	if len(t.order) == 0 {
		return "COPY " + t.name() + " " + t.list() + " TO STDOUT"
	}
	columns := quoteAll(t.columns)
	return "COPY (SELECT " + strings.Join(columns, ", ") + " FROM ONLY " + t.name() + " ORDER BY " + strings.Join(quoteAll(t.order), ", ") + ") TO STDOUT"
}

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quoteName(name)
	}
	return quoted
}

// small is the size, in bytes, up to which a table is ordered whatever that
// costs: it fits into memory.
const small = 64 << 20

// correlated is from which correlation of its first column on a primary key
// leads through a table about as the rows lie (pg_stats).
const correlated = 0.9

// ofExtension is what an extension brought, of pg_class c. It belongs to the
// extension, which makes it again.
const ofExtension = `EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

// listTables lists the tables with rows of their own, in order of their names.
func listTables(ctx context.Context, conn *pgx.Conn) ([]table, error) {
	rows, err := conn.Query(ctx, `
		SELECT n.nspname, c.relname, coalesce(pg_relation_size(c.oid), 0),
			ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum),
			ARRAY(SELECT a.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.n),
			coalesce((SELECT s.correlation FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
				JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
				WHERE i.indrelid = c.oid AND i.indisprimary), 0)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
			AND NOT `+ofExtension+`
		ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t table, err error) {
		var key []string
		var correlation float64
		err = row.Scan(&t.schema, &t.relation, &t.size, &t.columns, &key, &correlation)
		if t.size <= small || correlation > correlated {
			t.order = key
		}
		return t, err
	})
}

// legible refuses names that a script of lines can't hold.
func legible(tables []table) error {
	for _, t := range tables {
		for _, name := range append([]string{t.schema, t.relation}, t.columns...) {
			if strings.ContainsAny(name, "\n\r") {
				return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("table %q of the schema %q has a line break in the name %q", t.relation, t.schema, name),
					Fix: "it is none of GoToSocial's: rename it, or drop it"}
			}
		}
	}
	return nil
}
