package integration_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
)

// machine is a fresh server: a folder that becomes the root folder of the program.
// The folder holds the program, the remote and the identity.
type machine struct {
	t    *testing.T
	root string
	pin  string // the address of the remote on the machine
}

// newMachine makes a machine for a host whose remote is a folder.
func newMachine(t *testing.T, h *host) *machine {
	t.Helper()
	testkit.NeedsRoot(t)
	m := &machine{t: t, root: t.TempDir()}
	program, err := built()
	testkit.OK(t, err)
	for _, dir := range []string{"tmp", "etc", "root", "dev"} {
		testkit.OK(t, os.Mkdir(filepath.Join(m.root, dir), 0o755))
	}
	testkit.OK(t, unix.Mknod(filepath.Join(m.root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	testkit.OK(t, os.Link(program, filepath.Join(m.root, "holdfast")))
	testkit.OK(t, os.CopyFS(filepath.Join(m.root, "remote"), os.DirFS(h.remote)))
	m.write("/kit.txt", string(testkit.Read(t, h.kit())))
	m.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
	m.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
	for line := range strings.Lines(string(testkit.Read(t, h.kit()))) {
		if _, id, found := strings.Cut(line, "# repository: "); found {
			m.pin = "/remote#" + strings.TrimSpace(id)
		}
	}
	return m
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	testkit.Write(m.t, filepath.Join(m.root, path), []byte(text))
}

// holdfast prepares a run on the machine.
func (m *machine) holdfast(args ...string) *command {
	m.t.Helper()
	c := newCommand(m.t, []string{"HOME=/root", "PATH=/usr/bin"}, args...)
	c.Path, c.Dir = "/holdfast", "/"
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	return c
}

// restore prepares a restore of the newest snapshot.
func (m *machine) restore(args ...string) *command {
	m.t.Helper()
	return m.holdfast(append([]string{"restore", "--from", m.pin, "--identity", "/kit.txt"}, args...)...)
}

// resumed prepares a restore that continues an unfinished restore, if there is a
// journal. A kill may come before the journal.
func (m *machine) resumed(args ...string) *command {
	m.t.Helper()
	journals := 0
	testkit.Walk(m.t, m.root, func(name string) {
		if filepath.Base(name) == "journal.json" {
			journals++
		}
	})
	if journals > 0 {
		args = append(args, "--resume")
	}
	return m.restore(args...)
}

// untilWhole restores and kills the restore, again and again, until a run
// succeeds. untilWhole returns the number of kills.
func (m *machine) untilWhole(k *killer, args ...string) (kills int) {
	m.t.Helper()
	c := m.resumed(args...)
	for ; k.kills(c); c = m.resumed(args...) {
		kills++
	}
	// After a kill behind the last step, the restored files are in the way of the
	// next run.
	finished := kills > 0 && c.ProcessState.ExitCode() == 20 &&
		(strings.Contains(c.summary.Error, "is there already") || strings.Contains(c.summary.Error, "exists"))
	if !finished {
		c.expect(0)
	}
	return kills
}

// addDisk makes the folder /disk, and mounts another disk there if this process may
// mount anything.
func (m *machine) addDisk() {
	m.t.Helper()
	disk := filepath.Join(m.root, "disk")
	testkit.OK(m.t, os.Mkdir(disk, 0o755))
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256m"); err != nil {
		m.t.Logf("no other disk: %v", err)
		return
	}
	m.t.Cleanup(func() { unix.Unmount(disk, 0) })
}

// compare wants all files at the paths that they had on the host, as files of the
// server's user.
func (m *machine) compare(h *host, want image) {
	m.t.Helper()
	at := func(path string) string { return filepath.Join(m.root, path) }
	if got := testkit.Sum(m.t, at(h.inst.Database())); got != want.database {
		m.t.Error("the database differs")
	}
	// The storage folder also holds certificates.
	files := maps.Clone(want.media)
	for name, sum := range testkit.Tree(m.t, filepath.Join(h.inst.Storage(), "certs")) {
		files["certs/"+name] = sum
	}
	testkit.SameTree(m.t, at(h.inst.Storage()), files)
	if got := testkit.Sum(m.t, at(h.config)); got != want.config {
		m.t.Error("the configuration differs")
	}
	m.belongToNobody(h.inst.Database(), h.inst.Storage(), h.config)
	// No other file lies beside the instance.
	wantNames(m.t, at("/tmp"), strings.Split(h.inst.Dir, "/")[2])
}

// belongToNobody wants files and folders to belong to nobody:nogroup.
func (m *machine) belongToNobody(paths ...string) {
	m.t.Helper()
	for _, path := range paths {
		uid, gid := testkit.User(m.t, filepath.Join(m.root, path))
		if uid != testkit.Nobody || gid != testkit.Nobody {
			m.t.Errorf("%s belongs to %d:%d", path, uid, gid)
		}
	}
}

// install copies programs and their libraries to the fresh machine. A program is a
// name or a path.
func (m *machine) install(programs ...string) {
	m.t.Helper()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			testkit.Missing(m.t, "%v", err)
		}
		out, err := exec.Command("ldd", path).Output()
		testkit.OK(m.t, err)
		copied := map[string]string{path: "/usr/bin/" + filepath.Base(name)}
		for _, word := range strings.Fields(string(out)) {
			if filepath.IsAbs(word) {
				copied[word] = word
			}
		}
		for from, to := range copied {
			testkit.Write(m.t, filepath.Join(m.root, to), testkit.Read(m.t, from))
			testkit.OK(m.t, os.Chmod(filepath.Join(m.root, to), 0o755))
		}
	}
}

// run runs a program of [machine.install].
func (m *machine) run(name string, args ...string) error {
	cmd := exec.CommandContext(m.t.Context(), "/usr/bin/"+name, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return err
}

// versioned builds a program that prints a version of GoToSocial. The program
// needs no libraries.
func versioned(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	source := fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(%q) }\n",
		"gotosocial version "+version)
	testkit.Write(t, filepath.Join(dir, "main.go"), source)
	program := filepath.Join(dir, "gotosocial")
	build := exec.Command("go", "build", "-o", program, filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
