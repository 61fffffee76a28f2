package instance

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

// askVersion asks a binary, as another user where this is root.
func askVersion(ctx context.Context, binary string, as *syscall.Credential) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--version")
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", []string{"PATH=" + os.Getenv("PATH")}, time.Second
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	out := head{left: 4 << 10}
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	found := version.FindString(string(out.text))
	if found == "" {
		return "", fmt.Errorf("%s --version says none", binary)
	}
	return found, nil
}

// program is GoToSocial's binary: the one that the unit runs, else the one on
// PATH, else the one in the server's working directory. "" is none.
func (c *Config) program() string {
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

// head keeps the beginning of what is written to it.
type head struct {
	text []byte
	left int
}

func (h *head) Write(p []byte) (int, error) {
	kept := p[:min(len(p), h.left)]
	h.text, h.left = append(h.text, kept...), h.left-len(kept)
	return len(p), nil
}

// version is the first thing that looks like one: "gotosocial version
// 0.20.0-rc1 (…)".
var version = regexp.MustCompile(`\b\d+\.\d+\.\d+[-+.0-9A-Za-z]*`)
