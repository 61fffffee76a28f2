package integration_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/gotosocialtest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
)

// exportIsRead wants the export to equal the server's own, and the server's import to
// read the export on each engine.
func (s *served) exportIsRead(release gotosocialtest.Release) {
	want := exported(s.t, s.server)
	file := filepath.Join(testkit.PublicDir(s.t), "export.json")
	s.holdfast("export", "-o", file).start().expect(0)
	sameExport(s.t, string(testkit.Read(s.t, file)), want)
	into := map[string]func(t *testing.T) []string{
		"SQLite": func(*testing.T) []string { return nil },
	}
	if full {
		into["PostgreSQL"] = func(t *testing.T) []string {
			p := postgrestest.Start(t)
			p.NewDatabase(t, "imported")
			return postgresSettings(p, "imported")
		}
	}
	questions := s.keyQuestions()
	for name, settings := range into {
		s.t.Run("into "+name, func(t *testing.T) {
			dir := testkit.PublicDir(t)
			fresh := gotosocialtest.New(t, release, filepath.Join(dir, "gotosocial"), settings(t)...)
			imported := filepath.Join(dir, "export.json")
			testkit.Write(t, imported, testkit.Read(t, file))
			fresh.Admin(t, "import", "--path", imported)
			sameExport(t, exported(t, fresh), want)
			if full {
				s, answers := s.in(t), s.ask(questions)
				fresh.Start(t)
				s.answersAsBefore(s.visiting(fresh, questions), answers)
			}
		})
	}
}

// visiting returns the questions for another server. An import brings no token.
func (s *served) visiting(i *gotosocialtest.Instance, questions []question) (others []question) {
	for _, q := range questions {
		q.as = &gotosocialtest.Client{Instance: i}
		others = append(others, q)
	}
	return others
}

// exported returns the server's own export.
func exported(t *testing.T, i *gotosocialtest.Instance) string {
	t.Helper()
	file := filepath.Join(testkit.PublicDir(t), "export.json")
	i.Admin(t, "export", "--path", file)
	return string(testkit.Read(t, file))
}

// sameExport wants two exports to have the same lines. The order of equal types is the
// order of a map.
func sameExport(t *testing.T, got, want string) {
	t.Helper()
	if got, want := sortExport(got), sortExport(want); !slices.Equal(got, want) || len(want) < 7 {
		t.Errorf("the export is\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}
