package instance_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
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

// The server's user may write to the folder of the compose file.
func TestLinkBesideTheComposeFileBringsNoFileOfRoot(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, root := testkit.PublicDir(t), testkit.PublicDir(t)
	testkit.Write(t, root+"/shadow", "root's")
	testkit.Write(t, dir+"/own.env", "GTS_HOST=example.org\nGTS_DB_TYPE=sqlite\nGTS_DB_ADDRESS="+dir+"/sqlite.db\n"+
		"GTS_STORAGE_LOCAL_BASE_PATH="+dir+"\n")
	testkit.Write(t, dir+"/compose.yml", "secrets: {s: {file: mail}}\n")
	testkit.Write(t, dir+"/sqlite.db", "")
	link(t, dir, map[string]string{".env": root + "/shadow", "mail": root + "/shadow",
		"compose.override.yml": "own.override", "theirs": "own.override"})
	testkit.Write(t, dir+"/own.override", "theirs")
	for _, name := range []string{".env", "mail", "compose.override.yml", "own.override"} {
		testkit.OK(t, os.Lchown(dir+"/"+name, testkit.Nobody, testkit.Nobody))
	}
	server := gotosocial.Server{EnvFile: dir + "/own.env", Paths: map[string]string{dir: dir}}
	i := openServer(t, server, instance.Options{})
	got := map[string]string{}
	for f, err := range i.Files(t.Context()) {
		if err == nil && !f.Folder && f.Link == "" {
			got["/"+f.Path] = opened(t, i, f)
		}
	}
	if _, saved := got[root+"/shadow"]; saved || got[dir+"/own.override"] != "theirs" ||
		!strings.HasPrefix(got[dir+"/compose.yml"], "secrets") {
		t.Errorf("%q", got)
	}
}

// link makes symbolic links below dir, with the folders that they lie in.
func link(t *testing.T, dir string, links map[string]string) {
	t.Helper()
	for name, to := range links {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// below is the files part within dir, links as "-> TEXT".
func below(t *testing.T, i *instance.Instance, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for f, err := range i.Files(t.Context()) {
		name, within := strings.CutPrefix("/"+f.Path, dir+"/")
		switch {
		case errors.Is(err, errors.ErrUnsupported) || !within || f.Folder:
		case err != nil:
			t.Errorf("%s: %v", f.Path, err)
		case f.Link != "":
			got[name] = "-> " + string(f.Link)
		default:
			got[name] = opened(t, i, f)
		}
	}
	return got
}

func opened(t *testing.T, i *instance.Instance, f manifest.File) string {
	t.Helper()
	r, err := i.Open(t.Context(), manifest.Files, f.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is %q, want %q", name, got[name], want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s was saved", name)
		}
	}
}

// certbot's folder: live/ has nothing but links into archive/.
func TestCertbotsFolderIsSavedWithItsLinks(t *testing.T) {
	dir, le := small(t, "WAL"), t.TempDir()
	want := map[string]string{}
	for _, name := range []string{"cert", "chain", "fullchain", "privkey"} {
		for n := range 2 {
			file := fmt.Sprintf("archive/example.org/%s%d.pem", name, n+1)
			want[file] = fmt.Sprint(name, n+1)
			testkit.Write(t, filepath.Join(le, file), want[file])
		}
		to := "../../archive/example.org/" + name + "2.pem"
		link(t, le, map[string]string{"live/example.org/" + name + ".pem": to})
		want["live/example.org/"+name+".pem"] = "-> " + to
	}
	same(t, below(t, instancetest.Open(t, dir, instance.Options{Extra: []string{le}}), le), want)
}

// A server that uses certbot's certificates, and an admin who named nothing more.
func TestConfiguredLinkBringsItsFile(t *testing.T) {
	dir, le := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(le, "archive/d/fullchain2.pem"), "chain")
	testkit.Write(t, filepath.Join(le, "archive/d/privkey2.pem"), "key")
	testkit.Write(t, filepath.Join(le, "archive/d/privkey1.pem"), "old key")
	link(t, le, map[string]string{
		"live/d/fullchain.pem": "../../archive/d/fullchain2.pem",
		"key.pem":              "live/d/privkey.pem", // a link to a link
		"live/d/privkey.pem":   le + "/archive/d/privkey2.pem",
	})
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(dir, "config.yaml"), fmt.Sprintf("%stls-certificate-chain: "+
		"%s/live/d/fullchain.pem\ntls-certificate-key: %s/key.pem\n", text, le, le))

	same(t, below(t, instancetest.Open(t, dir, instance.Options{}), le), map[string]string{
		"live/d/fullchain.pem":     "-> ../../archive/d/fullchain2.pem",
		"archive/d/fullchain2.pem": "chain",
		"key.pem":                  "-> live/d/privkey.pem",
		"live/d/privkey.pem":       "-> " + le + "/archive/d/privkey2.pem",
		"archive/d/privkey2.pem":   "key",
	})
}

// nginx: sites-enabled/ alone is asked for.
func TestEnabledSitesBringTheSites(t *testing.T) {
	dir, nginx := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(nginx, "sites-available/gotosocial"), "server {}")
	testkit.Write(t, filepath.Join(nginx, "sites-available/other"), "server {}")
	link(t, nginx, map[string]string{"sites-enabled/gotosocial": nginx + "/sites-available/gotosocial"})
	same(t, below(t, instancetest.Open(t, dir, instance.Options{Extra: []string{nginx + "/sites-enabled"}}), nginx),
		map[string]string{
			"sites-enabled/gotosocial":   "-> " + nginx + "/sites-available/gotosocial",
			"sites-available/gotosocial": "server {}",
		})
}

func TestLinkWithoutAFileIsSavedAndItsFolderNamed(t *testing.T) {
	dir, other := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(other, "elsewhere/deep/file"), "text")
	testkit.Write(t, filepath.Join(other, "outright/file"), "text")
	testkit.Write(t, filepath.Join(other, "in/sub/file"), "text")
	link(t, other, map[string]string{
		"in/folder":   "../elsewhere",
		"in/deep":     "../elsewhere/deep/",
		"in/own":      "sub",
		"in/self":     ".",
		"in/nothing":  "gone",
		"in/all":      "/",
		"in/beyond":   "sub/file/more",
		"in/round":    "round",
		"in/about":    "round/about",
		"in/null":     "/dev/null",
		"in/storage":  dir + "/storage",
		"in/database": dir + "/sqlite.db",
		"in/outright": "../outright",
		"named":       "elsewhere/deep",
		"again":       "named",
	})
	extra := []string{other + "/in", other + "/outright", other + "/again/"}
	i := instancetest.Open(t, dir, instance.Options{Extra: extra})
	same(t, below(t, i, other), map[string]string{
		"in/folder": "-> ../elsewhere", "in/deep": "-> ../elsewhere/deep/", "in/own": "-> sub", "in/self": "-> " +
			".", "in/nothing": "-> gone", "in/all": "-> /",
		"in/beyond": "-> sub/file/more", "in/round": "-> round", "in/about": "-> round/about", "in/null": "-> " +
			"/dev/null",
		"in/storage": "-> " + dir + "/storage", "in/database": "-> " + dir +
			"/sqlite.db", "in/outright": "-> ../outright",
		"in/sub/file": "text", "outright/file": "text",
		// A link that is named outright brings its folder.
		"again": "-> named", "named": "-> elsewhere/deep", "elsewhere/deep/file": "text",
	})
	bad := unsaved(t, i)
	for link, to := range map[string]string{other + "/in/folder": other + "/elsewhere", other + "/in/all": "/"} {
		err := bad["/"+to[1:]+"/"]
		if len(bad) != 2 || !errors.Is(err, errors.ErrUnsupported) || !strings.HasPrefix(err.Error(),
			link+" is a link to the folder "+to+", ") {
			t.Errorf("%s: %v", link, bad)
		}
	}
}

// Who writes into a folder of the server has no say about files of the machine.
func TestLinkOfAnotherUserBringsOnlyFilesOfThatUser(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, other := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(other, "etc/hostname"), "old")
	testkit.Write(t, filepath.Join(other, "etc/site"), "site")
	testkit.Write(t, filepath.Join(other, "theirs/file"), "file")
	link(t, other, map[string]string{
		"etc/mtab": "hostname", "in/hostname": "../etc/hostname", "in/mtab": other +
			"/etc/mtab", "in/sub/root's": "../../etc/site", "in/own": "../theirs/file",
		"theirs/way": "../etc", "in/way": "../theirs/way/../etc/hostname",
	})
	for _, name := range []string{"theirs/file", "theirs/way", "in/hostname", "in/mtab", "in/own", "in/way"} {
		if err := os.Lchown(filepath.Join(other, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"in/hostname": "-> ../etc/hostname", "in/mtab": "-> " + other +
			"/etc/mtab", "in/sub/root's": "-> ../../etc/site", "in/own": "-> ../theirs/file",
		"etc/site": "site", "theirs/file": "file",
	}
	i := instancetest.Open(t, dir, instance.Options{Extra: []string{other + "/in"}})
	got := below(t, i, other)
	same(t, got, want)
	bad := unsaved(t, i)
	for _, name := range []string{"/etc/mtab/", "/etc/hostname/"} {
		if err := bad[other+name]; !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(),
			"another user") {
			t.Errorf("%s: %v", name, bad)
		}
	}
	// What is asked for comes, whoever leads there.
	want["etc/hostname"], want["etc/mtab"] = "old", "-> hostname"
	i = instancetest.Open(t, dir, instance.Options{Extra: []string{other + "/in", other + "/etc"}})
	same(t, below(t, i, other), want)
	if bad := unsaved(t, i); len(bad) > 0 {
		t.Errorf("%v", bad)
	}
}

// After the list of files, another user puts a link to a file of root in the place of a
// file. The snapshot must not give root's bytes to that user.
func TestBytesOfAFileComeWithItsOwnRights(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, theirs := small(t, "WAL"), t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	testkit.Write(t, secret, "of root")
	testkit.OK(t, os.Chmod(secret, 0o600))
	page := filepath.Join(theirs, "page")
	testkit.Write(t, page, "of nobody")
	testkit.OK(t, os.Chmod(page, 0o644))
	testkit.GiveTree(t, theirs, testkit.Nobody, testkit.Nobody)
	i := instancetest.Open(t, dir, instance.Options{Extra: []string{theirs}})
	testkit.OK(t, errors.Join(os.Remove(page), os.Symlink(secret, page)))
	r, err := i.Open(t.Context(), manifest.Files, page[1:])
	testkit.OK(t, err)
	defer r.Close()
	mode, user, err := r.(interface {
		Rights() (manifest.Mode, string, error)
	}).Rights()
	if err != nil || mode != 0o600 || !strings.HasPrefix(user, "root:") {
		t.Errorf("root's bytes come with mode %o of %s, %v", mode, user, err)
	}
}

// The disk behind it is not mounted: that is no file to be without.
func TestExtraPathWithoutATargetIsMissing(t *testing.T) {
	dir, other := small(t, "WAL"), t.TempDir()
	link(t, other, map[string]string{"letsencrypt": "mnt/le", "round": "round"})
	extra := []string{other + "/letsencrypt", other + "/round"}
	bad := unsaved(t, instancetest.Open(t, dir, instance.Options{Extra: extra}))
	if !errors.Is(bad[other+"/mnt/le"], fs.ErrNotExist) || !errors.Is(bad[other+"/round"], manifest.ErrLoop) ||
		len(bad) != 2 {
		t.Errorf("%v", bad)
	}
}

func TestUnlistableLinkIsNamedAndItsFileSaved(t *testing.T) {
	dir, other := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(other, "in/file"), "text")
	link(t, other, map[string]string{"in/odd": "x\xff/../file", "in/two": "gone\nfile"})
	bad := unsaved(t, instancetest.Open(t, dir, instance.Options{Extra: []string{other + "/in"}}))
	for _, name := range []string{"/in/odd", "/in/two"} {
		var p *remedy.Error
		if !errors.As(bad[other+name], &p) || p.Fix == "" || len(bad) != 2 {
			t.Errorf("%s: %v", name, bad)
		}
	}
}

// GoToSocial's own arrangement of releases: only a file of one is asked for.
func TestFileBelowASavedLinkMovesToItsTarget(t *testing.T) {
	dir, other := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(other, "v5/own.css"), "css")
	testkit.Write(t, filepath.Join(other, "v5/other.css"), "css")
	link(t, other, map[string]string{"in/current": "../v5"})
	same(t, below(t, instancetest.Open(t, dir, instance.Options{Extra: []string{other + "/in", other +
		"/in/current/own.css"}}), other),
		map[string]string{"in/current": "-> ../v5", "v5/own.css": "css"})
}

// What is reached through a folder that is a link is saved under the path that
// the configuration has: the server finds it there on a machine without the link.
func TestFolderOnTheWayMayBeALink(t *testing.T) {
	dir, other := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(other, "disk/data/web/index.tmpl"), "template")
	testkit.Write(t, filepath.Join(other, "disk/shared.css"), "css")
	link(t, other, map[string]string{
		"srv":                      "disk/data",
		"disk/data/web/own.css":    "../../shared.css", // not where it leads from srv/web
		"disk/data/web/index.html": "index.tmpl",
	})
	want := map[string]string{"srv/web/index.tmpl": "template", "srv/web/own.css": "css",
		"srv/web/index.html": "-> index.tmpl"}
	same(t, below(t, instancetest.Open(t, dir, instance.Options{Extra: []string{other + "/srv/web"}}), other), want)

	// Where the link itself is saved, it leads there.
	want = map[string]string{
		"srv": "-> disk/data", "disk/data/web/index.tmpl": "template", "disk/data/web/own.css": "-> " +
			"../../shared.css", "disk/shared.css": "css",
		"disk/data/web/index.html": "-> index.tmpl",
	}
	same(t, below(t, instancetest.Open(t, dir, instance.Options{Extra: []string{other + "/srv/web/index.tmpl", other}}),
		other), want)
}

func TestLinkInAContainerLeadsWithinTheContainer(t *testing.T) {
	dir, here := small(t, "WAL"), t.TempDir()
	testkit.Write(t, filepath.Join(here, "archive/key1.pem"), "key")
	link(t, here, map[string]string{"live/key.pem": "/certs/archive/key1.pem"})
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(dir, "config.yaml"), string(text)+"tls-certificate-key: /certs/live/key.pem\n")
	i := openServer(t, gotosocial.Server{File: dir + "/config.yaml", Paths: map[string]string{"/certs": here}},
		instance.Options{})
	same(t, below(t, i, here), map[string]string{"live/key.pem": "-> /certs/archive/key1.pem",
		"archive/key1.pem": "key"})
}

// The server finds by the link what a relative path starts at.
func TestRestoredConfigurationGoesByTheLinkToIt(t *testing.T) {
	dir := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "files/srv/conf/gts.yaml"),
		"host: social.example.org\ndb-type: sqlite\ndb-address: sqlite.db\n")
	link(t, dir, map[string]string{"files/etc/gotosocial/config.yaml": "/srv/conf/gts.yaml"})
	c, err := gotosocial.LoadRestored(os.DirFS(dir), "social.example.org", gotosocial.Server{})
	if err != nil || c.File != "/etc/gotosocial/config.yaml" || c.Database() != "/etc/gotosocial/sqlite.db" {
		t.Errorf("%+v, %v", c, err)
	}
}

// Whatever the links: nothing lies below one, and each file that is asked for is
// found at its path on a machine that has nothing but what was saved.
func TestEveryFileIsReachableThroughSavedLinks(t *testing.T) {
	dir, outer := small(t, "WAL"), t.TempDir()
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 0))
		top := fmt.Sprintf("%s/%d/so/that/no/link/leads/out", outer, seed)
		if err := os.MkdirAll(top, 0o755); err != nil {
			t.Fatal(err)
		}
		names := []string{"a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/a/a", "a/a/b", "b/a/c", "b/c/a", "c/a", "c/b"}
		any := func() string { return names[r.IntN(len(names))] }
		for _, name := range names {
			at := filepath.Join(top, name)
			if _, err := os.Lstat(filepath.Dir(at)); err != nil {
				continue
			}
			switch r.IntN(5) {
			case 0:
				os.WriteFile(at, []byte(name), 0o644)
			case 1:
				os.Mkdir(at, 0o755)
			case 2, 3:
				os.Symlink([]string{any(), "../" + any(), top + "/" + any(), "../../" + any() + "/..",
					"."}[r.IntN(5)], at)
			}
		}
		var roots []string
		for range 3 {
			if root := filepath.Join(top, any()); r.IntN(4) > 0 {
				roots = append(roots, root)
			}
		}
		i := instancetest.Open(t, dir, instance.Options{Extra: roots})
		links, files := map[string]manifest.Link{}, map[string]string{}
		var folders []string
		for f, err := range i.Files(t.Context()) {
			if err == nil && f.Link != "" {
				links[f.Path] = f.Link
			} else if err == nil && f.Folder {
				folders = append(folders, f.Path)
			} else if err == nil {
				files[f.Path] = opened(t, i, f)
			}
		}
		linked := slices.Collect(maps.Keys(links))
		for _, name := range slices.Concat(folders, linked, slices.Collect(maps.Keys(files))) {
			for above := path.Dir(name); above != "."; above = path.Dir(above) {
				if _, bad := links[above]; bad {
					t.Errorf("seed %d: %s lies below the link %s", seed, name, above)
				}
			}
		}
		check := func(name string) {
			text, err := os.ReadFile(name)
			if err != nil {
				return
			}
			end, err := manifest.Resolve(name[1:], func(p string) (manifest.Link, bool) {
				l,
					ok := links[p]
				return l, ok
			})
			if got, ok := files[end]; err != nil || !ok || got != string(text) {
				t.Errorf("seed %d: of %q, %s leads to %q, %q, %v; want %q", seed, roots, name, end, got, err, text)
			}
		}
		for _, root := range roots {
			end, err := filepath.EvalSymlinks(root)
			if err != nil {
				continue
			}
			filepath.WalkDir(end, func(name string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					check(root + strings.TrimPrefix(name, end))
				}
				return nil
			})
		}
	}
}
