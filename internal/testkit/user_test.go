package testkit_test

import (
	"os"
	"testing"

	"holdfast/internal/testkit"
)

func TestRunAsNobodyRunsTheTestAsNobody(t *testing.T) {
	if testkit.RunAsNobody(t) {
		return
	}
	if os.Geteuid() == 0 {
		t.Error("root runs the test")
	}
}
