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

// Result is what an export holds.
type Result struct {
	Accounts int64 // local accounts, the instance's own among them
	Entries  int64 // lines

	// LeftOut are entries that hold what GoToSocial would not write there, each
	// with what is wrong. A local account is never among them: it is an error.
	LeftOut []string
}

// export is one export.
type export struct {
	tables gotosocial.Tables
	w      *bufio.Writer
	met    map[string]bool // IDs, unique over all tables: 26 bytes each
	done   Result
}

// Write writes the identity of an instance in the format of `gotosocial
// admin export`: a JSON object a line, with the accounts and their key pairs,
// users, follows and blocks. The media directory is not needed. Slow writing keeps
// the transaction of live tables open.
func Write(ctx context.Context, t gotosocial.Tables, w io.Writer) (Result, error) {
	e := &export{tables: t, w: bufio.NewWriter(w), met: map[string]bool{}}
	err := e.run(ctx)
	if err == nil {
		err = e.w.Flush()
	}
	return e.done, err
}

// run writes the entries in the order of GoToSocial's internal/trans: an import
// puts them in as they come.
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
		return &remedy.Error{Kind: remedy.Setting, What: "the database has no local account, not even the instance's own", Fix: "start GoToSocial once if it is new; else this is not its database"}
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

// relations writes what goes out from each local account and what leads to it,
// and then the accounts at the other ends.
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

// rows reads rows of a table that an entry needs. Columns that this version of
// GoToSocial doesn't have are NULL.
func (e *export) rows(ctx context.Context, of *entry, where string, args []string, use func(row) error) error {
	have, err := e.tables.Columns(ctx, of.table)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		return &remedy.Error{Kind: remedy.Setting, What: "the database has no table " + of.table,
			Fix: "this GoToSocial is older or newer than Holdfast knows: use its own, gotosocial admin export"}
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
	return e.tables.Each(ctx, query+" ORDER BY "+e.tables.Order(), args, func(values []*string) error { return use(row{of, values}) })
}

// write writes a row as its line, unless it was met before. One that can't be
// written is left out: an export is for when little else can be read. But a local
// account's keys are what it is made for.
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
		return &remedy.Error{Kind: remedy.Source, What: "export " + r.name(), Err: err, Fix: "export an earlier snapshot: holdfast list, then holdfast export SNAP --identity FILE"}
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

// errUnfit is a value that its column should not have. What it is stays unsaid:
// it may be a secret.
var errUnfit = errors.New("it holds what GoToSocial would not write there")
