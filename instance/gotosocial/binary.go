package gotosocial

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"

	"holdfast/disk"
	"holdfast/internal/child"
)

// AskVersion asks a binary for its version. If root runs Holdfast, the binary runs as
// the other user. Nobody but root, the user of this process and that user may be able to
// replace the binary. The answer may have a form that [ParseVersion] does not understand,
// such as "devel"; the answer is at most 64 letters, digits and signs of a version.
func AskVersion(ctx context.Context, binary string, as *syscall.Credential) (string, error) {
	cmd := child.Command(ctx, binary, "--version")
	user := os.Geteuid()
	if user == 0 {
		cmd.SysProcAttr.Credential, user = as, int(as.Uid)
	}
	if err := disk.CheckProgram(binary, user); err != nil {
		return "", fmt.Errorf("refuse to run %s as user %s: %w", binary, disk.UserName(user), err)
	}
	out := child.Head{Left: 4 << 10}
	cmd.Stdout = &out
	if err := child.Finish(cmd, child.Patience); err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	answer := versionLine.FindSubmatch(out.Text)
	if answer == nil {
		return "", fmt.Errorf("%s --version prints no version", binary)
	}
	return string(answer[1]), nil
}

// versionLine matches "gotosocial version 0.20.0-rc1 (…)". A server that was built
// without a version prints an empty word.
var versionLine = regexp.MustCompile(`(?m)^gotosocial version ([-+._0-9A-Za-z]{1,64})(?:\s|$)`)

// Program returns the path of GoToSocial's binary: that of the unit, or without a unit
// that on PATH, else that in the server's working directory. If the binary does not
// exist, Program returns "".
func (c *Config) Program() string {
	path := c.Binary
	if !filepath.IsAbs(path) {
		if found, err := exec.LookPath("gotosocial"); err == nil {
			return found
		}
		path = filepath.Join(c.WorkingDir, "gotosocial")
	}
	if !disk.IsRegular(path) {
		return ""
	}
	return path
}
