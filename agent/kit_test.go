package agent

import (
	"os"
	"os/exec"
	"path/filepath"
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

// A person types the command of the kit at three in the morning.
func TestCommandOfTheKitIsQuotedForAShell(t *testing.T) {
	const name, url = "it's my kit.txt", "/mnt/a disk's/repo#hf1x"
	path := filepath.Join(t.TempDir(), name)
	testkit.OK(t, (Kit{Remote: url}).save(path))
	_, command, _ := strings.Cut(string(testkit.Read(t, path)), "#        holdfast restore ")
	command, _, _ = strings.Cut(strings.Replace(command, "#          --from", "--from", 1), "\n#\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '%s\n' "+command).CombinedOutput()
	if want := "--identity\n" + name + "\n--from\n" + url + "\n"; err != nil || string(out) != want {
		t.Errorf("%s, %v: a shell reads %q, want %q", command, err, out, want)
	}
}
