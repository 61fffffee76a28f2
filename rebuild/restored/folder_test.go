package restored

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

var update = flag.Bool("update", false, "write golden files")

var whole = vault.Restored{
	Domain: "social.example.org",
	Facts:  manifest.Facts{Engine: "sqlite", GoToSocial: "0.20.0", Migration: "20250715095446"},
	Parts:  map[manifest.Part]bool{manifest.Database: true, manifest.Files: true, manifest.Media: true},
}

// staged is a staging folder that holds what a restore of the small instance
// brings, from the folder /srv/gts.
func staged(t *testing.T, journal string) *os.Root {
	t.Helper()
	source, dir := small(t, journal), t.TempDir()
	for from, to := range map[string]string{"sqlite.db": "sqlite.db", "config.yaml": "files/srv/gts/config.yaml"} {
		b, err := os.ReadFile(filepath.Join(source, from))
		if err != nil {
			t.Fatal(err)
		}
		testkit.Write(t, filepath.Join(dir, to), string(b))
	}
	testkit.Write(t, filepath.Join(dir, "files/srv/gts/web/assets/own.css"), "css")
	testkit.Write(t, filepath.Join(dir, "files/etc/other.yaml"), "host: other.example.org")
	testkit.Write(t, filepath.Join(dir, "storage/01B/attachment/original/01M.png"), "png")
	return testkit.OpenRoot(t, dir)
}

func TestPlacesStayInTheFolder(t *testing.T) {
	d := &Folder{Path: "/target"}
	for _, c := range []struct {
		file manifest.File
		want string
	}{
		{manifest.File{Part: manifest.Database, Path: "sqlite.db", PageSize: 4096}, "sqlite.db"},
		{manifest.File{Part: manifest.Media, Path: "a/b.png"}, "storage/a/b.png"},
		{manifest.File{Part: manifest.Files, Path: "etc/gts/config.yaml"}, "files/etc/gts/config.yaml"},
		{manifest.File{Part: manifest.Database, Path: "sqlite.db"}, ""},
		{manifest.File{Part: manifest.Database, Path: "run.env", PageSize: 4096}, ""},
		{manifest.File{Part: manifest.Database, Path: "../sqlite.db", PageSize: 4096}, ""},
		{manifest.File{Part: manifest.Media, Path: "../sqlite.db"}, ""},
		{manifest.File{Part: manifest.Media, Path: "/etc/passwd"}, ""},
		{manifest.File{Part: manifest.Files, Path: "a/../../b"}, ""},
		{manifest.File{Part: manifest.Files, Path: ""}, ""},
		{manifest.File{Part: manifest.Listing, Path: "a"}, ""},
	} {
		got, err := d.PathOf(c.file)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: %q, %v", c.file.Part, c.file.Path, got, err)
		}
	}
}

func TestRemoteMediaAreMarkedAsNotCached(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) {
			root := staged(t, journal)
			before := testkit.Names(t, root.Name())
			checked, err := (&Folder{Path: "/target"}).CheckDatabase(t.Context(), root)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(checked.Notes, "\n"), "2 remote media marked") {
				t.Errorf("%+v", checked)
			}
			if after := testkit.Names(t, root.Name()); !slices.Equal(after, before) {
				t.Errorf("%q, before %q", after, before)
			}
			b, err := root.ReadFile("sqlite.db")
			if err != nil {
				t.Fatal(err)
			}
			if wal := b[18] == 2 && b[19] == 2; wal != (journal == "WAL") {
				t.Errorf("journal mode %s became %d/%d", journal, b[18], b[19])
			}
			path := filepath.Join(t.TempDir(), "copy.db")
			testkit.Write(t, path, b)
			db := testkit.OpenSQLite(t, path, "")
			if ok := testkit.Query[string](t, db, "PRAGMA integrity_check"); ok != "ok" {
				t.Errorf("integrity_check: %s", ok)
			}
			if got := testkit.Query[string](t, db, "SELECT group_concat(id) FROM media_attachments WHERE "+
				"cached"); got != "01M,01N" {
				t.Errorf("media cached: %s", got)
			}
			if got := testkit.Query[string](t, db, "SELECT group_concat(id) FROM emojis WHERE cached"); got != "01E" {
				t.Errorf("emojis cached: %s", got)
			}
		})
	}
}

func TestVerbatimChangesNoByte(t *testing.T) {
	root := staged(t, "WAL")
	db := filepath.Join(root.Name(), "sqlite.db")
	before := testkit.Sum(t, db)
	if _, err := (&Folder{Path: "/target", Verbatim: true}).CheckDatabase(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if after := testkit.Sum(t, db); after != before {
		t.Errorf("%s became %s", before, after)
	}
}

func TestDamageIsFound(t *testing.T) {
	root := staged(t, "WAL")
	f, err := root.OpenFile("sqlite.db", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), 3*4096); err != nil {
		t.Fatal(err)
	}
	f.Close()
	var damage *remedy.DamageError
	if _, err := (&Folder{Path: "/target"}).CheckDatabase(t.Context(), root); !errors.As(err, &damage) {
		t.Errorf("%v", err)
	}

	// Verbatim means every byte as it was, also where that is bad.
	before := testkit.Sum(t, filepath.Join(root.Name(), "sqlite.db"))
	checked, err := (&Folder{Path: "/target", Verbatim: true}).CheckDatabase(t.Context(), root)
	if err != nil || len(checked.Notes) != 0 || !strings.HasPrefix(checked.Damage, "the database is damaged") {
		t.Errorf("%+v, %v", checked, err)
	}
	if after := testkit.Sum(t, filepath.Join(root.Name(), "sqlite.db")); before != after ||
		len(testkit.Names(t, root.Name())) != 3 {
		t.Errorf("%v, the file is %s, was %s", testkit.Names(t, root.Name()), after, before)
	}
}

func TestPartsAloneNeedNothingElse(t *testing.T) {
	for _, part := range []manifest.Part{manifest.Files, manifest.Media} {
		root := testkit.OpenRoot(t, t.TempDir())
		s := vault.Restored{Domain: "social.example.org", Parts: map[manifest.Part]bool{part: true}}
		if _, err := (&Folder{Path: "/target"}).Finish(t.Context(), root, s); err != nil ||
			len(testkit.Names(t, root.Name())) > 0 {
			t.Errorf("%s: %v, %v", part, err, testkit.Names(t, root.Name()))
		}
	}
}

func TestMendTellsDamageFromTroubleWithTheDisk(t *testing.T) {
	var damage *remedy.DamageError

	// Reading fails, and it is not the database's fault.
	root := testkit.OpenRoot(t, t.TempDir())
	testkit.Write(t, filepath.Join(root.Name(), "sqlite.db/pages"), "a folder")
	if _, err := (&Folder{Path: "/target"}).CheckDatabase(t.Context(), root); err == nil ||
		errors.As(err, &damage) {
		t.Errorf("unreadable: %v", err)
	}

	// Writing the journal finds no room.
	root = staged(t, "DELETE")
	if err := unix.Mknod(filepath.Join(root.Name(), "sqlite.db-journal"), unix.S_IFCHR|0o666,
		int(unix.Mkdev(1, 7))); err != nil {
		testkit.Missing(t, "make a device that is full: %v", err)
	}
	if _, err := (&Folder{Path: "/target"}).CheckDatabase(t.Context(), root); !errors.Is(err,
		syscall.ENOSPC) || errors.As(err, &damage) {
		t.Errorf("full disk: %v", err)
	}
}

func TestIndexThatDisagreesIsDamage(t *testing.T) {
	root := staged(t, "DELETE")
	db := testkit.OpenSQLite(t, filepath.Join(root.Name(), "sqlite.db"), "")
	defer db.Close()
	for _, q := range []string{
		"PRAGMA writable_schema=ON",
		"UPDATE sqlite_schema SET sql='CREATE INDEX accounts_domain_idx ON accounts (username)' WHERE " +
			"name='accounts_domain_idx'",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	var damage *remedy.DamageError
	if _, err := (&Folder{Path: "/target"}).CheckDatabase(t.Context(), root); !errors.As(err, &damage) ||
		!strings.Contains(err.Error(), "accounts_domain_idx") {
		t.Errorf("%v", err)
	}
}

func TestRunEnvHasTheAccountDomainThatTheServerSaw(t *testing.T) {
	root := staged(t, "WAL")
	testkit.Write(t, filepath.Join(root.Name(), "files/etc/backup/config.yaml"),
		"host: social.example.org\naccount-domain: old.example.org\n")
	s := whole
	s.Facts.AccountDomain = "seen.example.org"
	if _, err := (&Folder{Path: "/target"}).Finish(t.Context(), root, s); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile("run.env")
	if err != nil || !strings.Contains(string(got), "\nGTS_ACCOUNT_DOMAIN=\"seen.example.org\"\n") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestRunEnvNamesEveryConfigurationOfTheDomain(t *testing.T) {
	root := staged(t, "WAL")
	testkit.Write(t, filepath.Join(root.Name(), "files/etc/backup/config.yaml"),
		"host: social.example.org\naccount-domain: old.example.org\n")
	if _, err := (&Folder{Path: "/target"}).Finish(t.Context(), root, whole); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile("run.env")
	for _, line := range []string{
		`#   gotosocial --config-path "/target/files/etc/backup/config.yaml" server start`,
		`# These files configure the same domain. If the server used one of them, name that file in`,
		`#   "/target/files/srv/gts/config.yaml"`,
	} {
		if err != nil || !slices.Contains(strings.Split(string(got), "\n"), line) {
			t.Errorf("no line %q in\n%s, %v", line, got, err)
		}
	}
}

// runEnv is the run.env of a restore of these files, below /target, and nothing
// else. A text "-> TO" stands for a link.
func runEnv(t *testing.T, files map[string]string) string {
	t.Helper()
	root := testkit.OpenRoot(t, t.TempDir())
	for name, text := range files {
		if to, isLink := strings.CutPrefix(text, "-> "); isLink {
			path := filepath.Join(root.Name(), "files", name)
			testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
			testkit.OK(t, os.Symlink(to, path))
			continue
		}
		testkit.Write(t, filepath.Join(root.Name(), "files/"+name), text)
	}
	if _, err := (&Folder{Path: "/target"}).Finish(t.Context(), root, whole); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile("run.env")
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestRunEnvNamesWhatTheServiceWasGiven(t *testing.T) {
	const unit = "[Service]\nEnvironmentFile=/etc/gts.env\nExecStart=/g/gotosocial --config-path /etc/b.yaml server " +
		"start\n"
	const file, noFile = `#   gotosocial --config-path "/target/files/etc/%" server start`, "#   gotosocial server " +
		"start"
	named := func(name string) string { return `#   "/target/files/etc/` + name + `"` }
	for _, c := range []struct {
		name      string
		files     map[string]string
		want, not []string
	}{
		{"environment file alone",
			map[string]string{
				"etc/gts.env": "GTS_HOST=Social.example.org\nGTS_ACCOUNT_DOMAIN=example.org\n" +
					"GTS_SMTP_PASSWORD=geheim",
				"etc/other.env": "GTS_HOST=b.example",
			},
			[]string{noFile, named("gts.env"), `GTS_ACCOUNT_DOMAIN="example.org"`}, []string{named("other.env")}},
		{"container's", map[string]string{"etc/gts.env": "GTS_HOST=social.example.org # ours\n"},
			[]string{noFile, named("gts.env")}, nil},
		{"unit alone", map[string]string{
			"etc/gts.service": "[Service]\nWorkingDirectory=/srv\nExecStart=/g/gotosocial server start " +
				"--host social.example.org --tls-certificate-key key.pem",
			"srv/key.pem": "key",
		},
			[]string{noFile, named("gts.service"), `GTS_TLS_CERTIFICATE_KEY="/target/files/srv/key.pem"`}, nil},
		{"file without a host", map[string]string{"etc/a.yaml": "db-type: sqlite\naccount-domain: example.org",
			"etc/c.yml": "services: {}", "etc/gts.d/1.conf": "[Service]\nEnvironment=GTS_HOST=social.example.org"},
			[]string{strings.Replace(file, "%", "a.yaml", 1), named("gts.d/1.conf"),
				`GTS_ACCOUNT_DOMAIN="example.org"`}, []string{named("c.yml")}},
		{"the unit's of several", map[string]string{"etc/a.yaml": "host: social.example.org",
			"etc/b.yaml": "host: social.example.org", "etc/gts.service": unit},
			[]string{strings.Replace(file, "%", "b.yaml", 1), named("gts.service")}, []string{named("a.yaml")}},
		{"toml", map[string]string{"etc/a.toml": "host = 'social.example.org'\naccount-domain = 'example.org'"},
			[]string{strings.Replace(file, "%", "a.toml", 1), `GTS_ACCOUNT_DOMAIN="example.org"`}, nil},
		{"links", map[string]string{
			"etc/a.yaml": "-> /srv/gts.yaml", "srv/gts.yaml": "host: social.example.org\ntls-certificate-chain: " +
				"/le/live/chain.pem\nweb-asset-base-dir: now/assets",
			"le/live/chain.pem": "-> ../archive/chain1.pem", "le/archive/chain1.pem": "chain",
			"etc/now": "-> /srv/v5", "srv/v5/assets/own.css": "css",
			"srv/gts.env": "GTS_HOST=social.example.org", "etc/gts.env": "-> ../srv/gts.env",
		}, []string{
			`#   gotosocial --config-path "/target/files/srv/gts.yaml" server start`, `#   "/target/files/srv/gts.env"`,
			`GTS_TLS_CERTIFICATE_CHAIN="/target/files/le/archive/chain1.pem"`,
			`GTS_WEB_ASSET_BASE_DIR="/target/files/srv/v5/assets"`,
		}, []string{named("gts.env"),
			`# These files configure the same domain. If the server used one of them, name that file in`}},
		{"the unit's of several, by a link", map[string]string{"etc/b.yaml": "-> ../b/b.yaml",
			"b/b.yaml": "host: social.example.org", "etc/a.yaml": "host: social.example.org", "etc/gts.service": unit},
			[]string{`#   gotosocial --config-path "/target/files/b/b.yaml" server start`}, []string{named("a.yaml")}},
		{"of another domain", map[string]string{"etc/gts.env": "GTS_HOST=b.example\nGTS_ACCOUNT_DOMAIN=wrong"},
			[]string{"# The snapshot holds no configuration file of this domain. Before the first start, " +
				"set all"}, []string{named("gts.env"), `GTS_ACCOUNT_DOMAIN="wrong"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runEnv(t, c.files)
			lines := strings.Split(got, "\n")
			missing := slices.DeleteFunc(c.want, func(line string) bool { return slices.Contains(lines, line) })
			extra := slices.DeleteFunc(c.not, func(line string) bool { return !slices.Contains(lines, line) })
			if len(missing) > 0 || len(extra) > 0 || strings.Contains(got, "geheim") {
				t.Errorf("no %q, or %q, or a secret in\n%s", missing, extra, got)
			}
		})
	}
}

// A unit of a snapshot is read, never followed to files of this machine.
func TestRunEnvReadsNothingBeyondTheRestoredFiles(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "own.env")
	testkit.Write(t, secret, "GTS_ACCOUNT_DOMAIN=geheim")
	got := runEnv(t, map[string]string{"etc/gts.service": "[Service]\nEnvironmentFile=" + secret +
		"\nEnvironment=GTS_HOST=social.example.org"})
	if strings.Contains(got, "geheim") || !strings.Contains(got, "gts.service") {
		t.Errorf("%s", got)
	}
	for _, to := range []string{secret, "../../../../../../../.." + secret} {
		got = runEnv(t, map[string]string{"etc/gts.env": "-> " + to, "etc/gts.yaml": "host: social.example.org"})
		if strings.Contains(got, "geheim") || !strings.Contains(got, "gts.yaml") || strings.Contains(got, "gts.env") {
			t.Errorf("%s leads out: %s", to, got)
		}
	}
}

func TestRunEnvRunsNothingThatASnapshotSays(t *testing.T) {
	root := staged(t, "WAL")
	const attack = "x\ntouch ran\r$(touch ran)`touch ran`\" ; touch ran; \""
	hostile := whole
	hostile.Facts.GoToSocial, hostile.Facts.Migration = attack, attack
	text, err := json.Marshal(map[string]string{"host": whole.Domain, "account-domain": attack})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(root.Name(), "files/srv/gts/config.yaml"), string(text))
	if _, err := (&Folder{Path: "/target"}).Finish(t.Context(), root, hostile); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sh := exec.Command("sh", "-c", `set -a; . "$0"; printf %s "$GTS_ACCOUNT_DOMAIN"`,
		filepath.Join(root.Name(), "run.env"))
	sh.Dir = dir
	if out, err := sh.CombinedOutput(); err != nil || string(out) != attack || len(testkit.Names(t, dir)) > 0 {
		env, _ := root.ReadFile("run.env")
		t.Errorf("%v, %q, %q, by\n%s", err, out, testkit.Names(t, dir), env)
	}
}

func TestShellReadsRunEnv(t *testing.T) {
	root := staged(t, "WAL")
	if _, err := (&Folder{Path: `/srv/new $place`}).Finish(t.Context(), root, whole); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile("run.env")
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/run.env"
	if *update {
		testkit.Write(t, filepath.Join("testdata", "run.env"), string(got))
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != string(got) {
		t.Errorf("%v, got\n%s", err, got)
	}
	out, err := exec.Command("sh", "-c", `set -a; . "$0"; env | grep ^GTS_ | sort`,
		filepath.Join(root.Name(), "run.env")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "GTS_DB_ADDRESS=/srv/new $place/sqlite.db\n") ||
		!strings.Contains(string(out), "GTS_ACCOUNT_DOMAIN=example.org\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A stranger may have written the snapshot, and a person follows what run.env says.
func TestRunEnvHasNoVersionThatIsNone(t *testing.T) {
	dir := t.TempDir()
	testkit.OK(t, os.Mkdir(filepath.Join(dir, "database"), 0o700))
	_, err := (&Folder{Path: dir}).Finish(t.Context(), testkit.OpenRoot(t, dir), vault.Restored{
		Domain: "social.example.org",
		Facts:  manifest.Facts{Engine: gotosocial.Postgres, GoToSocial: "1; curl evil", Server: "1; curl evil"},
		Parts:  map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}})
	testkit.OK(t, err)
	if text := string(testkit.Read(t, filepath.Join(dir, "run.env"))); strings.Contains(text, "curl") {
		t.Errorf("run.env says %s", text)
	}
}
