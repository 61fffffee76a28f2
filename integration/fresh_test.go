package integration_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast/instance/postgrestest"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

func TestFreshServerGetsTheWholeInstance(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{})
	m := newMachine(t, h)

	// The plan shows all steps. The restore waits for the domain.
	plan := m.restore("--plan").start().expect(0).stdout.String()
	for _, words := range []string{
		h.inst.Database(), h.inst.Storage(), h.config, "nobody answers", "not installed", "nobody:nogroup",
	} {
		if !strings.Contains(plan, words) {
			t.Errorf("the plan says nothing of %q:\n%s", words, plan)
		}
	}
	m.restore().start().expect(20)
	m.restore("--yes", "elsewhere.example").start().expect(20)
	if _, err := os.Stat(filepath.Join(m.root, h.inst.Dir)); err == nil {
		t.Fatal("something was restored")
	}

	done := m.restore("--yes", h.inst.Domain(), "--verbatim").start().expect(0)
	m.compare(h, want)
	if !strings.Contains(done.stdout.String(), "start GoToSocial") {
		t.Errorf("the output does not name the next step:\n%s", done.stdout.String())
	}

	// A restore leaves other files in the work folder alone.
	other := newMachine(t, h)
	other.addDisk()
	other.write("/disk/precious", "precious")
	other.restore("--yes", h.inst.Domain(), "--verbatim", "--work", "/disk").start().expect(0)
	wantNames(t, filepath.Join(other.root, "disk"), "precious")
	other.compare(h, want)

	// A second restore leaves the restored files alone.
	again := m.restore("--yes", h.inst.Domain()).start().expect(20)
	if again.summary.Effect != "nothing was changed" || again.summary.Fix == "" {
		t.Errorf("%+v", again.summary)
	}
	// A restore never adds media to other media.
	m.restore("--yes", h.inst.Domain(), "--replace").start().expect(20).says("is not empty", "move the contents")
	m.compare(h, want)
}

func TestFullRestoreContinuesAfterEachKill(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{Media: 60})
	whole := newMachine(t, h).restore("--yes", h.inst.Domain(), "--verbatim").start().expect(0)
	k := newKiller(t, whole.took)
	for kills := 0; kills < times(6, 50); {
		m := newMachine(t, h)
		kills += m.untilWhole(k, "--yes", h.inst.Domain(), "--verbatim")
		m.compare(h, want)
		testkit.OK(t, os.RemoveAll(m.root))
	}
}

// The plan refuses a restore while the old server answers, or if the installed
// GoToSocial is older than the snapshot's.
func TestPlanRefusesALiveDomainAndAnOlderServer(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), sample.Config{})
	script := []byte("#!/bin/sh\necho gotosocial version 0.20.0\n")
	testkit.OK(t, os.WriteFile(filepath.Join(h.inst.Dir, "gotosocial"), script, 0o755))
	testkit.OK(t, os.Chmod(filepath.Dir(h.dir), 0o755)) // the server's user must reach the program
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	m := newMachine(t, h)
	// Through a proxy the program asks a server of this test.
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
		c := m.restore(append(args, "--yes", h.inst.Domain(), "--verbatim")...)
		c.Env = append(c.Env, "HTTPS_PROXY="+proxy.URL)
		return c.start()
	}
	answered().expect(20).says("gotosocial answers for "+h.inst.Domain(), "--old-is-dead")
	if got := <-asked; got != h.inst.Domain()+"/.well-known/nodeinfo" {
		t.Errorf("the program asked %s", got)
	}

	// The machine has an older server than the snapshot's.
	testkit.OK(t, os.MkdirAll(filepath.Join(m.root, "usr/bin"), 0o755))
	older := filepath.Join(m.root, "usr/bin/gotosocial")
	testkit.OK(t, os.Link(versioned(t, "0.19.1"), older))
	answered("--old-is-dead").expect(20).says("0.19.1", "0.20.0")
	testkit.OK(t, os.Remove(older))
	answered("--old-is-dead").expect(0)
}

func TestResumeNeedsTheSameArguments(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{})
	m := newMachine(t, h)
	// The media get a disk of their own, which has a lost+found.
	testkit.OK(t, os.MkdirAll(filepath.Join(m.root, h.inst.Storage(), "lost+found"), 0o755))
	// A lost pack stops the restore, and comes back.
	packs, err := filepath.Glob(filepath.Join(m.root, "remote", "packs", "*"))
	testkit.OK(t, err)
	rec := h.newest()
	lost := filepath.Join(m.root, "remote", rec.Packs[manifest.Media][0].Object())
	if !slices.Contains(packs, lost) {
		t.Fatalf("no %s in %v", lost, packs)
	}
	testkit.OK(t, os.Rename(lost, lost+"-away"))
	wanted := fmt.Sprintf("holdfast restore %s --from '%s' --identity /kit.txt --verbatim --yes %s --resume",
		rec.ID(), m.pin, h.inst.Domain())
	continuation := func(c *command) string {
		t.Helper()
		_, command, named := strings.Cut(c.summary.Fix, "continue the restore with this command:\n")
		if !named || command != wanted {
			t.Errorf("the fix is %q, want %q", c.summary.Fix, wanted)
		}
		return command
	}
	continuation(m.restore("--yes", h.inst.Domain(), "--verbatim").start().expect(17))
	testkit.OK(t, os.Rename(lost+"-away", lost))
	again := m.restore("--yes", h.inst.Domain(), "--resume").start().expect(20)
	if !strings.Contains(again.summary.Error, "other things") || again.summary.Fix == "" {
		t.Errorf("%+v", again.summary)
	}
	elsewhere := m.restore("--yes", h.inst.Domain(), "--verbatim", "--resume", "--work", "/other").start().expect(20)
	if elsewhere.says("in /other/", "--work"); elsewhere.summary.Effect != "nothing was changed" {
		t.Errorf("%+v", elsewhere.summary)
	}
	if _, err := os.Stat(filepath.Join(m.root, "other")); err == nil {
		t.Error("a second restore began")
	}
	command := continuation(m.restore("--yes", h.inst.Domain(), "--verbatim").start().expect(20))
	words := strings.Fields(strings.ReplaceAll(command, "'", ""))
	m.holdfast(words[1:]...).start().expect(0)
	testkit.OK(t, os.Remove(filepath.Join(m.root, h.inst.Storage(), "lost+found")))
	m.compare(h, want)
	m.restore("--yes", h.inst.Domain(), "--verbatim", "--resume").start().expect(20)
}

func TestRestoreCreatesUserAndGroupsOfTheServer(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	testkit.GiveTree(t, h.inst.Dir, 5, 100) // games:users
	unit := filepath.Join(h.dir, "etc/unit/gotosocial.service")
	key := filepath.Join(h.dir, "etc/keys/private.pem")
	testkit.Write(t, unit, "[Service]\nUser=games\nGroup=audio\nWorkingDirectory="+h.inst.Dir+
		"\nExecStart=/opt/gotosocial --config-path "+h.config+" server start\n")
	testkit.Write(t, key, "secret")
	testkit.OK(t, os.Chown(key, 0, 42)) // root:shadow
	extra := "  extra: [" + filepath.Join(h.dir, "etc") + "]\nremotes:"
	testkit.Write(t, h.yaml(), strings.Replace(string(testkit.Read(t, h.yaml())), "remotes:", extra, 1))
	h.backup()
	m := newMachine(t, h)
	to := []string{"--yes", h.inst.Domain(), "--verbatim"}

	// Without useradd and groupadd the fix names the commands. Only an admin can
	// know the other groups.
	m.restore(to...).start().expect(20).says("", "groupadd --system users && "+
		"useradd --system --no-create-home --shell /usr/sbin/nologin --gid users games && groupadd --system audio")
	m.install("useradd", "groupadd")
	refused := m.restore(to...).start().expect(20).says(key, "")
	if !strings.HasSuffix(refused.summary.Fix, "or run: groupadd --system shadow") {
		t.Errorf("%+v", refused.summary)
	}
	testkit.OK(t, m.run("groupadd", "--system", "shadow"))
	m.restore(to...).start().expect(0)

	passwd := string(testkit.Read(t, filepath.Join(m.root, "etc/passwd")))
	group := string(testkit.Read(t, filepath.Join(m.root, "etc/group")))
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
	for path, want := range map[string][2]int{
		h.inst.Storage():                {games, users},
		h.inst.Database():               {games, users},
		h.config:                        {games, users},
		filepath.Dir(h.inst.Database()): {games, users}, // SQLite creates its log in this folder
		filepath.Dir(h.inst.Dir):        {0, 0},
		filepath.Dir(key):               {0, 0},
		key:                             {0, number(group, "shadow")},
	} {
		if uid, gid := testkit.User(t, filepath.Join(m.root, path)); [2]int{uid, gid} != want {
			t.Errorf("%s belongs to %d:%d, want %v", path, uid, gid, want)
		}
	}
}

func TestRestorePutsMediaIntoABucket(t *testing.T) {
	t.Parallel()
	h, want := newSavedHost(t, sample.Config{})
	m := newMachine(t, h)
	bucket := newMediaServer(t)
	// A configuration of the same instance names the bucket.
	moved := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, moved, testkit.Read(t, h.config))
	bucket.configure(moved)
	m.write("/moved/config.yaml", string(testkit.Read(t, moved)))
	bucket.put("orphan", "orphan")
	to := []string{"--gotosocial", "/moved/config.yaml", "--yes", h.inst.Domain(), "--verbatim"}
	m.restore(to...).start().expect(20).says("orphan", "--replace")
	m.restore(append(to, "--replace")...).start().expect(0)
	if got := testkit.Sum(t, filepath.Join(m.root, h.inst.Database())); got != want.database {
		t.Error("the database differs")
	}
	got := map[string]string{}
	all := minio.ListObjectsOptions{Prefix: mediaPrefix, Recursive: true}
	for o := range bucket.admin.ListObjects(t.Context(), bucket.at.Name, all) {
		testkit.OK(t, o.Err)
		body, err := bucket.admin.GetObject(t.Context(), bucket.at.Name, o.Key, minio.GetObjectOptions{})
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

func TestFreshServerGetsThePostgresInstance(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	s.AddKeys(t, "gotosocial")
	storage, media := someMedia(t)
	h := newPostgresHost(t, folderRemote(t), s, "gotosocial", storage)
	h.backup()
	want := dumped(t, s, "gotosocial")
	m := newMachine(t, h)
	m.restore("--yes", "social.example.org", "--verbatim").start().expect(20).says("exists", "")
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	m.restore("--yes", "social.example.org", "--verbatim").start().expect(0)
	if dumped(t, s, "gotosocial") != want {
		t.Error("the database differs")
	}
	testkit.SameTree(t, filepath.Join(m.root, storage), media)

	// A second restore replaces the whole database.
	s.Exec(t, "gotosocial", "DELETE FROM statuses")
	m = newMachine(t, h)
	m.restore("--yes", "social.example.org", "--verbatim", "--replace").start().expect(0)
	if dumped(t, s, "gotosocial") != want {
		t.Error("the database differs the second time")
	}

	k := newKiller(t, 3*time.Second)
	for kills := 0; kills < times(4, 50); {
		s.Exec(t, "postgres", "DROP DATABASE gotosocial")
		m := newMachine(t, h)
		kills += m.untilWhole(k, "--yes", "social.example.org", "--verbatim")
		if dumped(t, s, "gotosocial") != want {
			t.Error("the database differs after kills")
		}
		testkit.SameTree(t, filepath.Join(m.root, storage), media)
		testkit.OK(t, os.RemoveAll(m.root))
	}
	var left int
	const temporary = "SELECT count(*) FROM pg_database WHERE datname LIKE '%holdfast%'"
	testkit.OK(t, s.Connect(t, "postgres", "postgres").QueryRow(t.Context(), temporary).Scan(&left))
	if left != 0 {
		t.Errorf("%d temporary databases are left", left)
	}
}
