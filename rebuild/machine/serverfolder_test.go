package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// machineIn is a machine with the storage in dir. The user nobody runs the server.
func machineIn(t *testing.T, dir, database string) *Machine {
	t.Helper()
	c, err := gotosocial.Load("", []string{"GTS_HOST=example.org", "GTS_DB_TYPE=sqlite", "GTS_DB_ADDRESS=" + database,
		"GTS_STORAGE_LOCAL_BASE_PATH=" + dir + "/storage"})
	testkit.OK(t, err)
	c.WorkingDir = dir
	return &Machine{Config: c, Domain: "example.org", Facts: manifest.Facts{Engine: gotosocial.SQLite},
		User: "nobody:nogroup", Folder: filepath.Join(t.TempDir(), "work", "instance")}
}

// Unpacking GoToSocial makes a folder of root. SQLite makes the files of its log in the
// folder of the database.
func TestFolderOfAnUnpackedReleaseGoesToTheServer(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	testkit.OK(t, os.Chmod(dir, 0o755))
	for _, name := range []string{"gotosocial", "LICENSE", "web/template/index.tmpl", "sqlite.db.before-restore"} {
		testkit.Write(t, filepath.Join(dir, name), name)
	}
	m := machineIn(t, dir, dir+"/sqlite.db")
	plan := ""
	for _, f := range m.inspectServerFolders() {
		plan += f.Detail + f.Fix + "\n"
	}
	if want := "at the end the restore gives the folder " + dir + " to nobody:nogroup\n"; plan != want {
		t.Errorf("the plan says %q, want %q", plan, want)
	}
	_, err := m.PutMedia(t.Context())
	testkit.OK(t, err)
	testkit.OK(t, m.GiveFolders())
	for path, want := range map[string]uint32{
		dir: testkit.Nobody, dir + "/storage": testkit.Nobody,
		dir + "/gotosocial": 0, dir + "/web/template/index.tmpl": 0,
	} {
		if uid := owned(t, path); uid != want {
			t.Errorf("%s belongs to %d, want %d", path, uid, want)
		}
	}
}

// A folder with the files of other programs, or of the system, is not the server's.
func TestFolderOfOthersIsNeverGivenAway(t *testing.T) {
	testkit.NeedsRoot(t)
	shared, others, shut := testkit.PublicDir(t), testkit.PublicDir(t), testkit.PublicDir(t)
	testkit.Write(t, shared+"/mastodon/precious", "")
	testkit.OK(t, os.Chmod(shared, 0o755))
	testkit.OK(t, os.Chown(others, 1, 1))
	testkit.OK(t, os.Chmod(others, 0o755))
	testkit.OK(t, os.Chmod(shut, 0o700))
	testkit.OK(t, os.Mkdir(shut+"/gts", 0o755))
	for _, c := range []struct{ dir, detail, fix string }{
		{shared, "holds mastodon", "chown nobody:nogroup " + shared},
		{others, "belongs to daemon", "chown nobody:nogroup " + others},
		{"/var/lib", "a folder of the system", "db-address"},
		{"/", "a folder of the system", "db-address"},
		{shut + "/gts", "can't open files below " + shut, "chmod o+x " + shut},
		{shut + "/gts/new", "can't open files below " + shut, "chmod o+x " + shut},
	} {
		m := machineIn(t, testkit.PublicDir(t), filepath.Join(c.dir, "sqlite.db"))
		before := owned(t, filepath.Dir(c.dir))
		f := firstRefused(m.inspectServerFolders())
		if f.Subject != DatabaseSubject || !strings.Contains(f.Detail, c.detail) || !strings.Contains(f.Fix, c.fix) {
			t.Errorf("%s: %+v", c.dir, f)
		}
		if err := m.GiveFolders(); err == nil || owned(t, filepath.Dir(c.dir)) != before {
			t.Errorf("%s: %v", c.dir, err)
		}
	}
}

// A run that is killed after the gift must find its journal again.
func TestWorkFolderIsNoneThatTheRestoreGivesAway(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := t.TempDir()
	for _, folder := range []string{dir + "/gts", dir + "/gts/storage"} { // an empty folder, then one with a storage
		testkit.OK(t, os.Mkdir(folder, 0o755))
		m := machineIn(t, dir+"/gts", dir+"/gts/sqlite.db")
		near, err := m.Near("")
		testkit.OK(t, err)
		if near != dir {
			t.Errorf("the work folder is in %s, want %s", near, dir)
		}
	}
}

// A server without its certificates' folder can't renew them, and a server that can't
// read its configuration does not start.
func TestServerGetsWhatItsConfigurationNames(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	testkit.OK(t, os.Chmod(dir, 0o755))
	testkit.OK(t, os.Mkdir(dir+"/certs", 0o755))
	testkit.Write(t, dir+"/config.yaml", "host: example.org\ndb-type: sqlite\ndb-address: "+dir+"/sqlite.db\n"+
		"storage-local-base-path: "+dir+"/storage\nletsencrypt-enabled: true\nletsencrypt-cert-dir: "+dir+"/certs\n")
	testkit.OK(t, os.Chmod(dir+"/config.yaml", 0o600))
	m := machineIn(t, dir, dir+"/sqlite.db")
	c, err := gotosocial.Load(dir+"/config.yaml", nil)
	testkit.OK(t, err)
	m.Config = c
	_, err = m.PutMedia(t.Context())
	testkit.OK(t, err)
	testkit.OK(t, m.GiveFolders())
	if uid := owned(t, dir+"/certs"); uid != testkit.Nobody {
		t.Errorf("the folder of the certificates belongs to %d", uid)
	}
	want := "chown nobody:nogroup " + dir + "/config.yaml"
	if tasks := strings.Join(m.letRead(), "\n"); !strings.HasSuffix(tasks, want) {
		t.Errorf("the tasks are %q", tasks)
	}
	testkit.OK(t, os.Chown(dir+"/config.yaml", testkit.Nobody, testkit.Nobody))
	if tasks := m.letRead(); tasks != nil {
		t.Errorf("the tasks are %q", tasks)
	}
}

// The listing has a stand-in for a name that is not UTF-8. The folder has the true name.
func TestFileWithAnOddNameIsNoStrangersFile(t *testing.T) {
	dir := t.TempDir()
	const odd = "odd\xff"
	testkit.Write(t, filepath.Join(dir, odd), "x")
	m := machineIn(t, dir, dir+"/sqlite.db")
	actual := strings.TrimPrefix(dir, "/") + "/" + odd
	m.Files = []manifest.File{{Part: manifest.Files, Path: manifest.StandIn(actual), Name: []byte(actual)}}
	if why, err := m.foreign(dir, 0); why != "" || err != nil {
		t.Errorf("%s, %v", why, err)
	}
}
