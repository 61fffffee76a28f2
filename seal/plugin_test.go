package seal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age/plugin"
)

func TestPluginGetsNoSecretOfTheEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
	dir := t.TempDir()
	seen := filepath.Join(dir, "seen")
	text := fmt.Sprintf("#!/bin/sh\nenv >> %s\n", seen)
	if err := os.WriteFile(filepath.Join(dir, "age-plugin-spy"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	owner, err := ParseOwner(plugin.EncodeRecipient("spy", []byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := parseIdentity(plugin.EncodeIdentity("spy", []byte("key")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Recipient.Wrap(make([]byte, 16)); err == nil {
		t.Error("the program sealed nothing, and no error says so")
	}
	if _, err := identity.Unwrap(nil); err == nil {
		t.Error("the program opened nothing, and no error says so")
	}
	got, err := os.ReadFile(seen)
	if err != nil || strings.Count(string(got), "PATH=") != 2 || strings.Contains(string(got), "a-secret") {
		t.Errorf("the program sees %s, %v", got, err)
	}
	if os.Getenv("AWS_SECRET_ACCESS_KEY") != "a-secret" {
		t.Error("the environment is not restored")
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Unwrap(nil); err == nil || !strings.Contains(err.Error(), "others may") {
		t.Errorf("a program in a folder of all users: %v", err)
	}
}
