package report

import (
	"os"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

func TestDatabaseThatARestoreWillRefuseIsAnIncompleteSnapshot(t *testing.T) {
	var out strings.Builder
	saved := &vault.BackupReport{Record: new(manifest.Record), Refused: []string{"pre-data.sql: create server"}}
	err := Backup(terminal.New(os.Stdin, &out, &out), &agent.BackupReport{Saved: saved})
	if !remedy.Is(err, remedy.Incomplete) || !strings.Contains(out.String(), "create server") {
		t.Errorf("%v: %s", err, out.String())
	}
}
