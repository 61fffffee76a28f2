package gotosocial

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"holdfast/disk"
)

// AskVersion asks a binary for its version. If root runs Holdfast, the binary runs as
// the other user.
func AskVersion(ctx context.Context, binary string, as *syscall.Credential) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--version")
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", []string{"PATH=" + os.Getenv("PATH")}, time.Second
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	out := Head{Left: 4 << 10}
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	found := version.FindString(string(out.Text))
	if found == "" {
		return "", fmt.Errorf("%s --version prints no version", binary)
	}
	return found, nil
}

// Program returns the path of GoToSocial's binary: that of the unit, else that on
// PATH, else that in the server's working directory, else "".
func (c *Config) Program() string {
	if filepath.IsAbs(c.Binary) && disk.IsRegular(c.Binary) {
		return c.Binary
	}
	if path, err := exec.LookPath("gotosocial"); err == nil {
		return path
	}
	path := filepath.Join(c.WorkingDir, "gotosocial")
	if !disk.IsRegular(path) {
		return ""
	}
	return path
}

// Head keeps the first Left bytes that are written, and drops all others.
type Head struct {
	Text []byte
	Left int
}

func (h *Head) Write(p []byte) (int, error) {
	kept := p[:min(len(p), h.Left)]
	h.Text, h.Left = append(h.Text, kept...), h.Left-len(kept)
	return len(p), nil
}

// version matches the version in "gotosocial version 0.20.0-rc1 (…)".
var version = regexp.MustCompile(`\b\d+\.\d+\.\d+[-+.0-9A-Za-z]*`)
