package machine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
)

// Two servers on two databases of one domain lose posts. Replace makes no difference, and
// the server may also start between the plan and the step.
func TestServerThatUsesTheDatabaseStopsTheRestore(t *testing.T) {
	dir := t.TempDir()
	m := machineIn(t, dir, dir+"/sqlite.db")
	m.Replace = true
	testkit.Write(t, dir+"/sqlite.db", "old")
	testkit.Write(t, filepath.Join(m.Folder, "sqlite.db"), "restored")
	file, err := os.Open(dir + "/sqlite.db")
	testkit.OK(t, err)
	cmd := exec.Command("sleep", "600")
	cmd.ExtraFiles = []*os.File{file}
	testkit.OK(t, cmd.Start())
	testkit.OK(t, file.Close())

	f := firstRefused(m.inspectRunning(t.Context()))
	pid := strconv.Itoa(cmd.Process.Pid)
	if !strings.Contains(f.Detail, "process "+pid+" (sleep) has "+dir+"/sqlite.db open") ||
		!strings.HasSuffix(f.Fix, "kill "+pid) {
		t.Errorf("%+v", f)
	}
	if _, err := m.PutDatabase(t.Context()); err == nil || string(testkit.Read(t, dir+"/sqlite.db")) != "old" {
		t.Errorf("the database was moved: %v", err)
	}
	testkit.OK(t, cmd.Process.Kill())
	_ = cmd.Wait() // the kill is its error
	m.User = ""
	_, err = m.PutDatabase(t.Context())
	testkit.OK(t, err)
	if got := string(testkit.Read(t, dir+"/sqlite.db")); got != "restored" {
		t.Errorf("the database is %q", got)
	}
}

// A container's server shows no file, but answers.
func TestServerThatAnswersOnTheMachineStopsTheRestore(t *testing.T) {
	dir := t.TempDir()
	for uri, refused := range map[string]bool{"https://example.org": true, "https://other.example": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"uri":%q}`, uri)
		}))
		defer server.Close()
		at, err := url.Parse(server.URL)
		testkit.OK(t, err)
		m := machineIn(t, dir, dir+"/sqlite.db")
		c, err := gotosocial.Load("", []string{"GTS_HOST=example.org", "GTS_DB_TYPE=sqlite",
			"GTS_DB_ADDRESS=" + dir + "/sqlite.db", "GTS_PORT=" + at.Port()})
		testkit.OK(t, err)
		m.Config = c
		findings := m.inspectRunning(t.Context())
		if len(findings) != 1 || findings[0].Refused != refused || findings[0].Fix == "" ||
			!strings.Contains(findings[0].Detail, "listens on port "+at.Port()) {
			t.Errorf("%s: %+v", uri, findings)
		}
	}
}
