package integration_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// container is a host whose server runs in a container: the database lies at
// /gotosocial/data/sqlite.db in the container, the media in /gotosocial/storage.
type container struct {
	*host
	project string // the folder of the compose file
}

// newContainer makes a host with a compose project. The data belong to 1000:1000, which
// has a name on the host.
func newContainer(t *testing.T) *container {
	t.Helper()
	dir := t.TempDir()
	c := &container{project: filepath.Join(dir, "project")}
	inst := copySample(t, filepath.Join(dir, "data"), sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	testkit.GiveTree(t, inst.Dir, testkit.Nobody, testkit.Nobody)
	at := folderRemote(t)
	c.host = &host{t: t, dir: dir, inst: inst, config: filepath.Join(c.project, "gotosocial.env"), remote: at.url}
	for name, text := range map[string]string{
		"gotosocial.env": fmt.Sprintf("GTS_HOST='%s'\nGTS_DB_TYPE=sqlite\nGTS_DB_ADDRESS=data/sqlite.db\n"+
			"GTS_SMTP_PASSWORD='geheim $x'\n", inst.Domain()),
		"docker-compose.yml": "services:\n  gotosocial:\n    image: gotosocial:0.20.0\n    user: '65534:65534'\n" +
			"    env_file: [gotosocial.env, more.env]\n    secrets: [mail]\nsecrets:\n  mail: {file: ./secrets/mail}\n",
		"more.env":     "TZ=UTC\n",
		"secrets/mail": "geheim",
		".env":         "TAG=0.20.0\n",
	} {
		testkit.Write(t, filepath.Join(c.project, name), text)
	}
	testkit.OK(t, os.Chmod(filepath.Join(c.project, "secrets/mail"), 0o600))
	return c
}

// initWith sets up Holdfast, with the mapping of the container's folders.
func (c *container) initWith(args ...string) {
	c.t.Helper()
	to := []string{"init", c.remote, "--env-file", c.config, "--kit", c.kit()}
	c.holdfast(append(to, args...)...).start().expect(0)
}

// wantContainer wants the parts of the instance in folders of a machine, and each file of
// the project as it was.
func (c *container) wantContainer(m *machine, want image, data, storage string) {
	c.t.Helper()
	if got := testkit.Sum(c.t, filepath.Join(m.root, data, "sqlite.db")); got != want.database {
		c.t.Error("the database differs")
	}
	files := maps.Clone(want.media)
	for name, sum := range testkit.Tree(c.t, filepath.Join(c.inst.Storage(), "certs")) {
		files["certs/"+name] = sum
	}
	testkit.SameTree(c.t, filepath.Join(m.root, storage), files)
	for path, wanted := range map[string]string{
		data: "0755 65534", data + "/sqlite.db": "0640 65534", storage: "0755 65534",
		c.project: "0755 0", c.config: "0644 0", c.project + "/docker-compose.yml": "0644 0",
		c.project + "/more.env": "0644 0", c.project + "/.env": "0644 0", c.project + "/secrets/mail": "0600 0",
	} {
		at := filepath.Join(m.root, path)
		info, err := os.Stat(at)
		testkit.OK(c.t, err)
		uid, gid := testkit.User(c.t, at)
		if got := fmt.Sprintf("%04o %d", info.Mode().Perm(), uid); got != wanted || uid != gid {
			c.t.Errorf("%s has %s and group %d, want %s", path, got, gid, wanted)
		}
	}
	if _, err := os.Stat(filepath.Join(m.root, "gotosocial")); err == nil {
		c.t.Error("the container's path exists on the host")
	}
}

func TestContainerComesBackToTheFoldersOfTheHost(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	c.initWith("--path", "/gotosocial/data="+c.inst.Dir, "--path", "/gotosocial/storage="+c.inst.Storage())
	c.backup()
	want := c.image()
	m := newMachine(t, c.host)
	// A fresh machine gives other names to the numbers, or none.
	m.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
	m.write("/etc/group", "root:x:0:\n")
	plan := m.restore("--plan").start().expect(0).stdout.String()
	for _, words := range []string{
		"/gotosocial/storage is " + c.inst.Storage(), "runs in a container", "65534:65534",
		c.project + "/docker-compose.yml", c.config, c.yaml(),
	} {
		if !strings.Contains(plan, words) {
			t.Errorf("the plan says nothing of %q:\n%s", words, plan)
		}
	}
	m.write(c.yaml(), "# for the restore\n")
	done := m.restore("--yes", c.inst.Domain(), "--verbatim").start().expect(0).stdout.String()
	c.wantContainer(m, want, c.inst.Dir, c.inst.Storage())
	start := "cd " + c.project + " \\u0026\\u0026 docker compose up --detach"
	if !strings.Contains(done, start) {
		t.Errorf("the last step is not %q:\n%s", start, done)
	}
	if strings.Contains(done, ".old-server") {
		t.Errorf("the last step moves the configuration of this machine away:\n%s", done)
	}
	if got := string(testkit.Read(t, filepath.Join(m.root, c.yaml()))); got != "# for the restore\n" {
		t.Errorf("the configuration of this machine is now %q", got)
	}

	// Another machine has other disks.
	other := newMachine(t, c.host)
	done = other.restore("--path", "/gotosocial/storage=/srv/media", "--path", "/gotosocial/data=/srv/db",
		"--yes", c.inst.Domain(), "--verbatim").start().expect(0).stdout.String()
	for _, task := range []string{
		"mount /srv/media at /gotosocial/storage", "mv " + c.yaml() + " " + c.yaml() + ".old-server",
	} {
		if !strings.Contains(done, task) {
			t.Errorf("the remaining work lacks %q:\n%s", task, done)
		}
	}
	c.wantContainer(other, want, "/srv/db", "/srv/media")
	if got := testkit.Read(t, filepath.Join(other.root, c.yaml())); string(got) != string(testkit.Read(t, c.yaml())) {
		t.Errorf("Holdfast's configuration is %q", got)
	}

	// A restore into a folder says how the container starts over the folder.
	to := filepath.Join(t.TempDir(), "restored")
	c.restoring("latest", to).start().expect(0)
	env := string(testkit.Read(t, filepath.Join(to, "run.env")))
	for _, words := range []string{
		fmt.Sprintf("volumes: [%q]", to+":"+to), fmt.Sprintf("env_file: [%q, %q]", to+"/files"+c.config, to+"/run.env"),
		"docker compose up --detach", "chown -R 65534:65534",
	} {
		if !strings.Contains(env, words) {
			t.Errorf("run.env lacks %q:\n%s", words, env)
		}
	}
}

// A Holdfast that runs in a container too does not know the folders of the host.
func TestContainersFolderWithoutAPlaceIsRefused(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	// The paths of host and container are equal.
	text := fmt.Sprintf("GTS_HOST=%s\nGTS_DB_TYPE=sqlite\nGTS_DB_ADDRESS=%s\nGTS_STORAGE_LOCAL_BASE_PATH=%s\n",
		c.inst.Domain(), c.inst.Database(), c.inst.Storage())
	testkit.Write(t, c.config, text)
	c.initWith()
	c.backup()
	want := c.image()
	m := newMachine(t, c.host)
	to := []string{"--yes", c.inst.Domain(), "--verbatim"}
	m.restore(to...).start().expect(20).says("which folder of this machine", "--path "+c.inst.Dir+"=FOLDER")
	m.restore(append(to, "--path", c.inst.Dir+"=/srv/here")...).start().expect(0)
	c.wantContainer(m, want, "/srv/here", "/srv/here/storage")
}
