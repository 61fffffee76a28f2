package integration_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sys/unix"

	"holdfast/instance/postgrestest"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// machine is a fresh server: a folder that the program takes for all there is,
// with the program, the remote and the identity in it.
type machine struct {
	t    *testing.T
	root string
	pin  string // the remote's address there
}

// newMachine is one for the newest snapshot of a host whose remote is a folder.
func newMachine(t *testing.T, h *host) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
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

func (m *machine) restore(args ...string) *command {
	m.t.Helper()
	return m.holdfast(append([]string{"restore", "--from", m.pin, "--identity", "/kit.txt"}, args...)...)
}

// resumed is a restore that goes on where there is an unfinished one: a kill may
// come before it has a journal.
func (m *machine) resumed(args ...string) *command {
	m.t.Helper()
	journals := 0
	testkit.OK(m.t, filepath.WalkDir(m.root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "journal.json" {
			journals++
		}
		return err
	}))
	if journals > 0 {
		args = append(args, "--resume")
	}
	return m.restore(args...)
}

// untilWhole restores, and is killed again and again, until a run gets through.
func (m *machine) untilWhole(rnd *rand.Rand, within time.Duration, args ...string) (kills int) {
	m.t.Helper()
	for {
		c := m.resumed(args...).start()
		timer := time.AfterFunc(time.Duration(rnd.Int64N(int64(within))), func() { c.Process.Kill() })
		code := c.end()
		timer.Stop()
		switch {
		case code == -1:
			kills++
			continue
		case code == 20 && kills > 0 && strings.Contains(c.summary.Error, "is there already"), code == 20 && kills > 0 && strings.Contains(c.summary.Error, "exists"):
			// The kill came behind the last step: everything is in the way.
		case code != 0:
			m.t.Fatalf("exit %d\n%s%s", code, &c.stdout, &c.stderr)
		}
		return kills
	}
}

// addDisk mounts another disk than the instance's at /disk, where this machine may
// have one.
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

// compare wants everything where it was on the host, and of the server's user.
func (m *machine) compare(h *host, want image) {
	m.t.Helper()
	at := func(path string) string { return filepath.Join(m.root, path) }
	if got := testkit.Sum(m.t, at(h.inst.Database())); got != want.database {
		m.t.Error("the database differs")
	}
	// Certificates lie in there too.
	files := maps.Clone(want.media)
	for name, sum := range testkit.Tree(m.t, filepath.Join(h.inst.Storage(), "certs")) {
		files["certs/"+name] = sum
	}
	testkit.SameTree(m.t, at(h.inst.Storage()), files)
	if got := testkit.Sum(m.t, at(h.config)); got != want.config {
		m.t.Error("the configuration differs")
	}
	for _, path := range []string{h.inst.Database(), h.inst.Storage(), h.config} {
		info, err := os.Stat(at(path))
		testkit.OK(m.t, err)
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 65534 || s.Gid != 65534 {
			m.t.Errorf("%s belongs to %d:%d", path, s.Uid, s.Gid)
		}
	}
	if got, want := testkit.Names(m.t, at("/tmp")), []string{strings.Split(h.inst.Dir, "/")[2]}; !slices.Equal(got, want) {
		m.t.Errorf("beside the instance lies %v", got)
	}
}

func TestFreshServerGetsTheWholeInstance(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	want := h.image()
	m := newMachine(t, h)

	// The plan shows everything, and nothing happens before the domain is said.
	plan := m.restore("--plan").start().expect(0).stdout.String()
	for _, words := range []string{h.inst.Database(), h.inst.Storage(), h.config, "nobody answers", "not installed", "nobody:nogroup"} {
		if !strings.Contains(plan, words) {
			t.Errorf("the plan says nothing of %q:\n%s", words, plan)
		}
	}
	m.restore().start().expect(20)
	m.restore("--yes", "elsewhere.example").start().expect(20)
	if _, err := os.Stat(filepath.Join(m.root, h.inst.Dir)); err == nil {
		t.Fatal("something was restored")
	}

	done := m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(0)
	m.compare(h, want)
	if !strings.Contains(done.stdout.String(), "start GoToSocial") {
		t.Errorf("it says nothing of what is left to do:\n%s", done.stdout.String())
	}

	// A folder of a person's to work in keeps what else is in it.
	other := newMachine(t, h)
	other.addDisk()
	other.write("/disk/precious", "precious")
	other.restore("--yes", h.inst.Host(), "--verbatim", "--work", "/disk").start().expect(0)
	if got, want := testkit.Names(t, filepath.Join(other.root, "disk")), []string{"precious"}; !slices.Equal(got, want) {
		t.Errorf("the folder to work in has %v, want %v", got, want)
	}
	other.compare(h, want)

	// What is there now is in the way, and stays.
	again := m.restore("--yes", h.inst.Host()).start().expect(20)
	if again.summary.Effect != "nothing was changed" || again.summary.Fix == "" {
		t.Errorf("%+v", again.summary)
	}
	// Media are never mixed with others.
	again = m.restore("--yes", h.inst.Host(), "--replace").start().expect(20)
	if !strings.Contains(again.summary.Error, "is not empty") || !strings.Contains(again.summary.Fix, "move away") {
		t.Errorf("%+v", again.summary)
	}
	m.compare(h, want)
}

func TestFullRestoreGoesOnWhereverItWasKilled(t *testing.T) {
	t.Parallel()
	rnd := dice(t)
	h := newHost(t, folder(t), sample.Config{Media: 60})
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	want := h.image()
	takes := newMachine(t, h).restore("--yes", h.inst.Host(), "--verbatim").start().expect(0).took
	for kills := 0; kills < times(6, 50); {
		m := newMachine(t, h)
		kills += m.untilWhole(rnd, takes, "--yes", h.inst.Host(), "--verbatim")
		m.compare(h, want)
		testkit.OK(t, os.RemoveAll(m.root))
	}
}

// A machine whose hosts file leads the domain to a server of this test, and whose
// GoToSocial says which version it is.
func TestLookRefusesWhatWouldHarm(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	testkit.OK(t, os.WriteFile(filepath.Join(h.inst.Dir, "gotosocial"), []byte("#!/bin/sh\necho gotosocial version 0.20.0\n"), 0o755))
	testkit.OK(t, os.Chmod(filepath.Dir(h.dir), 0o755)) // its user must reach it
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	m := newMachine(t, h)
	// The program asks the server that its proxy leads to.
	asked := make(chan string, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.OK(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Host + r.URL.Path
		w.Header().Set("Server", "gotosocial")
	})}
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	defer cert.Close()
	server.TLSConfig = cert.TLS
	go server.ServeTLS(listener, "", "")
	defer server.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		client.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		go io.Copy(conn, client)
		io.Copy(client, conn)
		client.Close()
	}))
	defer proxy.Close()
	answered := func(args ...string) *command {
		c := m.restore(append(args, "--yes", h.inst.Host(), "--verbatim")...)
		c.Env = append(c.Env, "HTTPS_PROXY="+proxy.URL)
		return c.start()
	}
	refused := answered().expect(20)
	if !strings.Contains(refused.summary.Error, "gotosocial answers for "+h.inst.Host()) || !strings.Contains(refused.summary.Fix, "--old-is-dead") {
		t.Errorf("%+v", refused.summary)
	}
	if got := <-asked; got != h.inst.Host()+"/.well-known/nodeinfo" {
		t.Errorf("it asked %s", got)
	}

	// An older server than the snapshot's.
	testkit.OK(t, os.MkdirAll(filepath.Join(m.root, "usr/bin"), 0o755))
	older := filepath.Join(m.root, "usr/bin/gotosocial")
	testkit.OK(t, os.Link(versioned(t, "0.19.1"), older))
	refused = answered("--old-is-dead").expect(20)
	if !strings.Contains(refused.summary.Error, "0.19.1") || !strings.Contains(refused.summary.Fix, "0.20.0") {
		t.Errorf("%+v", refused.summary)
	}
	testkit.OK(t, os.Remove(older))
	answered("--old-is-dead").expect(0)
}

func TestResumeWantsTheSameAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	want := h.image()
	m := newMachine(t, h)
	// A disk of its own is mounted for the media.
	testkit.OK(t, os.MkdirAll(filepath.Join(m.root, h.inst.Storage(), "lost+found"), 0o755))
	// A pack that is gone stops it, and comes back.
	packs, err := filepath.Glob(filepath.Join(m.root, "remote", "packs", "*"))
	testkit.OK(t, err)
	rec := h.newest()
	lost := filepath.Join(m.root, "remote", rec.Packs[manifest.Media][0].Object())
	if !slices.Contains(packs, lost) {
		t.Fatalf("no %s in %v", lost, packs)
	}
	testkit.OK(t, os.Rename(lost, lost+"-away"))
	goesOn := func(c *command) string {
		t.Helper()
		_, command, found := strings.Cut(c.summary.Fix, "goes on with it:\n")
		if want := fmt.Sprintf("holdfast restore %s --from '%s' --identity /kit.txt --verbatim --yes %s --resume", rec.ID(), m.pin, h.inst.Host()); !found || command != want {
			t.Errorf("it goes on by %q, want %q", c.summary.Fix, want)
		}
		return command
	}
	goesOn(m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(17))
	testkit.OK(t, os.Rename(lost+"-away", lost))
	again := m.restore("--yes", h.inst.Host(), "--resume").start().expect(20)
	if !strings.Contains(again.summary.Error, "other things") || again.summary.Fix == "" {
		t.Errorf("%+v", again.summary)
	}
	elsewhere := m.restore("--yes", h.inst.Host(), "--verbatim", "--resume", "--work", "/other").start().expect(20)
	if !strings.Contains(elsewhere.summary.Error, "in /other/") || !strings.Contains(elsewhere.summary.Fix, "--work") || elsewhere.summary.Effect != "nothing was changed" {
		t.Errorf("%+v", elsewhere.summary)
	}
	if _, err := os.Stat(filepath.Join(m.root, "other")); err == nil {
		t.Error("a second restore was begun")
	}
	command := goesOn(m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(20))
	words := strings.Fields(strings.ReplaceAll(command, "'", ""))
	m.holdfast(words[1:]...).start().expect(0)
	testkit.OK(t, os.Remove(filepath.Join(m.root, h.inst.Storage(), "lost+found")))
	m.compare(h, want)
	m.restore("--yes", h.inst.Host(), "--verbatim", "--resume").start().expect(20)
}

// The system's own programs make them.
func TestUserAndGroupsOfTheServerAreMade(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	testkit.OK(t, filepath.WalkDir(h.inst.Dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 5, 100) // games:users
	}))
	unit := filepath.Join(h.dir, "etc/unit/gotosocial.service")
	key := filepath.Join(h.dir, "etc/keys/private.pem")
	for _, path := range []string{unit, key} {
		testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
	}
	testkit.Write(t, unit, []byte("[Service]\nUser=games\nGroup=audio\nWorkingDirectory="+h.inst.Dir+"\nExecStart=/opt/gotosocial --config-path "+h.config+" server start\n"))
	testkit.Write(t, key, "secret")
	testkit.OK(t, os.Chown(key, 0, 42)) // root:shadow
	testkit.Write(t, h.yaml(), bytes.Replace(testkit.Read(t, h.yaml()), []byte("remotes:"), []byte("  extra: ["+filepath.Join(h.dir, "etc")+"]\nremotes:"), 1))
	h.backup()
	m := newMachine(t, h)
	to := []string{"--yes", h.inst.Host(), "--verbatim"}

	// Without a program that makes them they are named, and so are those that
	// nobody but an admin can know.
	refused := m.restore(to...).start().expect(20)
	if !strings.Contains(refused.summary.Fix, "groupadd --system users && useradd --system --no-create-home --shell /usr/sbin/nologin --gid users games && groupadd --system audio") {
		t.Errorf("%+v", refused.summary)
	}
	m.install("useradd", "groupadd")
	refused = m.restore(to...).start().expect(20)
	if !strings.Contains(refused.summary.Error, key) || !strings.HasSuffix(refused.summary.Fix, "or: groupadd --system shadow") {
		t.Errorf("%+v", refused.summary)
	}
	testkit.OK(t, m.run("groupadd", "--system", "shadow"))
	m.restore(to...).start().expect(0)

	passwd, group := string(testkit.Read(t, filepath.Join(m.root, "etc/passwd"))), string(testkit.Read(t, filepath.Join(m.root, "etc/group")))
	number := func(text, name string) (n int) {
		for line := range strings.Lines(text) {
			if f := strings.Split(line, ":"); f[0] == name {
				n, _ = strconv.Atoi(f[2])
			}
		}
		return n
	}
	games, users := number(passwd, "games"), number(group, "users")
	if games == 0 || users == 0 || number(group, "audio") == 0 || number(group, "games") != 0 {
		t.Errorf("passwd\n%sgroup\n%s", passwd, group)
	}
	for path, owner := range map[string][2]int{
		h.inst.Storage():                {games, users},
		h.inst.Database():               {games, users},
		h.config:                        {games, users},
		filepath.Dir(h.inst.Database()): {games, users}, // SQLite makes its log there
		filepath.Dir(h.inst.Dir):        {0, 0},
		filepath.Dir(key):               {0, 0},
		key:                             {0, number(group, "shadow")},
	} {
		info, err := os.Stat(filepath.Join(m.root, path))
		testkit.OK(t, err)
		if s := info.Sys().(*syscall.Stat_t); [2]int{int(s.Uid), int(s.Gid)} != owner {
			t.Errorf("%s belongs to %d:%d, want %v", path, s.Uid, s.Gid, owner)
		}
	}
}

// install copies programs of this machine to the fresh one, with what they need.
func (m *machine) install(programs ...string) {
	m.t.Helper()
	for _, name := range programs {
		path, err := exec.LookPath(name)
		if err != nil {
			m.t.Skip(err)
		}
		out, err := exec.Command("ldd", path).Output()
		testkit.OK(m.t, err)
		copied := map[string]string{path: "/usr/bin/" + name}
		for _, word := range strings.Fields(string(out)) {
			if filepath.IsAbs(word) {
				copied[word] = word
			}
		}
		for from, to := range copied {
			testkit.OK(m.t, os.MkdirAll(filepath.Dir(filepath.Join(m.root, to)), 0o755))
			testkit.Write(m.t, filepath.Join(m.root, to), testkit.Read(m.t, from))
			testkit.OK(m.t, os.Chmod(filepath.Join(m.root, to), 0o755))
		}
	}
}

// run runs one of them.
func (m *machine) run(name string, args ...string) error {
	cmd := exec.CommandContext(m.t.Context(), "/usr/bin/"+name, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", []string{"PATH=/usr/bin"}, &syscall.SysProcAttr{Chroot: m.root}
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return err
}

func TestFreshServerKeepsItsMediaInABucket(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	want := h.image()
	m := newMachine(t, h)
	bucket := newMediaServer(t)
	// The same instance, with its media elsewhere.
	moved := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, moved, testkit.Read(t, h.config))
	bucket.configure(moved)
	m.write("/config.yaml", string(testkit.Read(t, moved)))
	bucket.put("orphan", "orphan")
	to := []string{"--gotosocial", "/config.yaml", "--yes", h.inst.Host(), "--verbatim"}
	refused := m.restore(to...).start().expect(20)
	if !strings.Contains(refused.summary.Error, "orphan") || !strings.Contains(refused.summary.Fix, "--replace") {
		t.Errorf("%+v", refused.summary)
	}
	m.restore(append(to, "--replace")...).start().expect(0)
	if got := testkit.Sum(t, filepath.Join(m.root, "sqlite.db")); got != want.database {
		t.Error("the database differs")
	}
	got := map[string]string{}
	for o := range bucket.admin.ListObjects(t.Context(), "media", minio.ListObjectsOptions{Prefix: mediaPrefix, Recursive: true}) {
		testkit.OK(t, o.Err)
		body, err := bucket.admin.GetObject(t.Context(), "media", o.Key, minio.GetObjectOptions{})
		testkit.OK(t, err)
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		testkit.OK(t, err)
		got[strings.TrimPrefix(o.Key, mediaPrefix)] = hex.EncodeToString(hash.Sum(nil))
	}
	delete(got, "orphan")
	if !maps.Equal(got, want.media) {
		t.Errorf("the bucket holds %v, want %v", keys(got), keys(want.media))
	}
}

// versioned is a program without dependencies that says a version.
func versioned(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	source := fmt.Appendf(nil, "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(%q) }\n", "gotosocial version "+version)
	testkit.Write(t, filepath.Join(dir, "main.go"), source)
	program := filepath.Join(dir, "gotosocial")
	build := exec.Command("go", "build", "-o", program, filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestPostgresIsRebuiltOnAFreshServer(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	s.AddKeys(t, "gotosocial")
	storage, media := someMedia(t)
	h := newPostgresHost(t, folder(t), s, "gotosocial", storage)
	h.backup()
	want := dumped(t, s, "gotosocial")
	m := newMachine(t, h)
	refused := m.restore("--yes", "social.example.org", "--verbatim").start().expect(20)
	if !strings.Contains(refused.summary.Error, "exists") {
		t.Errorf("%+v", refused.summary)
	}
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	m.restore("--yes", "social.example.org", "--verbatim").start().expect(0)
	if dumped(t, s, "gotosocial") != want {
		t.Error("the database differs")
	}
	testkit.SameTree(t, filepath.Join(m.root, storage), media)

	// The same snapshot again, over what became of it: all of it is loaded.
	s.Exec(t, "gotosocial", "DELETE FROM statuses")
	m = newMachine(t, h)
	m.restore("--yes", "social.example.org", "--verbatim", "--replace").start().expect(0)
	if dumped(t, s, "gotosocial") != want {
		t.Error("the database differs the second time")
	}

	// Killed in the middle, and again.
	rnd := dice(t)
	for kills := 0; kills < times(4, 50); {
		s.Exec(t, "postgres", "DROP DATABASE gotosocial")
		m := newMachine(t, h)
		kills += m.untilWhole(rnd, 3*time.Second, "--yes", "social.example.org", "--verbatim")
		if dumped(t, s, "gotosocial") != want {
			t.Error("the database differs after kills")
		}
		testkit.SameTree(t, filepath.Join(m.root, storage), media)
		testkit.OK(t, os.RemoveAll(m.root))
	}
	var left int
	testkit.OK(t, s.Connect(t, "postgres", "postgres").QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname LIKE '%holdfast%'").Scan(&left))
	if left != 0 {
		t.Errorf("%d temporary databases are left", left)
	}
}
