package machine_test

import (
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/rebuild/machine"
)

// A restored database sorts by C.UTF-8, because GoToSocial demands it. The old one may have
// had another order.
func TestPlanNamesAnotherCollation(t *testing.T) {
	s := postgrestest.Start(t)
	for name, c := range map[string]struct{ settings, want string }{
		"usual": {"LOCALE 'C.UTF-8'", ""},
		"icu":   {"LOCALE_PROVIDER icu ICU_LOCALE 'und' LOCALE 'C.UTF-8'", "und (icu)"},
		"plain": {"LOCALE 'C'", "sorts text by C,"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Exec(t, "postgres", "CREATE DATABASE "+name+" OWNER gotosocial TEMPLATE template0 ENCODING 'UTF8' "+
				c.settings)
			s.ExecAs(t, postgrestest.Owner, name, postgrestest.Schema)
			i := instancetest.Open(t, postgrestest.WriteInstance(t, s.Settings(name)), instance.Options{})
			facts, _ := instancetest.Begin(t, i).Facts(t.Context())
			r := &machine.Machine{Config: i.Config(), Facts: facts, Replace: true, RunID: "aaaa"}
			var said string
			for _, f := range r.Inspect(t.Context(), nil, false) {
				if f.Subject == machine.DatabaseSubject {
					said += f.Detail + "\n"
				}
			}
			if !strings.Contains(said, c.want) || c.want == "" && strings.Contains(said, "sorts text") {
				t.Errorf("facts %+v, the plan says %q", facts, said)
			}
			if facts.Engine != gotosocial.Postgres || facts.Collation == "" {
				t.Errorf("facts %+v", facts)
			}
		})
	}
}
