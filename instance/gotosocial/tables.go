package gotosocial

import (
	"context"

	"holdfast/remedy"
)

// Tables reads the tables of a GoToSocial database at one moment. Only one query may
// run at a time. Callers use SQL that both engines understand.
type Tables interface {
	// Columns returns the columns of a table, and the column that orders the rows:
	// ByRow or ByID. The same database has the same order every time. A table that
	// does not exist has no columns.
	Columns(ctx context.Context, table string) (columns []string, order string, err error)

	// Each calls row for every row of a query, with the values as the engine prints
	// them. NULL is nil. The arguments replace $1, $2. An error of row ends the query.
	Each(ctx context.Context, query string, args []string, row func([]*string) error) error

	Close() error
}

// RequiredTables are tables that every GoToSocial database has.
var RequiredTables = []string{"bun_migrations", "accounts", "media_attachments", "emojis"}

// The orders of rows.
const (
	ByRow = "rowid" // the order of a SQLite file, and of GoToSocial's own export
	ByID  = "id"    // an order that updates and VACUUM do not change
)

// Text returns a value, or "" for NULL.
func Text(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// Damaged returns the error of a damaged database.
func Damaged(findings ...string) *remedy.DamageError {
	return &remedy.DamageError{What: "the database is damaged", Findings: findings}
}
