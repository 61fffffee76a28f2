// Package export writes the identity of an instance, as GoToSocial's own export
// does: out of a live database or a snapshot.
package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// Result describes an export.
type Result struct {
	Accounts int64 // local accounts, with the instance's own
	Entries  int64 // lines

	// LeftOut are the entries with values that GoToSocial would not write, each with
	// its fault. A faulty local account ends the export instead.
	LeftOut []string
}

// export is one export.
type export struct {
	tables gotosocial.Tables
	w      *bufio.Writer
	met    map[string]bool // IDs of 26 bytes, unique over all tables
	done   Result
}

// Write writes the identity of an instance in the format of `gotosocial admin
// export`: accounts with their key pairs, users, follows and blocks, as one JSON
// object on each line. Write needs no media. The transaction of live tables stays
// open until Write returns.
func Write(ctx context.Context, t gotosocial.Tables, w io.Writer) (Result, error) {
	e := &export{tables: t, w: bufio.NewWriter(w), met: map[string]bool{}}
	err := e.run(ctx)
	if err == nil {
		err = e.w.Flush()
	}
	return e.done, err
}

// run writes the entries in the order of GoToSocial's internal/trans. An import
// inserts them in their order.
func (e *export) run(ctx context.Context) error {
	var local []string
	err := e.rows(ctx, accounts, "domain IS NULL", nil, func(r row) error {
		local = append(local, r.text("id"))
		return e.write(r)
	})
	if err != nil {
		return err
	}
	if len(local) == 0 {
		return &remedy.Error{Kind: remedy.Setting, What: "the database has no local account, not even the " +
			"instance's own", Fix: "if the instance is new, start GoToSocial once; else this is another database"}
	}
	e.done.Accounts = int64(len(local))
	for _, of := range []*entry{blocks, follows, followRequests} {
		if err := e.relations(ctx, of, local); err != nil {
			return err
		}
	}
	for _, of := range []*entry{domainBlocks, users, instances} {
		if err := e.rows(ctx, of, "", nil, e.write); err != nil {
			return err
		}
	}
	return e.rows(ctx, accounts, "suspended_at IS NOT NULL", nil, e.write)
}

// relations writes the relations from and to each local account, and then the
// accounts at the other ends.
func (e *export) relations(ctx context.Context, of *entry, local []string) error {
	ends := map[string]bool{}
	for _, id := range local {
		for _, end := range []string{"account_id", "target_account_id"} {
			err := e.rows(ctx, of, end+" = $1", []string{id}, func(r row) error {
				ends[r.text("account_id")], ends[r.text("target_account_id")] = true, true
				return e.write(r)
			})
			if err != nil {
				return err
			}
		}
	}
	where := fmt.Sprintf("id IN (SELECT account_id FROM %[1]s UNION SELECT target_account_id FROM %[1]s)", of.table)
	return e.rows(ctx, accounts, where, nil, func(r row) error {
		if !ends[r.text("id")] {
			return nil
		}
		return e.write(r)
	})
}

// rows reads the rows of an entry's table. Columns that this version of GoToSocial
// lacks are NULL.
func (e *export) rows(ctx context.Context, of *entry, where string, args []string, use func(row) error) error {
	have, order, err := e.tables.Columns(ctx, of.table)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		return &remedy.Error{Kind: remedy.Setting, What: "the database has no table " + of.table,
			Fix: "Holdfast does not know this version of GoToSocial: use gotosocial admin export"}
	}
	var names []string
	for _, f := range of.fields {
		if slices.Contains(have, f.column) {
			names = append(names, f.column)
		} else {
			names = append(names, "NULL")
		}
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + of.table
	if where != "" {
		query += " WHERE " + where
	}
	query += " ORDER BY " + order
	return e.tables.Each(ctx, query, args, func(values []*string) error { return use(row{of, values}) })
}

// write writes a row as a line, unless the export has the row already. An export is
// for a damaged instance, so write leaves out a faulty row. A faulty local account
// is an error: an export without its keys is worthless.
func (e *export) write(r row) error {
	id := r.text("id")
	if e.met[id] {
		return nil
	}
	e.met[id] = true
	line, err := r.line()
	switch {
	case err == nil:
	case r.entry == accounts && r.text("domain") == "":
		return &remedy.Error{Kind: remedy.Source, What: "export " + r.name(), Err: err,
			Fix: "export an earlier snapshot: holdfast list, then holdfast export SNAP --identity FILE"}
	default:
		e.done.LeftOut = append(e.done.LeftOut, fmt.Sprintf("%s: %v", r.name(), err))
		return nil
	}
	if _, err := e.w.Write(line); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	e.done.Entries++
	return nil
}

// errUnfit reports a value that does not fit its column. The error does not quote the
// value: it may be a secret.
var errUnfit = errors.New("GoToSocial would not write this value")
