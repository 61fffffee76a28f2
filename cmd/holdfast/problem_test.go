package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"holdfast/instance"
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
