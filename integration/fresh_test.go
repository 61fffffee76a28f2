package integration_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sys/unix"

	"holdfast/instance/postgrestest"
	"holdfast/instance/sample"
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
	ok(t, err)
	for _, dir := range []string{"tmp", "etc", "root", "dev"} {
		ok(t, os.Mkdir(filepath.Join(m.root, dir), 0o755))
	}
	ok(t, unix.Mknod(filepath.Join(m.root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	ok(t, os.Link(program, filepath.Join(m.root, "holdfast")))
	ok(t, os.CopyFS(filepath.Join(m.root, "remote"), os.DirFS(h.remote)))
	m.write("/kit.txt", string(read(t, h.kit())))
	m.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
	m.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n")
	for line := range strings.Lines(string(read(t, h.kit()))) {
		if _, id, found := strings.Cut(line, "# repository: "); found {
			m.pin = "/remote#" + strings.TrimSpace(id)
		}
	}
	return m
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	write(m.t, filepath.Join(m.root, path), []byte(text))
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

// served gives an instance to the user that its server would run as.
func served(t *testing.T, dir string) {
	t.Helper()
	ok(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, 65534, 65534)
	}))
}

// compare wants everything where it was on the host, and of the server's user.
func (m *machine) compare(h *host, want image) {
	m.t.Helper()
	at := func(path string) string { return filepath.Join(m.root, path) }
	if got := sum(m.t, at(h.inst.Database())); got != want.database {
		m.t.Error("the database differs")
	}
	// Certificates lie in there too.
	files := maps.Clone(want.media)
	for name, sum := range tree(m.t, filepath.Join(h.inst.Storage(), "certs")) {
		files["certs/"+name] = sum
	}
	compareMedia(m.t, at(h.inst.Storage()), files)
	if got := sum(m.t, at(h.config)); got != want.config {
		m.t.Error("the configuration differs")
	}
	for _, path := range []string{h.inst.Database(), h.inst.Storage(), h.config} {
		info, err := os.Stat(at(path))
		ok(m.t, err)
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 65534 || s.Gid != 65534 {
			m.t.Errorf("%s belongs to %d:%d", path, s.Uid, s.Gid)
		}
	}
	if got, want := names(m.t, at("/tmp")), []string{strings.Split(h.inst.Dir, "/")[2]}; !slices.Equal(got, want) {
		m.t.Errorf("beside the instance lies %v", got)
	}
}

func TestFreshServerGetsTheWholeInstance(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	served(t, h.inst.Dir)
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
	disk := filepath.Join(other.root, "disk")
	ok(t, os.Mkdir(disk, 0o755))
	// Another disk than the instance's, where this machine may have one.
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256m"); err != nil {
		t.Logf("no other disk: %v", err)
	} else {
		t.Cleanup(func() { unix.Unmount(disk, 0) })
	}
	other.write("/disk/precious", "precious")
	other.restore("--yes", h.inst.Host(), "--verbatim", "--work", "/disk").start().expect(0)
	if got, want := names(t, filepath.Join(other.root, "disk")), []string{"precious"}; !slices.Equal(got, want) {
		t.Errorf("the folder to work in has %v, want %v", got, want)
	}
	other.compare(h, want)

	// What is there now is in the way, and stays.
	again := m.restore("--yes", h.inst.Host()).start().expect(20)
	if again.summary.Effect != "nothing was changed" || again.summary.Fix == "" {
		t.Errorf("%+v", again.summary)
	}
	m.compare(h, want)
}

func TestFullRestoreGoesOnWhereverItWasKilled(t *testing.T) {
	t.Parallel()
	rnd := dice(t)
	h := newHost(t, folder(t), sample.Config{Media: 60})
	served(t, h.inst.Dir)
	h.backup()
	want := h.image()
	takes := newMachine(t, h).restore("--yes", h.inst.Host(), "--verbatim").start().expect(0).took
	for kills := 0; kills < times(6, 50); {
		m := newMachine(t, h)
		for {
			c := m.restore("--yes", h.inst.Host(), "--verbatim", "--resume").start()
			timer := time.AfterFunc(time.Duration(rnd.Int64N(int64(takes))), func() { c.Process.Kill() })
			code := c.end()
			timer.Stop()
			if code != -1 {
				if code != 0 {
					// Where the kill came after the last step, everything is in the way.
					if _, err := os.Stat(filepath.Join(m.root, h.inst.Dir)); code != 20 || err != nil {
						t.Fatalf("exit %d\n%s%s", code, &c.stdout, &c.stderr)
					}
				}
				break
			}
			kills++
		}
		m.compare(h, want)
		ok(t, os.RemoveAll(m.root))
	}
}

// A machine whose hosts file leads the domain to a server of this test, and whose
// GoToSocial says which version it is.
func TestLookRefusesWhatWouldHarm(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	ok(t, os.WriteFile(filepath.Join(h.inst.Dir, "gotosocial"), []byte("#!/bin/sh\necho gotosocial version 0.20.0\n"), 0o755))
	ok(t, os.Chmod(filepath.Dir(h.dir), 0o755)) // its user must reach it
	served(t, h.inst.Dir)
	h.backup()
	m := newMachine(t, h)
	// The program asks the server that its proxy leads to.
	asked := make(chan string, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
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
	ok(t, os.MkdirAll(filepath.Join(m.root, "usr/bin"), 0o755))
	older := filepath.Join(m.root, "usr/bin/gotosocial")
	ok(t, os.Link(versioned(t, "0.19.1"), older))
	refused = answered("--old-is-dead").expect(20)
	if !strings.Contains(refused.summary.Error, "0.19.1") || !strings.Contains(refused.summary.Fix, "0.20.0") {
		t.Errorf("%+v", refused.summary)
	}
	ok(t, os.Remove(older))
	answered("--old-is-dead").expect(0)
}

func TestResumeWantsTheSameAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	served(t, h.inst.Dir)
	h.backup()
	want := h.image()
	m := newMachine(t, h)
	// A pack that is gone stops it, and comes back.
	packs, err := filepath.Glob(filepath.Join(m.root, "remote", "packs", "*"))
	ok(t, err)
	rec := h.newest()
	lost := filepath.Join(m.root, "remote", rec.Packs[manifest.Media][0].Object())
	if !slices.Contains(packs, lost) {
		t.Fatalf("no %s in %v", lost, packs)
	}
	ok(t, os.Rename(lost, lost+"-away"))
	m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(17)
	ok(t, os.Rename(lost+"-away", lost))
	again := m.restore("--yes", h.inst.Host(), "--resume").start().expect(20)
	if !strings.Contains(again.summary.Error, "other things") || again.summary.Fix == "" {
		t.Errorf("%+v", again.summary)
	}
	m.restore("--yes", h.inst.Host(), "--verbatim").start().expect(20)
	m.restore("--yes", h.inst.Host(), "--verbatim", "--resume").start().expect(0)
	m.compare(h, want)
}

func TestFreshServerKeepsItsMediaInABucket(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{})
	served(t, h.inst.Dir)
	h.backup()
	want := h.image()
	m := newMachine(t, h)
	bucket := newMediaServer(t)
	// The same instance, with its media elsewhere.
	moved := filepath.Join(t.TempDir(), "config.yaml")
	write(t, moved, read(t, h.config))
	bucket.configure(moved)
	m.write("/config.yaml", string(read(t, moved)))
	bucket.put("orphan", "orphan")
	to := []string{"--gotosocial", "/config.yaml", "--yes", h.inst.Host(), "--verbatim"}
	refused := m.restore(to...).start().expect(20)
	if !strings.Contains(refused.summary.Error, "orphan") || !strings.Contains(refused.summary.Fix, "--replace") {
		t.Errorf("%+v", refused.summary)
	}
	m.restore(append(to, "--replace")...).start().expect(0)
	if got := sum(t, filepath.Join(m.root, "sqlite.db")); got != want.database {
		t.Error("the database differs")
	}
	got := map[string]string{}
	for o := range bucket.admin.ListObjects(t.Context(), "media", minio.ListObjectsOptions{Prefix: mediaPrefix, Recursive: true}) {
		ok(t, o.Err)
		body, err := bucket.admin.GetObject(t.Context(), "media", o.Key, minio.GetObjectOptions{})
		ok(t, err)
		hash := sha256.New()
		_, err = io.Copy(hash, body)
		ok(t, err)
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
	write(t, filepath.Join(dir, "main.go"), source)
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
	compareMedia(t, filepath.Join(m.root, storage), media)

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
		for {
			c := m.restore("--yes", "social.example.org", "--verbatim", "--resume").start()
			timer := time.AfterFunc(time.Duration(rnd.Int64N(int64(3*time.Second))), func() { c.Process.Kill() })
			code := c.end()
			timer.Stop()
			if code == 0 {
				break
			}
			if code != -1 {
				t.Fatalf("exit %d\n%s%s", code, &c.stdout, &c.stderr)
			}
			kills++
		}
		if dumped(t, s, "gotosocial") != want {
			t.Error("the database differs after kills")
		}
		compareMedia(t, filepath.Join(m.root, storage), media)
		ok(t, os.RemoveAll(m.root))
	}
	var left int
	ok(t, s.Connect(t, "postgres", "postgres").QueryRow(t.Context(), "SELECT count(*) FROM pg_database WHERE datname LIKE '%holdfast%'").Scan(&left))
	if left != 0 {
		t.Errorf("%d temporary databases are left", left)
	}
}
