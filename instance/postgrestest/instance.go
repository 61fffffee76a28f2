package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/vault"
)

// NewInstance makes a database with the tables of [Schema], and a folder as
// [WriteInstance] does.
func (s *Server) NewInstance(t testing.TB, database string) (dir string) {
	t.Helper()
	s.NewDatabase(t, database)
	s.ExecAs(t, Owner, database, Schema)
	return WriteInstance(t, s.Settings(database))
}

// WriteInstance makes a folder with GoToSocial's configuration and the local media.
// settings are more lines of the configuration.
func WriteInstance(t testing.TB, settings string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.Write(t, filepath.Join(dir, "config.yaml"), "host: social.example.org\n"+
		"account-domain: example.org\ndb-type: postgres\nstorage-local-base-path: storage\n"+settings)
	for _, key := range testkit.LocalMedia {
		testkit.Write(t, filepath.Join(dir, "storage/"+key), "bytes of "+key)
	}
	return dir
}

// Settings are the lines of GoToSocial's configuration for a database of the role
// [Owner].
func (s *Server) Settings(database string) string {
	return fmt.Sprintf("db-address: 127.0.0.1\ndb-port: %d\ndb-user: %s\ndb-password: %s\ndb-database: %s\n", s.Port,
		Owner, s.Password, database)
}

// Dump returns the text of pg_dump, for comparisons.
func (s *Server) Dump(t testing.TB, database string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Bin, "pg_dump"), "--restrict-key=x", "--no-owner", "--no-privileges",
		s.URL("postgres", database))
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, &problem)
	}
	return string(out)
}

// ReadAll reads every file of a view's database.
func ReadAll(t testing.TB, v vault.View) map[string]string {
	t.Helper()
	all := map[string]string{}
	last := ""
	for _, f := range v.Database() {
		if f.Path <= last || f.Part != manifest.Database || f.PageSize != 0 || !manifest.ValidPath(f.Path) ||
			strings.Contains(f.Path, "/") {
			t.Errorf("%+v after %q", f, last)
		}
		last = f.Path
		text, err := ReadFile(t.Context(), v, f.Path)
		if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		all[f.Path] = text
	}
	return all
}

// ReadFile reads one file of a view's database.
func ReadFile(ctx context.Context, v vault.View, path string) (string, error) {
	r, err := v.OpenDatabase(ctx, path)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), errors.Join(err, r.Close())
}

// Media yields the keys of a view's local media.
func Media(t testing.TB, v vault.View) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key, err := range v.Media(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !yield(key) {
				return
			}
		}
	}
}

// RestoredFolder makes a folder of a view, as a restore does, and closes the view.
func RestoredFolder(t testing.TB, v vault.View) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range ReadAll(t, v) {
		testkit.Write(t, filepath.Join(dir, "database/"+name), text)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// SortedLines sorts the lines of a text.
func SortedLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
