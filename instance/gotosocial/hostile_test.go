package gotosocial

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"holdfast/instance/systemd"
)

// A thief of the server can write a snapshot, and the server's user can write the
// configuration that root reads.
func TestHostileConfigurationCostsLittleMemory(t *testing.T) {
	full := func(text string) string { return strings.Repeat(text, systemd.MaxSettings/len(text)) }
	laughs := new(strings.Builder)
	laughs.WriteString("a0: &a0 [" + strings.Repeat("ha,", 10) + "]\n")
	for n := range 9 {
		fmt.Fprintf(laughs, "a%d: &a%d [%s]\n", n+1, n+1, strings.Repeat(fmt.Sprintf("*a%d,", n), 10))
	}
	laughs.WriteString("services: {x: {env_file: *a9}}\n")
	for name, c := range map[string]struct{ ext, text string }{
		"aliases of aliases": {".yaml", laughs.String()},
		"lists in lists":     {".yaml", full("[")},
		"lists below lists":  {".yaml", full("- ")},
		"maps in maps":       {".json", full(`{"a":`)},
		"a long list":        {".yaml", "a: [" + full("x,")[4:]},
		"tables in tables":   {".toml", "a=" + full("[")},
		"keys in keys":       {".toml", full("a.") + "b=1"},
		"a table's long way": {".toml", "[" + full("a.") + "b]"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := new(Config).parse(c.ext, c.text); err == nil {
				t.Log("the text is valid")
			}
			composeFiles(c.text)
			runtime.ReadMemStats(&after)
			if cost := (after.TotalAlloc - before.TotalAlloc) >> 20; cost > 100 {
				t.Errorf("the text costs %d MiB", cost)
			}
			if stack := after.StackSys >> 20; stack > 100 {
				t.Errorf("the stack has %d MiB", stack)
			}
		})
	}
}
