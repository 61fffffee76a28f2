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
)

// What `gotosocial admin export` wrote for the recorded instances, the program
// writes too, from the live database and from a snapshot.
func TestExportIsWhatGoToSocialExports(t *testing.T) {
	if _, err := os.Stat(recorded); err != nil {
		t.Skip(err)
	}
	for kind, prepare := range map[string]func(t *testing.T, inst string){
		"sqlite": func(*testing.T, string) {},
		"pg": func(t *testing.T, inst string) {
			s := postgrestest.Start(t)
			s.NewDatabase(t, "gotosocial")
			s.Load(t, postgrestest.Owner, "gotosocial", filepath.Join(inst, "gotosocial.sql"))
			config := filepath.Join(inst, "config.yaml")
			text := regexp.MustCompile(`(?m)^db-port:.*$`).ReplaceAllString(string(read(t, config)), fmt.Sprintf("db-port: %d", s.Port))
			text = regexp.MustCompile(`(?m)^db-password:.*$`).ReplaceAllString(text, "db-password: "+s.Password)
			write(t, config, []byte(text))
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			inst := filepath.Join(dir, "gotosocial")
			ok(t, os.CopyFS(inst, os.DirFS(filepath.Join(recorded, kind))))
			prepare(t, inst)
			temp := filepath.Join(dir, "temp")
			ok(t, os.Mkdir(temp, 0o700))
			h := &host{t: t, dir: dir, config: filepath.Join(inst, "config.yaml"), remote: folder(t).url, env: []string{"TMPDIR=" + temp}}
			h.init()
			h.backup()
			want := entries(string(read(t, filepath.Join(recorded, "expected", kind, "export.json"))))
			for name, args := range map[string][]string{"live": {}, "snapshot": {"latest", "--identity", h.kit()}} {
				file := filepath.Join(dir, name+".json")
				h.holdfast(append([]string{"export", "-o", file}, args...)...).start().expect(0)
				if got := entries(string(read(t, file))); !slices.Equal(got, want) {
					t.Errorf("%s: %s\nwant %s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			if left := names(t, temp); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
		})
	}
}

// entries are the lines of an export: types in their order, the lines of one
// sorted where they follow each other. GoToSocial's own order within a type is
// that of a map, or of where PostgreSQL keeps rows.
func entries(export string) (sorted []string) {
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
