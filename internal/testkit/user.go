package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Nobody is the number of the user nobody and of the group nogroup.
const Nobody = 65534

// GiveTree sets user and group of dir and of everything below. GiveTree follows no
// links.
func GiveTree(t testing.TB, dir string, uid, gid int) {
	t.Helper()
	OK(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	}))
}

// LetIn lets all users read dir and pass every parent of dir up to os.TempDir.
func LetIn(t testing.TB, dir string) {
	t.Helper()
	for ; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		OK(t, err)
		OK(t, os.Chmod(dir, info.Mode()|0o055)) // a sticky bit stays
	}
}

// PublicDir returns a new folder that every user may write to, as /tmp. t.TempDir is
// closed to other users.
func PublicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "holdfast-test-*")
	OK(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	OK(t, os.Chmod(dir, 0o777|os.ModeSticky))
	return dir
}

// AsNobody makes the user nobody run cmd.
func AsNobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: Nobody, Gid: Nobody}}
	return cmd
}

// CopySelf copies the test binary to a public folder, and returns the path of the
// copy.
func CopySelf(t testing.TB) string {
	t.Helper()
	program := filepath.Join(PublicDir(t), "test")
	OK(t, os.WriteFile(program, Read(t, os.Args[0]), 0o755))
	return program
}

// RunAsNobody runs the calling test again as the user nobody, if the user is
// root. After a result of true the caller must return, because the second run was
// the test.
func RunAsNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	program := CopySelf(t)
	cmd := AsNobody(exec.CommandContext(t.Context(), program, "-test.run=^"+t.Name()+"$", "-test.v"))
	cmd.Dir = filepath.Dir(program)
	cmd.Env = append(os.Environ(), "TMPDIR="+cmd.Dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
	return true
}
