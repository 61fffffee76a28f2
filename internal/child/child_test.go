package child_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"holdfast/internal/child"
)

func TestChildGetsNoSecretOfTheEnvironment(t *testing.T) {
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HOLDFAST_PASSPHRASE", "PGPASSWORD",
		"GTS_DB_PASSWORD", "LD_PRELOAD_NOT", "SECRET_OF_A_STRANGER"} {
		t.Setenv(name, "a-secret")
	}
	t.Setenv("HOME", "/home/of-a-person")
	shell := func(ctx context.Context) *exec.Cmd { return child.Shell(ctx, "/usr/bin/env") }
	program := func(ctx context.Context) *exec.Cmd { return child.Command(ctx, "/usr/bin/env") }
	for name, start := range map[string]func(context.Context) *exec.Cmd{"shell": shell, "program": program} {
		out, err := start(t.Context()).Output()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "a-secret") || !strings.Contains(string(out), "PATH=") ||
			strings.Contains(string(out), "HOME=") != (name == "shell") {
			t.Errorf("%s: %s", name, out)
		}
	}
}
