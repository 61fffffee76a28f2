package gotosocial_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
)

func TestFilesThatStartTheContainerAreSaved(t *testing.T) {
	const settings = "GTS_HOST=example.org\n"
	quadlet := "etc/containers/systemd/social.container"
	const container = "[Container]\nEnvironmentFile=ROOT/p/own.env\nVolume=data.volume:/data\n"
	for name, c := range map[string]struct {
		files   map[string]string
		server  gotosocial.Server // in paths, ROOT is the folder
		starter string
		saved   []string
		warned  bool
	}{
		"compose file beside": {
			files: map[string]string{"p/own.env": settings, "p/more.env": "", "p/.env": "", "p/mail": "", "p/conf": "",
				"p/compose.yml": "services: {a: {env_file: [own.env, {path: ./more.env}]}, b: {env_file: $X}}\n" +
					"secrets: {s: {file: mail}, t: {environment: T}}\nconfigs: {c: {file: ROOT/p/conf}}\n",
				"p/docker-compose.yml": "", "p/compose.override.yml": ""},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"}, starter: "ROOT/p/compose.yml",
			saved: []string{"p/own.env", "p/more.env", "p/.env", "p/mail", "p/conf", "p/compose.override.yml"},
		},
		"compose file named": {
			files:  map[string]string{"p/own.env": settings, "q/x.yaml": "services: {}", "p/compose.yml": ""},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env", Starter: "ROOT/q/x.yaml"}, starter: "ROOT/q/x.yaml",
		},
		"variables in the compose file": {
			files: map[string]string{"p/own.env": settings,
				"p/compose.yml": "# GTS_NOT\nservices: {a: {environment: {GTS_PORT: 1}}}\n"},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"}, starter: "ROOT/p/compose.yml", warned: true,
		},
		"quadlet": {
			files: map[string]string{"p/own.env": settings, "etc/containers/systemd/data.volume": "[Volume]\n",
				"etc/containers/systemd/other.container": "[Container]\nEnvironmentFile=/other.env\n",
				quadlet:                                  container},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"}, starter: "ROOT/" + quadlet,
			saved: []string{"etc/containers/systemd/data.volume"},
		},
		"quadlet with a drop-in": {
			files: map[string]string{"p/own.env": settings, quadlet: container, "p/more.env": "",
				quadlet + ".d/10-more.conf":    "[Container]\r\nEnvironmentFile=ROOT/p/more.env\r\nPod=x.pod\r\n",
				"etc/containers/systemd/x.pod": "[Pod]\n"},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"}, starter: "ROOT/" + quadlet,
			saved: []string{quadlet + ".d", "p/more.env", "etc/containers/systemd/x.pod"},
		},
		"two quadlets of one environment file": {
			files: map[string]string{"p/own.env": settings,
				"etc/containers/systemd/backup.container": "[Container]\nImage=dump\nEnvironmentFile=ROOT/p/own.env\n",
				quadlet: container + "Image=docker.io/superseriousbusiness/gotosocial:0.20.0\n"},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"}, starter: "ROOT/" + quadlet,
		},
		"compose file of several files": {
			files: map[string]string{
				"p/own.env": settings, "p/q/db.env": "", "p/mail": "", "p/r.yml": "services: {}\n", "p/r.env": "",
				"p/base.yml":      "services: {a: {secrets: [s]}}\nsecrets: {s: {file: mail}}\n",
				"p/q/compose.yml": "services: {b: {env_file: db.env}}\n",
				"p/compose.yml": "\uFEFFinclude:\r\n- q/compose.yml\r\n" +
					"- {path: [r.yml, compose.yml], env_file: r.env}\r\n" +
					"services: {a: {extends: {file: base.yml, service: a}}}\r\n"},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"}, starter: "ROOT/p/compose.yml",
			saved: []string{"p/q/compose.yml", "p/q/db.env", "p/base.yml", "p/mail", "p/r.yml", "p/r.env"},
		},
		"compose file above": {
			files: map[string]string{"p/c/own.env": settings,
				"p/docker-compose.yml": "services: {a: {env_file: c/own.env}}"},
			server: gotosocial.Server{EnvFile: "ROOT/p/c/own.env"}, starter: "ROOT/p/docker-compose.yml",
		},
		"nothing": {
			files: map[string]string{"p/own.env": settings,
				"docker-compose.yml": "services: {a: {env_file: other/own.env}}"},
			server: gotosocial.Server{EnvFile: "ROOT/p/own.env"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := machine(t, c.files)
			in := func(path string) string { return strings.ReplaceAll(path, "ROOT", root) }
			c.server.EnvFile, c.server.Starter, c.server.Root = in(c.server.EnvFile), in(c.server.Starter), root
			got := config(t, c.server)
			if got.Starter != in(c.starter) || !got.Container {
				t.Errorf("starter %q, container %v", got.Starter, got.Container)
			}
			for _, path := range c.saved {
				if files := slices.Concat(got.ServiceFiles, got.StarterFiles); !slices.Contains(files, root+"/"+path) {
					t.Errorf("no %s among %q", path, files)
				}
			}
			if warned := strings.Contains(strings.Join(got.Warnings, ""), "does not see"); warned != c.warned {
				t.Errorf("warnings %q", got.Warnings)
			}
		})
	}
}

// The server's user may write a compose file, and must not make root save /etc/shadow.
func TestComposeFileOfAnotherUserNamesOnlyTheirFiles(t *testing.T) {
	testkit.NeedsRoot(t)
	root := machine(t, map[string]string{"p/own.env": "GTS_HOST=example.org\n", "shadow": "root", "p/mail": "theirs",
		"p/compose.yml": "secrets: {a: {file: ROOT/shadow}, b: {file: mail}}\n"})
	testkit.GiveTree(t, root+"/p", testkit.Nobody, testkit.Nobody)
	files := config(t, gotosocial.Server{EnvFile: root + "/p/own.env"}).StarterFiles
	if slices.Contains(files, root+"/shadow") || !slices.Contains(files, root+"/p/mail") {
		t.Errorf("%q", files)
	}
}

// restored reads the configuration of files below a folder, as a restore does.
func restored(t *testing.T, s gotosocial.Server, files map[string]string) *gotosocial.Config {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		testkit.Write(t, dir+"/files"+name, text)
	}
	c, err := gotosocial.LoadRestored(os.DirFS(dir), "example.org", s)
	testkit.OK(t, err)
	return c
}

func TestRestoreFindsTheServerAsTheBackupFoundIt(t *testing.T) {
	const settings = "host: example.org\ndb-type: sqlite\ndb-address: sqlite.db\n"
	starts := "ExecStart=/opt/gts/gotosocial --config-path /etc/gts.yaml server start\n"
	for name, c := range map[string]struct {
		server   gotosocial.Server
		files    map[string]string
		database string
		starter  string
	}{
		"unit": {gotosocial.Server{Unit: "gts.service"}, map[string]string{"/etc/gts.yaml": settings,
			"/etc/systemd/system/gts.service": "[Service]\nWorkingDirectory=/srv/gts\n" + starts},
			"/srv/gts/sqlite.db", ""},
		"working_dir over the unit's": {gotosocial.Server{WorkingDir: "/srv/own"}, map[string]string{
			"/etc/gts.yaml": settings, "/etc/systemd/system/gts.service": "[Service]\nWorkingDirectory=/srv/gts\n" +
				starts}, "/srv/own/sqlite.db", ""},
		"one of two files": {gotosocial.Server{File: "/b/config.yaml"}, map[string]string{"/a/config.yaml": settings,
			"/b/config.yaml": settings}, "/b/sqlite.db", ""},
		"container": {gotosocial.Server{EnvFile: "/p/own.env", Paths: map[string]string{"/gotosocial": "/srv/data"}},
			map[string]string{"/p/own.env": "GTS_HOST=example.org\nGTS_DB_TYPE=sqlite\nGTS_DB_ADDRESS='sqlite.db'\n",
				"/p/docker-compose.yml":                  "services: {}",
				"/etc/systemd/system/gotosocial.service": "[Service]\nWorkingDirectory=/p\nExecStart=docker up\n"},
			"/srv/data/sqlite.db", "/p/docker-compose.yml"},
		"quotes of docker compose": {gotosocial.Server{EnvFile: "/p/own.env"}, map[string]string{
			"/p/own.env": "GTS_HOST=example.org # ours\nGTS_DB_TYPE=sqlite\nGTS_DB_ADDRESS=/d/${GTS_HOST}.db\n"},
			"/d/example.org.db", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := restored(t, c.server, c.files)
			if got.Database() != c.database || got.Starter != c.starter || got.Container != (c.server.EnvFile != "") {
				t.Errorf("%s, starter %q, container %v", got.Database(), got.Starter, got.Container)
			}
		})
	}
}

func TestRestoreFindsTheStarterThroughALink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	testkit.Write(t, dir+"/files/p/own.env", "GTS_HOST=example.org\n")
	testkit.Write(t, dir+"/files/projects/gts.yml", "services: {}\n")
	// A link of the snapshot must not lead to a file of this machine.
	testkit.Write(t, elsewhere+"/compose.yaml", "services: {}\n")
	testkit.OK(t, os.Symlink("/projects/gts.yml", dir+"/files/p/compose.yml"))
	testkit.OK(t, os.Symlink(elsewhere+"/compose.yaml", dir+"/files/p/compose.yaml"))
	c, err := gotosocial.LoadRestored(os.DirFS(dir), "example.org", gotosocial.Server{EnvFile: "/p/own.env"})
	testkit.OK(t, err)
	if c.Starter != "/p/compose.yml" {
		t.Errorf("starter %q", c.Starter)
	}
}

// The variable of a unit wins over every file, and would lead the server to no database.
func TestVariablesThatOverrideAGivenFileAreNamed(t *testing.T) {
	old := restored(t, gotosocial.Server{}, map[string]string{
		"/etc/gts.yaml": "host: example.org\ndb-type: sqlite\ndb-address: /old.db\n",
		"/etc/systemd/system/gts.service": "[Service]\nEnvironment=GTS_DB_ADDRESS=/srv/own.db GTS_PORT=1\n" +
			"ExecStart=/opt/gotosocial --config-path /etc/gts.yaml --storage-local-base-path /srv/m server start\n"})
	root := machine(t, map[string]string{"new.yaml": "host: example.org\ndb-type: sqlite\ndb-address: /new.db\n" +
		"storage-local-base-path: /srv/m\n"})
	c, err := gotosocial.Load(root+"/new.yaml", nil)
	testkit.OK(t, err)
	c.AdoptServer(old)
	if len(c.Overriding) != 1 || c.Overriding[0].From() != "GTS_DB_ADDRESS in /etc/systemd/system/gts.service" {
		t.Errorf("%+v", c.Overriding)
	}
}
