package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
)

// The program exports a live database and a snapshot. Both exports equal the one
// that `gotosocial admin export` wrote.
func TestExportEqualsTheOneOfGoToSocial(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		inst := filepath.Join(t.TempDir(), "gotosocial")
		testkit.RecordedSQLite.Unpack(t, inst)
		exportsEqual(t, inst, testkit.RecordedSQLite.Export(t))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		inst := filepath.Join(t.TempDir(), "gotosocial")
		testkit.RecordedPostgres.Unpack(t, inst)
		s := postgrestest.Start(t)
		s.NewDatabase(t, "gotosocial")
		s.Load(t, postgrestest.Owner, "gotosocial", filepath.Join(inst, "gotosocial.sql"))
		config := filepath.Join(inst, "config.yaml")
		text := string(testkit.Read(t, config))
		text = regexp.MustCompile(`(?m)^db-port:.*$`).ReplaceAllString(text, fmt.Sprintf("db-port: %d", s.Port))
		text = regexp.MustCompile(`(?m)^db-password:.*$`).ReplaceAllString(text, "db-password: "+s.Password)
		testkit.Write(t, config, text)
		exportsEqual(t, inst, testkit.RecordedPostgres.Export(t))
	})
}

// exportsEqual wants the exports of an instance and of its snapshot to equal
// want, and the program to leave no temporary file.
func exportsEqual(t *testing.T, inst, want string) {
	t.Helper()
	dir := filepath.Dir(inst)
	temp := filepath.Join(dir, "temp")
	testkit.OK(t, os.Mkdir(temp, 0o700))
	h := &host{
		t: t, dir: dir, config: filepath.Join(inst, "config.yaml"), remote: folderRemote(t).url,
		env: []string{"TMPDIR=" + temp},
	}
	h.init()
	h.backup()
	for name, args := range map[string][]string{"live": {}, "snapshot": {"latest", "--identity", h.kit()}} {
		file := filepath.Join(dir, name+".json")
		h.holdfast(append([]string{"export", "-o", file}, args...)...).start().expect(0)
		got, want := sortExport(string(testkit.Read(t, file))), sortExport(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s\nwant %s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if left := testkit.Names(t, temp); len(left) > 0 {
		t.Errorf("the program left %v", left)
	}
}

// sortExport returns the lines of an export, and sorts neighbours of the same
// type. GoToSocial writes the lines of one type in the order of a map, or in the
// order of PostgreSQL's rows.
func sortExport(export string) (sorted []string) {
	kind := func(line string) string { k, _, _ := strings.Cut(line, ","); return k }
	for line := range strings.Lines(export) {
		i := len(sorted)
		for i > 0 && kind(sorted[i-1]) == kind(line) && sorted[i-1] > line {
			i--
		}
		sorted = slices.Insert(sorted, i, line)
	}
	return sorted
}
