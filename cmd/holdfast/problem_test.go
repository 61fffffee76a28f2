package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance"
	"holdfast/remote"
)

func TestRestoredDatabaseThatIsDamagedHasAWayOut(t *testing.T) {
	p := explain(t.Context(), fmt.Errorf("check the database: %w", &instance.DamageError{Findings: []string{"row 1 missing from index"}}))
	if p.exit != exitDamage || !strings.Contains(p.fix, "holdfast cat") {
		t.Errorf("exit %d, %s", p.exit, p.fix)
	}
}

func TestKitTellsTheRegion(t *testing.T) {
	path := t.TempDir() + "/kit.txt"
	if err := (kit{Remote: "s3://garage.example/bucket", Region: "garage"}).save(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "AWS_SECRET_ACCESS_KEY=… AWS_REGION=garage\n") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestEachFailureOfTheStorageHasItsOwnFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
		fix  string
	}{
		{remote.ErrCredentials, exitCredentials, "secret_key"},
		{remote.ErrRights, exitCredentials, "chown"},
		{remote.ErrUnreachable, exitUnreachable, "network"},
		{remote.ErrNotMounted, exitUnreachable, "mount the disk"},
		{remote.ErrReadOnly, exitUnreachable, "read-write"},
		{remote.ErrNoBucket, exitNoRepository, "bucket"},
		{remote.ErrFull, exitFull, "quota"},
		{syscall.ENOSPC, exitFull, "this machine's disk"},
	} {
		p := explain(t.Context(), fmt.Errorf("list: %w", c.err))
		if p.exit != c.exit || !strings.Contains(p.fix, c.fix) {
			t.Errorf("%v: exit %d, %s", c.err, p.exit, p.fix)
		}
	}
}
