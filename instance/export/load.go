package export

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/instance/postgres/psql"
	"holdfast/instance/sqlite"
)

// loadCopied makes a SQLite file from the rows that COPY printed. The file holds the
// tables and columns of the entries, as text.
func loadCopied(ctx context.Context, dir, file string) (err error) {
	columns, err := psql.CopiedColumns(os.DirFS(dir))
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.copy"))
	if err != nil {
		return err
	}
	db, err := sqlite.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, file := range files {
		i := slices.IndexFunc(entries, func(e *entry) bool { return strings.HasSuffix(file, e.file()) })
		if i < 0 {
			continue
		}
		if err := loadTable(ctx, tx, entries[i], columns[filepath.Base(file)], file); err != nil {
			return errors.Join(fmt.Errorf("read %s: %w", filepath.Base(file), err), tx.Rollback())
		}
	}
	return tx.Commit()
}

func loadTable(ctx context.Context, tx *sql.Tx, e *entry, columns []string, file string) error {
	if columns == nil {
		return fmt.Errorf("%s does not name the file", psql.RestoreFile)
	}
	var names []string
	var at []int
	for _, f := range e.fields {
		if i := slices.Index(columns, f.column); i >= 0 {
			names, at = append(names, f.column), append(at, i)
		}
	}
	if len(names) == 0 {
		return errors.New("the table has no column of GoToSocial's")
	}
	create := fmt.Sprintf("CREATE TABLE %s (%s TEXT)", e.table, strings.Join(names, " TEXT, "))
	if _, err := tx.ExecContext(ctx, create); err != nil {
		return err
	}
	row := fmt.Sprintf("INSERT INTO %s VALUES (?%s)", e.table, strings.Repeat(", ?", len(names)-1))
	insert, err := tx.PrepareContext(ctx, row)
	if err != nil {
		return err
	}
	defer insert.Close()
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	args := make([]any, len(at))
	err = eachCopied(f, len(columns), func(fields [][]byte) error {
		for i, at := range at {
			value, err := copiedValue(fields[at])
			if err != nil {
				return fmt.Errorf("column %s: %w", names[i], err)
			}
			args[i] = value
		}
		_, err := insert.ExecContext(ctx, args...)
		return err
	})
	if err != nil {
		return err
	}
	for _, column := range []string{"id", "account_id", "target_account_id"} {
		if !slices.Contains(names, column) {
			continue
		}
		index := fmt.Sprintf("CREATE INDEX %[1]s_%[2]s ON %[1]s (%[2]s)", e.table, column)
		if _, err := tx.ExecContext(ctx, index); err != nil {
			return err
		}
	}
	return nil
}
