package client

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"holdfast/remedy"
)

func readScript(text string) (string, error) {
	s := &script{lines: bufio.NewReaderSize(iotest.HalfReader(strings.NewReader(text)), 64), fix: "install it",
		path: setPath(`"it's", "public"`)}
	all, err := io.ReadAll(s)
	return string(all), err
}

func TestScriptLacksTheLinesThatOldPsqlRefuses(t *testing.T) {
	long := strings.Repeat("x", 64-len("CREATE ")) // the next bytes begin a buffer
	body := "-- dump\nCREATE " + long + "\\restrict abc\n\n" + lastLine + "\n--\n"
	got, err := readScript("--\n\\restrict abc\n" + body + "\\unrestrict abc\n\n")
	if want := "--\n" + body + "\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestScriptLacksTheTimeoutsThatAnOldServerRefuses(t *testing.T) {
	const rest = "SET client_encoding = 'UTF8';\nDO $$\nSET transaction_timeout = 0;\n$$;\n" + lastLine + "\n"
	got, err := readScript("SET lock_timeout = 0;\nSET transaction_timeout = 0;\n" + rest)
	if want := "SET lock_timeout = 0;\n" + rest; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// A pg_dump that exits with 0 may have written a part only.
func TestHalfADumpIsAnError(t *testing.T) {
	for _, text := range []string{"", "-- dump\nCREATE TABLE a ();\n", "'" + lastLine + "'"} {
		_, err := readScript(text)
		var p *remedy.Error
		if !errors.As(err, &p) || p.Kind != remedy.Source || p.Fix == "" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSilentProgramIsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		listens, speaks bool
		ended           bool
	}{
		"silent":                {true, false, true},
		"speaks":                {true, true, false},
		"nobody waits for it":   {false, false, false},
		"speaks for nobody yet": {false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended atomic.Bool
				s := watchSilence(time.Minute, func() { ended.Store(true) })
				defer s.stop()
				if c.listens {
					s.listen()
				}
				for range 10 {
					time.Sleep(30 * time.Second)
					if c.speaks {
						s.heard()
					}
				}
				synctest.Wait()
				if ended.Load() != c.ended || s.over.Load() != c.ended {
					t.Errorf("ended: %v", ended.Load())
				}
			})
		})
	}
}

func TestScriptLeavesOutEventTriggersAndSetsThePath(t *testing.T) {
	const end = lastLine + "\n"
	got, err := readScript(emptyPath + "CREATE TABLE a ();\n" +
		"CREATE EVENT TRIGGER et ON sql_drop\n         WHEN TAG IN ('DROP TABLE')\n   EXECUTE FUNCTION f();\n" +
		"COMMENT ON EVENT TRIGGER \"it's\" IS 'it''s;\nmine;\n';\nALTER EVENT TRIGGER et DISABLE;\n" +
		"CREATE TABLE b ();\n" + end)
	want := `SELECT pg_catalog.set_config('search_path', '"it''s", "public"', false);` +
		"\nCREATE TABLE a ();\nCREATE TABLE b ();\n" + end
	if err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
