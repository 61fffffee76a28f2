package instance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// Version asks GoToSocial's binary; "" where there is none or it doesn't say.
func (i *Instance) Version(ctx context.Context) string {
	binary := i.binary()
	if binary == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "--version")
	cmd.Dir, cmd.Env, cmd.WaitDelay = "/", []string{"PATH=" + os.Getenv("PATH")}, time.Second
	// Root must not run a file that the server's user may have written.
	if info, err := os.Stat(i.path); err == nil && os.Geteuid() == 0 {
		s := info.Sys().(*syscall.Stat_t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.Uid, Gid: s.Gid}}
	}
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return version.FindString(string(out))
}

// version is the first thing that looks like one: "gotosocial version
// 0.20.0-rc1 (…)".
var version = regexp.MustCompile(`\b\d+\.\d+\.\d+[-+.0-9A-Za-z]*`)

func (i *Instance) binary() string {
	if i.options.Binary != "" {
		return i.options.Binary
	}
	if path, err := exec.LookPath("gotosocial"); err == nil {
		return path
	}
	path := filepath.Join(i.config.WorkingDir, "gotosocial")
	if regular(os.Stat(path)) != nil {
		return ""
	}
	return path
}
