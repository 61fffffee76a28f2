package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// Version asks GoToSocial's binary; "" where there is none or it doesn't say.
func (i *Instance) Version(ctx context.Context) string {
	version, err := i.AskVersion(ctx)
	if err != nil {
		return "" // a backup is worth more than this
	}
	return version
}

// AskVersion is Version, and says why there is none.
func (i *Instance) AskVersion(ctx context.Context) (string, error) {
	binary := i.binary()
	if binary == "" {
		return "", errors.New("no gotosocial is found; instance.binary names it")
	}
	var as *syscall.Credential
	if os.Geteuid() == 0 {
		var ok bool
		if as, ok = i.owner(binary); !ok {
			return "", fmt.Errorf("%s is not run as root: the database has to belong to the server's own user, the program to that one or root", binary)
		}
	}
	return askVersion(ctx, binary, as)
}

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

// owner is the owner of the database, or of the media directory where that is no
// file, who may run the binary: root must not run a file that the server's user
// may have written. That user can also put a link to anybody's file in the
// database's place, so root is never the one, and the binary is the owner's own
// or root's.
func (i *Instance) owner(binary string) (user *syscall.Credential, ok bool) {
	place := i.config.Storage()
	if file, ok := i.db.(*sqliteFile); ok {
		place = file.path
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, false
	}
	program, err := os.Stat(binary)
	if err != nil {
		return nil, false
	}
	s, whose := info.Sys().(*syscall.Stat_t), ownerID(program)
	return &syscall.Credential{Uid: s.Uid, Gid: s.Gid}, s.Uid != 0 && (whose == 0 || whose == int(s.Uid))
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

func (i *Instance) binary() string { return cmp.Or(i.options.Binary, i.config.program()) }

// program is GoToSocial's binary: the one that the unit runs, else the one on
// PATH, else the one in the server's working directory. "" is none.
func (c *Config) program() string {
	if filepath.IsAbs(c.Binary) && regular(os.Stat(c.Binary)) == nil {
		return c.Binary
	}
	if path, err := exec.LookPath("gotosocial"); err == nil {
		return path
	}
	path := filepath.Join(c.WorkingDir, "gotosocial")
	if regular(os.Stat(path)) != nil {
		return ""
	}
	return path
}
