package gotosocialtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/testkit"
)

// Domain is the domain of each instance. No name server knows the domain.
const Domain = "social.test"

// Instance is a GoToSocial instance in a folder. If root runs the test, then the user
// nobody runs the server, and owns the folder.
type Instance struct {
	Dir  string // the working folder of the server
	Port int

	release   Release
	root      string // the root folder of the server, "" for the machine's own
	installed string // the folder of [Release.install] below the root folder
	as        *syscall.Credential
}

// New makes an instance on SQLite in the new folder dir, like the contents of an
// unpacked release. settings are lines of config.yaml. Each replaces the line with the
// same key, for example the line that chooses SQLite.
func New(t testing.TB, release Release, dir string, settings ...string) *Instance {
	t.Helper()
	i := &Instance{Dir: dir, Port: testkit.FreePort(t), release: release, installed: dir}
	i.UnpackWeb(t)
	testkit.Write(t, i.Config(), i.settings(settings))
	testkit.OK(t, os.Chmod(i.Config(), 0o600))
	if os.Geteuid() == 0 {
		testkit.GiveTree(t, dir, testkit.Nobody, testkit.Nobody)
		testkit.LetIn(t, dir)
		i.as = &syscall.Credential{Uid: testkit.Nobody, Gid: testkit.Nobody}
	}
	release.install(t, dir) // the program stays the caller's
	return i
}

// settings returns the text of config.yaml.
func (i *Instance) settings(own []string) string {
	given := "\n" + strings.Join(own, "\n")
	var text strings.Builder
	for _, line := range append([]string{
		"host: " + Domain,
		"bind-address: 127.0.0.1",
		fmt.Sprintf("port: %d", i.Port),
		"letsencrypt-enabled: false",
		"log-level: warn",
		"web-template-base-dir: " + filepath.Join(i.Dir, "web", "template"),
		"web-asset-base-dir: " + filepath.Join(i.Dir, "web", "assets"),
		"db-type: sqlite",
		"db-address: " + i.Database(),
		"storage-backend: local",
		"storage-local-base-path: " + i.Storage(),
		// No cleaner works at midnight, no test asks too often, no request leaves.
		"media-cleanup-every: 87600h",
		"advanced-rate-limit-requests: 0",
		`http-client: {block-ips: ["0.0.0.0/0", "::/0"]}`,
	}, own...) {
		key, _, _ := strings.Cut(line, ":")
		if !strings.Contains(given, "\n"+key+":") || strings.Contains(given, "\n"+line) {
			fmt.Fprintln(&text, line)
		}
	}
	return text.String()
}

// Config returns the path of the configuration.
func (i *Instance) Config() string { return filepath.Join(i.Dir, "config.yaml") }

// Database returns the path of the SQLite database.
func (i *Instance) Database() string { return filepath.Join(i.Dir, "sqlite.db") }

// Storage returns the path of the folder with the media.
func (i *Instance) Storage() string { return filepath.Join(i.Dir, "storage") }

// At returns the instance on another machine: a folder with /bin/sh and /tmp that
// becomes the root folder of the server. At installs the release in the machine's folder
// /usr/bin.
func (i *Instance) At(t testing.TB, root string, release Release) *Instance {
	t.Helper()
	release.install(t, filepath.Join(root, "/usr/bin"))
	other := *i
	other.release, other.root, other.installed = release, root, "/usr/bin"
	return &other
}

// UnpackWeb replaces the folder with templates and assets by the release's.
func (i *Instance) UnpackWeb(t testing.TB) {
	t.Helper()
	web := filepath.Join(i.root, i.Dir, "web")
	testkit.OK(t, os.RemoveAll(web))
	testkit.OK(t, os.CopyFS(web, os.DirFS(i.release.web())))
}

// command prepares a run of the program as the server's user.
func (i *Instance) command(args ...string) *exec.Cmd {
	program := filepath.Join(i.installed, programName)
	cmd := exec.Command(program, append([]string{"--config-path", i.Config()}, args...)...)
	cmd.Dir = i.Dir
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + i.Dir,
		"GTS_WAZERO_COMPILATION_CACHE=" + filepath.Join(i.installed, compiledName),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: i.as}
	return cmd
}

// Admin runs one of GoToSocial's own commands, for example "admin export".
func (i *Instance) Admin(t testing.TB, args ...string) {
	t.Helper()
	var output bytes.Buffer
	cmd := i.command(append([]string{"admin"}, args...)...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		t.Fatalf("gotosocial admin %s: %v\n%s", args[0], err, &output)
	}
}
