package gotosocial

import (
	"context"

	"holdfast/remedy"
)

// Tables are those of a GoToSocial database at one moment, for one query at a
// time. The engines agree on the SQL that is used with them.
type Tables interface {
	// Columns are the names of a table's columns; none where there is no table.
	Columns(ctx context.Context, table string) ([]string, error)

	// Each calls row with every row of a query, its columns as the engine prints
	// them, nil for NULL. Arguments are $1, $2.
	Each(ctx context.Context, query string, args []string, row func([]*string) error) error

	// Order is what rows are ordered by, so that the same database gives the
	// same bytes: ByRow or ByID.
	Order() string

	Close() error
}

// The orders of rows.
const (
	ByRow = "rowid" // the order in GoToSocial's own SQLite file, and so that of its own export
	ByID  = "id"    // an order that VACUUM and updates don't change, and a snapshot's rows can be brought into
)

// Text is a value, "" for NULL.
func Text(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// Damaged is what is wrong with a database.
func Damaged(findings ...string) *remedy.DamageError {
	return &remedy.DamageError{What: "the database is damaged", Findings: findings}
}
