package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/psql"
	"holdfast/instance/sqlite"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// Paths chooses the files that [WriteSnapshot] reads, as "PART/PATH". The files of
// the snapshot come in path order.
func Paths(files iter.Seq2[manifest.File, error]) ([]string, error) {
	var names []string
	for f, err := range files {
		if err != nil {
			return nil, err
		}
		if f.Part != manifest.Database {
			break
		}
		names = append(names, f.Path)
	}
	if slices.Contains(names, sqlite.FileName) {
		return []string{string(manifest.Database) + "/" + sqlite.FileName}, nil
	}
	schema, err := findSchema(names)
	if err != nil {
		return nil, err
	}
	chosen := []string{string(manifest.Database) + "/" + psql.RestoreFile}
	for _, e := range entries {
		if file := schema + e.file(); slices.Contains(names, file) {
			chosen = append(chosen, string(manifest.Database)+"/"+file)
		}
	}
	return chosen, nil
}

// file returns the end of a file's name, after the schema.
func (e *entry) file() string { return "." + e.table + ".copy" }

// findSchema returns the schema of GoToSocial's tables, as the names of files have
// it.
func findSchema(names []string) (string, error) {
	var schemas []string
	for _, name := range names {
		schema, ok := strings.CutSuffix(name, accounts.file())
		if ok && slices.Contains(names, schema+".bun_migrations.copy") {
			schemas = append(schemas, schema)
		}
	}
	switch len(schemas) {
	case 0:
		return "", &remedy.Error{Kind: remedy.Setting, What: "the snapshot holds no table of accounts",
			Fix: "holdfast ls SNAP database shows what it holds; choose another snapshot"}
	case 1:
		return schemas[0], nil
	}
	return "", &remedy.Error{Kind: remedy.Setting, What: "the snapshot holds GoToSocial's tables in several " +
		"schemas: " + strings.Join(schemas, ", "),
		Fix: "restore the snapshot with --to DIR, load it by psql, and run gotosocial admin export over the right " +
			"schema"}
}

// Bare is a [vault.Target] for the files of the database part, under their own names
// and byte for byte.
type Bare struct{}

// PathOf returns the file's own path.
func (Bare) PathOf(f manifest.File) (string, error) {
	if f.Part != manifest.Database {
		return "", fmt.Errorf("%s/%s is not a file of the database", f.Part, f.Path)
	}
	return f.Path, nil
}

// CheckDatabase leaves the database as it is.
func (Bare) CheckDatabase(context.Context, *os.Root) (vault.Checked, error) {
	return vault.Checked{}, nil
}

// Finish adds nothing.
func (Bare) Finish(context.Context, *os.Root, vault.Restored) ([]string, error) { return nil, nil }

// WriteSnapshot writes the same as [Write], from the files of [Paths] in a folder.
// WriteSnapshot may add a file to the folder.
func WriteSnapshot(ctx context.Context, dir string, w io.Writer) (Result, error) {
	file, by := filepath.Join(dir, sqlite.FileName), gotosocial.ByRow
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		// In a SQLite file, copied rows answer the same queries as live tables.
		file, by = filepath.Join(dir, "copies.db"), gotosocial.ByID
		if err := loadCopied(ctx, dir, file); err != nil {
			return Result{}, err
		}
	}
	t, err := sqlite.OpenTables(file, by)
	if err != nil {
		return Result{}, err
	}
	defer t.Close()
	return Write(ctx, t, w)
}
