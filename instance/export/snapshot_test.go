package export

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"holdfast/manifest"
	"holdfast/remedy"
)

// listed yields the files, and a file of another part with a like name.
func listed(files []manifest.File) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
		yield(manifest.File{Part: manifest.Files, Path: "etc/public.users.copy"}, nil)
	}
}

func TestExportFindsTheSchema(t *testing.T) {
	file := func(name string) manifest.File { return manifest.File{Part: manifest.Database, Path: name} }
	files := []manifest.File{file("a%2Eb.accounts.copy"), file("a%2Eb.bun_migrations.copy"),
		file("a%2Eb.users.copy"), file("other.accounts.copy"), file("restore.sql")}
	got, err := Paths(listed(files))
	if want := []string{"database/restore.sql", "database/a%2Eb.accounts.copy",
		"database/a%2Eb.users.copy"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for _, wrong := range [][]manifest.File{{}, append(files, file("other.bun_migrations.copy"))} {
		var p *remedy.Error
		if got, err := Paths(listed(wrong)); !errors.As(err, &p) || p.Fix == "" {
			t.Errorf("%q, %v", got, err)
		}
	}
}
