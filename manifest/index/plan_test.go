package index

import (
	"testing"
)

func TestPlanOfAnotherVersionIsMadeAnew(t *testing.T) {
	for _, spoil := range []string{"PRAGMA user_version=2", "PRAGMA user_version=0", "DROP TABLE facts; PRAGMA user_version=2"} {
		dir := t.TempDir()
		p, err := OpenPlan(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.SetFact("finished", "yes"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.db.Exec(spoil); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if p, err = OpenPlan(dir); err != nil {
			t.Errorf("%s: %v", spoil, err)
			continue
		}
		if fact, err := p.Fact("finished"); fact != "" || err != nil {
			t.Errorf("%s: %q, %v", spoil, fact, err)
		}
		p.Close()
	}
}
