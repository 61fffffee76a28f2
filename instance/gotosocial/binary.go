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

// AskVersion asks a binary, as another user where this is root.
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
		return "", fmt.Errorf("%s --version says none", binary)
	}
	return found, nil
}

// Program is GoToSocial's binary: the one that the unit runs, else the one on
// PATH, else the one in the server's working directory. "" is none.
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

// Head keeps the beginning of what is written to it.
type Head struct {
	Text []byte
	Left int
}

func (h *Head) Write(p []byte) (int, error) {
	kept := p[:min(len(p), h.Left)]
	h.Text, h.Left = append(h.Text, kept...), h.Left-len(kept)
	return len(p), nil
}

// version is the first thing that looks like one: "gotosocial version
// 0.20.0-rc1 (…)".
var version = regexp.MustCompile(`\b\d+\.\d+\.\d+[-+.0-9A-Za-z]*`)
