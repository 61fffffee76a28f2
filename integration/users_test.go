package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// newNobodysHost makes a host whose files belong to the user nobody.
func newNobodysHost(t *testing.T) *host {
	t.Helper()
	testkit.NeedsRoot(t)
	h := newHost(t, folderRemote(t), sample.Config{Media: 2})
	for _, dir := range []string{h.dir, h.remote} {
		testkit.GiveTree(t, dir, testkit.Nobody, testkit.Nobody)
		testkit.LetIn(t, dir)
	}
	return h
}

// as makes another user run a command.
func as(uid uint32, c *command) *command {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return c
}

// A user who can write the configuration can make Holdfast run commands.
func TestRootWorksAsTheUserOfTheConfiguration(t *testing.T) {
	t.Parallel()
	h := newNobodysHost(t)
	trace := filepath.Join(h.dir, "trace")
	config := string(testkit.Read(t, h.yaml()))
	h.env = []string{"SECRET_OF_ROOT=hidden"}
	// The last field is the session: the program must not share root's terminal.
	script := fmt.Sprintf(`cmd:(id -u; id -G; env; cut -d' ' -f6 /proc/$$/stat) >> %s; echo key`, trace)
	config = strings.Replace(config, "remotes:\n  - ", "remotes:\n  - access_key: \""+script+"\"\n    ", 1)
	testkit.OK(t, os.WriteFile(h.yaml(), []byte(config), 0o600))

	for _, words := range [][]string{
		{"backup"}, {"list"}, {"show"}, {"verify"}, {"config", "check"}, {"config", "show"},
		{"export", "-o", filepath.Join(h.dir, "export")},
	} {
		h.holdfast(words...).start().expect(0)
	}
	h.holdfast("list", "--from", h.remote).start().expect(0)

	lines := strings.Split(string(testkit.Read(t, trace)), "\n")
	session := strings.Fields(string(testkit.Read(t, "/proc/self/stat")))[5]
	users := 0
	for i, line := range lines {
		switch {
		case line == "65534" && i+1 < len(lines) && lines[i+1] == "65534":
			users++
		case line == "0" || line == session || strings.Contains(line, "SECRET_OF_ROOT") || line == "HOME="+h.dir:
			t.Errorf("the command of another user sees %q", line)
		}
	}
	if users < 6 {
		t.Errorf("%d commands ran:\n%s", users, strings.Join(lines, "\n"))
	}
	for _, dir := range []string{h.dir, h.remote} {
		testkit.OK(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err == nil {
				if uid, _ := testkit.User(t, path); uid != testkit.Nobody {
					t.Errorf("%s belongs to user %d", path, uid)
				}
			}
			return err
		}))
	}
	for _, verb := range []string{"backup", "list", "verify"} {
		as(testkit.Nobody, h.holdfast(verb)).start().expect(0)
	}
}

// A person's Ctrl-C, or the end of a service, reaches the run of the other user.
func TestInterruptionReachesTheRunOfTheUser(t *testing.T) {
	t.Parallel()
	h := newNobodysHost(t)
	started := filepath.Join(h.dir, "started")
	testkit.OK(t, syscall.Mkfifo(started, 0o666))
	testkit.OK(t, os.Chown(started, testkit.Nobody, testkit.Nobody))
	config := strings.Replace(string(testkit.Read(t, h.yaml())), "remotes:\n  - ",
		"remotes:\n  - access_key: \"cmd:echo > "+started+"; exec sleep 1000\"\n    ", 1)
	testkit.OK(t, os.WriteFile(h.yaml(), []byte(config), 0o600))
	c := h.holdfast("backup").start()
	testkit.Read(t, started)
	testkit.OK(t, c.Process.Signal(syscall.SIGTERM))
	c.expect(130)
}

// The user can read the memory of a process with the user's rights, so no such process
// gets an owner's identity.
func TestIdentityNeverReachesTheUserOfTheConfiguration(t *testing.T) {
	t.Parallel()
	h := newNobodysHost(t)
	h.backup()
	for _, words := range [][]string{
		{"ls", "latest"}, {"cat", "latest", "database/sqlite.db"},
		{"restore", "--to", filepath.Join(t.TempDir(), "restored")}, {"restore"},
	} {
		c := h.holdfast(append(words, "--identity", h.kit())...)
		if words[0] == "cat" {
			c.Args = append(c.Args[:1], c.Args[2:]...) // no --json
			if got := c.start().end(); got != 20 {
				t.Errorf("cat: exit %d, want 20", got)
			}
			continue
		}
		c.start().expect(20).says("belongs to nobody", "--from REMOTE")
	}
	pinned := h.pinned()
	h.holdfast("ls", "latest", "--from", pinned, "--identity", h.kit()).start().expect(0)
	h.holdfast("restore", "--from", pinned, "--identity", h.kit(), "--to", filepath.Join(t.TempDir(), "restored")).
		start().expect(0)
}

// pinned returns the address of the remote with its pin.
func (h *host) pinned() string {
	h.t.Helper()
	for line := range strings.Lines(string(testkit.Read(h.t, h.kit()))) {
		if _, id, found := strings.Cut(line, "# repository: "); found {
			return h.remote + "#" + strings.TrimSpace(id)
		}
	}
	h.t.Fatal("the kit names no repository")
	return ""
}

func TestConfigurationOfAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	h := newNobodysHost(t)
	testkit.OK(t, os.Chmod(h.yaml(), 0o644))
	as(1, h.holdfast("list")).start().expect(20).says("belongs to nobody", "-c FILE")
	// Two users, and no single user has the rights for the run.
	testkit.OK(t, os.Chown(h.yaml(), 1, 1))
	h.holdfast("backup").start().expect(20).says("several users", "chown")
}

// The folder is as another user could prepare it, or change it during the run.
func TestLinksInTheStateOfAnotherUserLeadRootNowhere(t *testing.T) {
	t.Parallel()
	h := newNobodysHost(t)
	h.backup()
	private := filepath.Join(t.TempDir(), "private")
	testkit.Write(t, private+"/pack", "root's")
	testkit.OK(t, os.Chmod(private, 0o700))
	before := testkit.Tree(t, private)
	for _, name := range []string{"lock", "index.db", "host.json.part", "spool", "keys", "trail"} {
		path, aside := filepath.Join(h.state(), name), filepath.Join(h.dir, "aside")
		_, err := os.Lstat(path)
		if err == nil {
			testkit.OK(t, os.Rename(path, aside))
		}
		target := private + "/pack"
		if name == "spool" || name == "keys" || name == "trail" {
			target = private
		}
		testkit.OK(t, os.Symlink(target, path))
		testkit.OK(t, os.Lchown(path, testkit.Nobody, testkit.Nobody))
		h.holdfast("backup").start().end()
		testkit.OK(t, os.Remove(path))
		if err == nil {
			testkit.OK(t, os.Rename(aside, path))
		}
		for _, path := range []string{private, private + "/pack"} {
			if uid, _ := testkit.User(t, path); uid != 0 {
				t.Errorf("the link %s gave %s to user %d", name, path, uid)
			}
		}
		testkit.SameTree(t, private, before)
	}
	h.backup()
}

// A service's user works without variables: cron, sudo and new shells set none.
func TestUserFindsTheFoldersThatRootMade(t *testing.T) {
	t.Parallel()
	testkit.NeedsRoot(t)
	h := newHost(t, folderRemote(t), sample.Config{Media: 2})
	m := newMachine(t, h)
	at := func(path string) string { return filepath.Join(m.root, path) }
	testkit.OK(t, os.CopyFS(at(h.inst.Dir), os.DirFS(h.inst.Dir)))
	testkit.GiveTree(t, at(h.inst.Dir), testkit.Nobody, testkit.Nobody)
	testkit.OK(t, os.Chmod(at("/tmp"), 0o777|os.ModeSticky))
	give := func(path string) {
		testkit.OK(t, os.MkdirAll(at(path), 0o700))
		testkit.OK(t, os.Chown(at(path), testkit.Nobody, testkit.Nobody))
	}
	testkit.LetIn(t, m.root)
	nobody := func(args ...string) *command {
		c := m.holdfast(args...)
		c.Env = []string{}
		c.SysProcAttr.Credential = &syscall.Credential{Uid: testkit.Nobody, Gid: testkit.Nobody}
		return c
	}
	m.write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n")
	initialize := []string{"init", "/mnt/backup/example.org", "--gotosocial", h.config}
	withKit := append([]string{"--kit", "/tmp/kit.txt"}, initialize...)

	nobody("backup").start().expect(2).says("/etc/holdfast/config.yaml does not exist", "holdfast init")
	nobody(initialize...).start().expect(2).says("kit", "cd")
	nobody(withKit...).start().expect(1).
		says("configuration", "install -d -m 700 -o nobody /etc/holdfast /var/lib/holdfast")
	testkit.OK(t, os.MkdirAll(at("/var/lib"), 0o755))
	give("/etc/holdfast")
	give("/var/lib/holdfast")
	nobody(withKit...).start().expect(14).says("", "install -d -m 700 -o nobody /mnt/backup/example.org")
	testkit.OK(t, os.MkdirAll(at("/mnt/backup"), 0o755))
	nobody(withKit...).start().expect(13).says("", "install -d -m 700 -o nobody /mnt/backup/example.org")
	give("/mnt/backup/example.org")
	nobody(withKit...).start().expect(0)
	nobody("backup").start().expect(0)
	nobody("list").start().expect(0)

	other := nobody("list")
	other.SysProcAttr.Credential = &syscall.Credential{Uid: 1, Gid: 1}
	other.start().expect(2).says("permission denied", "sudo -u nobody")
}
