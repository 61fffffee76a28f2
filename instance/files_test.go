package instance_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
)

func files(t *testing.T, i *instance.Instance) (paths []string, byPath map[string]manifest.File) {
	t.Helper()
	byPath = map[string]manifest.File{}
	for f, err := range i.Files(t.Context()) {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		if err == nil && !f.Folder {
			paths = append(paths, f.Path)
			byPath[f.Path] = f
		}
	}
	return paths, byPath
}

// unsaved is what comes with an error, by path.
func unsaved(t *testing.T, i *instance.Instance) map[string]error {
	t.Helper()
	bad := map[string]error{}
	for f, err := range i.Files(t.Context()) {
		if err != nil {
			bad["/"+f.Path] = err
		}
	}
	return bad
}

func TestFilesPartHoldsTheServersFiles(t *testing.T) {
	dir := small(t, "WAL")
	other := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "storage/certs/social.example.org"), "certificate")
	testkit.Write(t, filepath.Join(dir, "web/template/index.tmpl"), "template")
	testkit.Write(t, filepath.Join(dir, "web/assets/themes/own.css"), "css")
	testkit.Write(t, filepath.Join(dir, "gotosocial.service"), "[Service]")
	testkit.Write(t, filepath.Join(dir, "gotosocial.service.d/override.conf"), "[Service]")
	testkit.Write(t, filepath.Join(other, "archive/key1.pem"), "key")
	testkit.Write(t, filepath.Join(other, "extra/notes"), "notes")
	for link, to := range map[string]string{
		"live.pem":     "archive/key1.pem",
		"extra/link":   "notes",
		"extra/socket": "/dev/null",
		"extra/loop":   ".",
		"extra/dbalso": dir + "/sqlite.db",
	} {
		if err := os.Symlink(to, filepath.Join(other, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(filepath.Join(dir, "sqlite.db"), filepath.Join(other, "extra/linked.db")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(dir, "config.yaml"), string(text)+"tls-certificate-key: "+other+"/live.pem\n")

	i := openServer(t, gotosocial.Server{File: dir + "/config.yaml", WorkingDir: dir, Unit: dir +
		"/gotosocial.service"}, instance.Options{
		// The whole folder: neither the live database nor media come with it.
		Extra: []string{other + "/extra", dir, dir + "/config.yaml"},
	})
	instancetest.Begin(t, i)
	paths, byPath := files(t, i)
	var want []string
	for _, p := range []string{
		dir + "/config.yaml", dir + "/gotosocial.service", dir + "/gotosocial.service.d/override.conf",
		dir + "/storage/certs/social.example.org", dir + "/web/assets/themes/own.css", dir + "/web/template/index.tmpl",
		other + "/archive/key1.pem", other + "/extra/dbalso", other + "/extra/link", other + "/extra/loop", other +
			"/extra/notes",
		other + "/extra/socket", other + "/live.pem",
	} {
		want = append(want, p[1:])
	}
	slices.Sort(want)
	if !slices.Equal(paths, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(paths, "\n"), strings.Join(want, "\n"))
	}
	for path, f := range byPath {
		if f.Link != "" {
			if text, err := os.Readlink("/" + path); text != string(f.Link) || err != nil || f.Size != 0 ||
				f.Mode != 0o777 || f.Modified.IsZero() || !strings.Contains(f.User, ":") {
				t.Errorf("%+v, %q, %v", f, text, err)
			}
			continue
		}
		r, err := i.Open(t.Context(), manifest.Files, path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil || int64(len(b)) != f.Size || f.Mode != 0o644 || f.Modified.IsZero() ||
			!strings.Contains(f.User, ":") {
			t.Errorf("%+v, %d bytes, %v", f, len(b), err)
		}
	}
	for _, path := range []string{dir[1:] + "/sqlite.db", other[1:] + "/extra/linked.db", other[1:] + "/extra/dbalso"} {
		if r, err := i.Open(t.Context(), manifest.Files, path); err == nil {
			r.Close()
			t.Errorf("%s was opened: that drops SQLite's locks", path)
		}
	}
}

func TestMaskedUnitIsLeftOut(t *testing.T) {
	dir := small(t, "WAL")
	unit := filepath.Join(dir, "etc/systemd/system/gotosocial.service")
	testkit.Write(t, filepath.Join(dir, "etc/systemd/system/gotosocial.service.d/own.conf"), "[Service]")
	if err := os.Symlink("/dev/null", unit); err != nil {
		t.Fatal(err)
	}
	i := openServer(t, gotosocial.Server{File: dir + "/config.yaml", Root: dir}, instance.Options{})
	if paths, _ := files(t, i); slices.Contains(paths, unit[1:]) || !slices.Contains(paths, unit[1:]+".d/own.conf") {
		t.Errorf("%q", paths)
	}
}

func TestExtraPathsLeaveOutMedia(t *testing.T) {
	dir := small(t, "WAL")
	testkit.Write(t, filepath.Join(dir, "storage/01A/attachment/original/01B.png"), "picture")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(dir, "config.yaml"), strings.Replace(string(text), "path: storage",
		"path: "+dir+"/storage/", 1))
	paths, _ := files(t, instancetest.Open(t, dir, instance.Options{Extra: []string{dir, link, dir + "/storage"}}))
	for _, path := range paths {
		if strings.HasSuffix(path, ".png") {
			t.Errorf("%s is media", path)
		}
	}
}

func TestCertificatesOfTheRecordedInstanceAreFiles(t *testing.T) {
	dir := testkit.RecordedSQLite.Copy(t)
	paths, _ := files(t, instancetest.Open(t, dir, instance.Options{}))
	want := []string{dir[1:] + "/config.yaml", dir[1:] + "/storage/certs/social.backup.test"}
	if !slices.Equal(paths, want) {
		t.Errorf("%q", paths)
	}
}

func TestUnsavablePathCostsNoOtherFile(t *testing.T) {
	dir := small(t, "WAL")
	testkit.Write(t, filepath.Join(dir, "extra/good"), "notes")
	testkit.Write(t, filepath.Join(dir, "extra/no\xffutf8"), "notes")
	testkit.Write(t, filepath.Join(dir, "extra/new\nline/in"), "notes")
	i := instancetest.Open(t, dir, instance.Options{Extra: []string{dir + "/gone", dir + "/extra", "/dev/null"}})
	bad := unsaved(t, i)
	if err := bad[dir+"/gone"]; !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("gone: %v", err)
	}
	for _, path := range []string{dir + "/gone", "/dev/null"} {
		var p *remedy.Error
		if !errors.As(bad[path], &p) || p.Fix == "" {
			t.Errorf("%q: %v", path, bad[path])
		}
	}
	var good []string
	for f, err := range i.Files(t.Context()) {
		if err == nil && !f.Folder {
			good = append(good, f.Path)
		}
	}
	want := []string{dir[1:] + "/config.yaml", dir[1:] + "/extra/good", dir[1:] + "/extra/new\uFFFD0Aline/in",
		dir[1:] + "/extra/no\uFFFDFFutf8"}
	if len(bad) != 2 || !slices.Equal(good, want) {
		t.Errorf("saved %q, not saved %v", good, bad)
	}
}

func TestFolderAroundAPathIsFoundThroughLinks(t *testing.T) {
	dir, other := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(dir, "extra/in/file"), "text")
	testkit.Write(t, filepath.Join(dir, "web/assets/style.css"), "css")
	if err := os.Symlink(dir+"/extra/in", other+"/link"); err != nil {
		t.Fatal(err)
	}
	i := instancetest.Open(t, dir, instance.Options{Extra: []string{dir + "/extra"}})
	for path, want := range map[string]string{
		dir + "/extra":                dir + "/extra",
		dir + "/extra/in":             dir + "/extra",
		dir + "/extra/not/yet/made":   dir + "/extra",
		other + "/link/not/yet":       dir + "/extra",
		dir + "/web/assets/holdfast":  dir + "/web/assets",
		dir + "/extra-and-more":       "",
		dir + "/storage/repository":   "",
		other:                         "",
		dir + "/config.yaml/no/where": "",
	} {
		if got := i.Around(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestUnreadableFolderCostsNoOtherFile(t *testing.T) {
	dir, reader := public(t, "DELETE")
	for _, name := range []string{"closed/key", "listed/key", "open/key"} {
		testkit.Write(t, filepath.Join(dir, "extra/"+name), "key")
	}
	if err := errors.Join(os.Chmod(dir+"/extra/closed", 0o711), os.Chmod(dir+"/extra/listed", 0o744)); err != nil {
		t.Fatal(err)
	}
	out := reader(dir + "/extra")
	for _, line := range []string{
		"missing /DIR/extra/closed: can't read /DIR/extra/closed: open /DIR/extra/closed: permission denied",
		"missing /DIR/extra/listed/key: can't read /DIR/extra/listed/key: stat /DIR/extra/listed/key: permission " +
			"denied",
		"file /DIR/extra/open/key",
		"file /DIR/config.yaml",
	} {
		if line = strings.ReplaceAll(line, "/DIR", dir); !slices.Contains(strings.Split(out, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, out)
		}
	}
	if strings.Contains(out, "closed/key") {
		t.Errorf("%s", out)
	}
}

// watched is a context that tells when it is asked whether it has ended.
type watched struct {
	context.Context
	asked func()
}

func (c watched) Err() error {
	c.asked()
	return c.Context.Err()
}

func TestVanishedFolderIsLeftOut(t *testing.T) {
	for n := range 4 {
		dir := small(t, "WAL")
		testkit.Write(t, filepath.Join(dir, "extra/a/key"), "key")
		testkit.Write(t, filepath.Join(dir, "extra/b/key"), "key")
		i := instancetest.Open(t, dir, instance.Options{Extra: []string{dir + "/extra"}})
		looks := 0
		ctx := watched{t.Context(), func() {
			// The walk looks once for the folder, then once for each thing in it.
			if looks++; looks == n+1 {
				if err := os.RemoveAll(dir + "/extra/a"); err != nil {
					t.Error(err)
				}
			}
		}}
		var paths []string
		for f, err := range i.Files(ctx) {
			if err != nil {
				t.Fatalf("gone at look %d: %v", n, err)
			}
			paths = append(paths, f.Path)
		}
		if !slices.Contains(paths, dir[1:]+"/extra/b/key") || looks < 3 {
			t.Errorf("gone at look %d of %d: %q", n, looks, paths)
		}
	}
}

// Restored beside this one's configuration, it would decide where things go.
func TestUnitOfAnotherInstanceIsLeftOut(t *testing.T) {
	dir := small(t, "WAL")
	unit := filepath.Join(dir, "etc/systemd/system/gotosocial.service")
	for text, saved := range map[string]bool{
		"[Service]\nExecStart=/other/gotosocial --config-path /other/config.yaml server start": false,
		"[Service]\nExecStart=/usr/bin/docker start gotosocial":                                true,
	} {
		testkit.Write(t, filepath.Join(dir, "etc/systemd/system/gotosocial.service"), text)
		paths, _ := files(t, openServer(t, gotosocial.Server{File: dir + "/config.yaml", Root: dir},
			instance.Options{}))
		if slices.Contains(paths, unit[1:]) != saved {
			t.Errorf("%s: %q", text, paths)
		}
	}
}

// Docker's usual form: no file at all, the image's paths, a volume.
func TestContainersPathsLeadHere(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"own.env": "GTS_HOST=a.example\nGTS_DB_TYPE=sqlite\nGTS_DB_ADDRESS=sqlite.db\n" +
			"GTS_CONFIG_PATH=/etc/gts.yaml\nGTS_TLS_CERTIFICATE_KEY=/certs/key.pem\n",
		"etc/gts.yaml":       "storage-local-base-path: /gotosocial/storage",
		"data/sqlite.db":     "x",
		"data/storage/certs": "",
		"certs/key.pem":      "key",
	} {
		testkit.Write(t, filepath.Join(root, name), text)
	}
	s := gotosocial.Server{EnvFile: root + "/own.env", Paths: map[string]string{"/gotosocial": root + "/data",
		"/etc/gts.yaml": root + "/etc/gts.yaml", "/certs": root + "/certs"}}
	c, err := s.Config()
	testkit.OK(t, err)
	if c.Database() != root+"/data/sqlite.db" || c.Storage() != root+"/data/storage" || c.File != root+"/etc/gts.yaml" {
		t.Errorf("%s, %s, %s", c.Database(), c.Storage(), c.File)
	}
	paths, _ := files(t, instancetest.OpenConfig(t, c, instance.Options{}))
	for _, name := range []string{"/own.env", "/etc/gts.yaml", "/certs/key.pem"} {
		if !slices.Contains(paths, root[1:]+name) {
			t.Errorf("no %s among %q", name, paths)
		}
	}
}

func TestFilesPartHoldsTheServicesFiles(t *testing.T) {
	dir := small(t, "WAL")
	for name, text := range map[string]string{
		"etc/systemd/system/gts@.service": "[Service]\nWorkingDirectory=" + dir + "\nEnvironmentFile=" +
			dir + "/e/*.env\nExecStart=" + dir + "/bin/gotosocial --config-path config.yaml server start",
		"etc/systemd/system/gts@a.service.d/1.conf": "[Service]\nUser=x",
		"e/own.env":      "GTS_SMTP_PASSWORD=geheim",
		"bin/gotosocial": "#!/bin/sh\necho gotosocial version 0.20.3",
	} {
		testkit.Write(t, filepath.Join(dir, name), text)
	}
	if err := os.Chmod(dir+"/bin/gotosocial", 0o755); err != nil {
		t.Fatal(err)
	}
	belongToNobody(t, dir)
	i := openServer(t, gotosocial.Server{Unit: "gts@a", Root: dir}, instance.Options{})
	paths, _ := files(t, i)
	for _, name := range []string{"/config.yaml", "/e/own.env", "/etc/systemd/system/gts@.service",
		"/etc/systemd/system/gts@a.service.d/1.conf"} {
		if !slices.Contains(paths, dir[1:]+name) {
			t.Errorf("no %s among %q", name, paths)
		}
	}
	if want := dir + "/bin/gotosocial"; i.Config().Binary != want {
		t.Errorf("binary %s", i.Config().Binary)
	}
	if got := i.Version(t.Context()); got != "0.20.3" {
		t.Errorf("version %q", got)
	}
}

func TestHoldfastsOwnConfigurationIsMarked(t *testing.T) {
	dir := small(t, "WAL")
	other := t.TempDir()
	testkit.Write(t, other+"/real.yaml", "instance: {}")
	link(t, other, map[string]string{"link.yaml": "real.yaml"})
	folder := filepath.Join(t.TempDir(), "folder")
	testkit.OK(t, os.Symlink(other, folder))
	for _, c := range []struct {
		file  string
		extra []string
	}{
		{other + "/real.yaml", nil}, {other + "/link.yaml", nil}, {other + "/real.yaml", []string{other}},
		{folder + "/real.yaml", []string{folder}}, // the file has a path below a link, and the link is saved
	} {
		var marked []string
		i := instancetest.Open(t, dir, instance.Options{Holdfast: c.file, Extra: c.extra})
		for f, err := range i.Files(t.Context()) {
			testkit.OK(t, err)
			if f.Holdfast {
				marked = append(marked, "/"+f.Path)
			}
		}
		if !slices.Equal(marked, []string{other + "/real.yaml"}) {
			t.Errorf("%s with %q: %q", c.file, c.extra, marked)
		}
	}
}

// The names of this machine mean nothing in a container.
func TestContainersFilesBelongToNumbers(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := small(t, "WAL")
	testkit.Write(t, dir+"/storage/certs/key", "key")
	testkit.Write(t, dir+"/p/own.env", "GTS_HOST=social.example.org\nGTS_DB_TYPE=sqlite\n"+
		"GTS_DB_ADDRESS=/data/sqlite.db\nGTS_STORAGE_LOCAL_BASE_PATH=/data/storage\n"+
		"GTS_LETSENCRYPT_CERT_DIR=/data/storage/certs\n")
	testkit.GiveTree(t, dir, 5, 100) // games:users
	s := gotosocial.Server{EnvFile: dir + "/p/own.env", Paths: map[string]string{"/data": dir + "/"}}
	i := openServer(t, s, instance.Options{})
	owners := map[string]string{}
	for f, err := range i.Files(t.Context()) {
		testkit.OK(t, err)
		owners["/"+f.Path] = f.User
	}
	if got := owners[dir+"/storage/certs/key"]; got != "5:100" {
		t.Errorf("the certificate belongs to %q", got)
	}
	v, err := i.Begin(t.Context())
	testkit.OK(t, err)
	defer v.Close()
	if f, _ := v.Facts(t.Context()); f.User != "5:100" {
		t.Errorf("the server's user is %q", f.User)
	}
}
