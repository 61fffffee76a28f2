package agent

import (
	"os"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

func TestKitAsksForTheStoragesOwnCertificate(t *testing.T) {
	for _, own := range []bool{false, true} {
		path := t.TempDir() + "/kit.txt"
		testkit.OK(t, (Kit{Remote: "s3://minio.example/bucket", OwnCA: own}).save(path))
		text, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(text), "\n#        export SSL_CERT_FILE=…") != own {
			t.Errorf("own %t: %s, %v", own, text, err)
		}
	}
}

func TestKitTellsTheRegion(t *testing.T) {
	path := t.TempDir() + "/kit.txt"
	testkit.OK(t, (Kit{Remote: "s3://garage.example/bucket", Region: "garage"}).save(path))
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "AWS_SECRET_ACCESS_KEY=… AWS_REGION=garage\n") {
		t.Errorf("%s, %v", text, err)
	}
}
