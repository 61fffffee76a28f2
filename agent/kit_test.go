package agent

import (
	"os"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

func TestKitTellsTheRegion(t *testing.T) {
	path := t.TempDir() + "/kit.txt"
	testkit.OK(t, (Kit{Remote: "s3://garage.example/bucket", Region: "garage"}).save(path))
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "AWS_SECRET_ACCESS_KEY=… AWS_REGION=garage\n") {
		t.Errorf("%s, %v", text, err)
	}
}
