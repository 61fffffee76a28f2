package integration_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

// These tests run the script in docs/restore-by-hand.md.
func TestRestoreByHandGivesEveryByteBack(t *testing.T) {
	t.Parallel()
	testkit.NeedsProgram(t, "age", "zstd", "jq", "openssl", "sqlite3")
	w := byhandWorld(t)
	// So many nights fold the page map once, and add to the folded map.
	for night := range 34 {
		if night > 0 {
			testkit.OK(t, w.sample.Night(night))
		}
		w.backup()
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	w.restoreByHand(out, filepath.Join(dir, "work"))

	w.compareTree("storage", out)
	w.compareFiles(out)
	w.compareFile(w.sample.Database(), filepath.Join(out, "sqlite.db"))

	// The last step is SQL.
	answer := run(t, strings.NewReader(block(t, "sql")[0]), nil, "sqlite3", filepath.Join(out, "sqlite.db"))
	if strings.TrimSpace(answer) != "ok" {
		t.Errorf("integrity_check: %s", answer)
	}
	for _, query := range []string{
		"SELECT count(*) FROM media_attachments WHERE cached AND COALESCE(remote_url,'')<>''",
		"SELECT count(*) FROM emojis WHERE cached AND domain IS NOT NULL",
	} {
		if left := run(t, nil, nil, "sqlite3", filepath.Join(out, "sqlite.db"), query); strings.TrimSpace(left) != "0" {
			t.Errorf("%s: %s", query, left)
		}
	}
}

func TestRestoreByHandRestoresPostgres(t *testing.T) {
	t.Parallel()
	testkit.NeedsProgram(t, "age", "zstd", "jq", "openssl")
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	// The table has so many pieces that the listing needs further lines, once every
	// second piece is new.
	s.ExecAs(t, postgrestest.Owner, "gotosocial", `CREATE TABLE long (id int PRIMARY KEY, text text);
		INSERT INTO long SELECT i, (SELECT string_agg(md5((i * 8 + k)::text), '') FROM generate_series(1, 8) k)
			FROM generate_series(1, 400000) i`)
	storage, media := someMedia(t)
	h := newPostgresHost(t, folderRemote(t), s, "gotosocial", storage)
	h.backup()
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "UPDATE long SET text = 'changed' WHERE id % 60 = 0")
	h.backup()
	dir := t.TempDir()
	out, work := filepath.Join(dir, "out"), filepath.Join(dir, "work")
	(&byhand{t: t, repo: h.remote, identity: h.kit()}).restoreByHand(out, work)
	if lines := strings.Count(string(testkit.Read(t, filepath.Join(work, "files.sh"))), "\nmore "); lines < 2 {
		t.Errorf("%d extent lines: the table is too small", lines)
	}
	testkit.SameTree(t, filepath.Join(out, "storage"), media)
	byPsql(t, s, out, "by_hand")
	if dumped(t, s, "by_hand") != dumped(t, s, "gotosocial") {
		t.Error("the database differs")
	}
}

// Forged records in a bucket do not mislead the script.
func TestRestoreByHandSkipsForgedRecords(t *testing.T) {
	t.Parallel()
	testkit.NeedsProgram(t, "age", "zstd", "jq", "openssl")
	w := byhandWorld(t)
	w.backup()
	var newest []byte
	for _, o := range w.objects("snapshots") {
		if text := testkit.Read(t, o); bytes.Contains(text, []byte(`"kind":"backup"`)) {
			newest = text
		}
	}
	// The bytes are those of a record, the name is wrong.
	bad := []string{strings.Repeat("0", 64)}
	testkit.Write(t, filepath.Join(w.repo, "snapshots", bad[0]), newest)
	forge := func(text []byte) {
		name := sha256.Sum256(text)
		bad = append(bad, hex.EncodeToString(name[:]))
		testkit.Write(t, filepath.Join(w.repo, "snapshots", bad[len(bad)-1]), text)
	}
	// A later record has the signature of another record. One more has a sound
	// signature, by a key that the root never certified.
	later := replace(t, newest, `"sequence":1,`, `"sequence":9,`)
	forge(later)
	public, private, err := ed25519.GenerateKey(nil)
	testkit.OK(t, err)
	line, _, _ := bytes.Cut(later, []byte("\n"))
	line = replace(t, line,
		base64.StdEncoding.EncodeToString(w.host.Certificate.Key), base64.StdEncoding.EncodeToString(public))
	signature := ed25519.Sign(private, append([]byte("holdfast record 1\n"), line...))
	forge(fmt.Appendf(nil, "%s\n%s\n", line, base64.StdEncoding.EncodeToString(signature)))

	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	said := w.restoreByHand(out, filepath.Join(dir, "work"))
	for _, name := range bad {
		words := "passed over, damaged or not signed: snapshots/" + name
		if strings.Count(said, name) != 1 || !strings.Contains(said, words) {
			t.Errorf("%s was not passed over:\n%s", name, said)
		}
	}
	w.compareFile(w.sample.Database(), filepath.Join(out, "sqlite.db"))
}

// A hacked server can write any listing.
func TestRestoreByHandRefusesAHostileListing(t *testing.T) {
	t.Parallel()
	testkit.NeedsProgram(t, "jq")
	blocks := block(t, "sh")
	i := slices.IndexFunc(blocks, func(b string) bool { return strings.Contains(b, "files.sh") })
	script := "export LC_ALL=C\n" + blocks[1] + blocks[i]
	const file = `{"part":"files","path":"etc/a","mode":"0644","modified":"2026-11-22T21:58:17Z",` +
		`"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU","size":0}`
	const link = `{"part":"files","path":"etc/b","mode":"0777","modified":"2026-11-22T21:58:17Z","size":0,"link":"a"}`
	try := func(listing string) (string, error) {
		dir := t.TempDir()
		work := filepath.Join(dir, "work")
		testkit.OK(t, os.MkdirAll(filepath.Join(work, "plain"), 0o700))
		testkit.Write(t, filepath.Join(work, "record"), []byte(`{"time":"2026-11-22T21:58:18Z"}`))
		testkit.Write(t, filepath.Join(work, "listing"), []byte(listing))
		cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "OUT="+filepath.Join(dir, "a", "out"), "WORK="+work)
		said, err := cmd.CombinedOutput()
		for _, name := range []string{"canary", "a/b", "a/out/b"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				t.Errorf("%s: it wrote %s", listing, name)
			}
		}
		info, statErr := os.Lstat(filepath.Join(dir, "a/out/files/etc/a"))
		if err == nil && statErr == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
			t.Errorf("%s: the file has mode %v", listing, info.Mode())
		}
		return string(said), err
	}
	for _, mode := range []string{"4755", "2755", "7777"} {
		if said, err := try(strings.Replace(file, "0644", mode, 1) + "\n"); err != nil {
			t.Errorf("mode %s: %v: %s", mode, err, said)
		}
	}
	if said, err := try(file + "\n" + link + "\n"); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for _, c := range [][2]string{
		{`"etc/a"`, `"../b"`}, {`"etc/a"`, `"x/../../b"`}, {`"etc/a"`, `"/etc/a"`}, {`"etc/a"`, `"etc//a"`},
		{`"etc/a"`, `""`}, {`"etc/a"`, `"..\u0000/b"`}, {`"etc/a"`, `"a\ntouch canary\n"`},
		{`"files"`, `"files/.."`}, {`"files"`, `"files; touch canary;"`},
		{`"0644"`, `"0644; touch canary"`}, {`"0644"`, `"$(touch canary)"`},
		{`21:58:17Z"`, `21:58:17Z; touch canary; :"`},
		{`"sha256":"`, `"sha256":"x; touch canary; : `}, {`"size":0`, `"lines":"0; touch canary; :"`},
		{`"size":0`, `"extents":[["1; touch canary; :",0,0]]`}, {`"size":0`, `"more":[["$(touch canary)",0,0]]`},
	} {
		if said, err := try(strings.Replace(file, c[0], c[1], 1) + "\n"); err == nil {
			t.Errorf("%s was restored: %s", c[1], said)
		}
	}
	for _, c := range [][2]string{
		{`"etc/b"`, `"../b"`}, {`"link":"a"`, `"link":"a\ntouch canary\n"`}, {`21:58:17Z"`, `now; touch canary"`},
		{`"path"`, `"path":"etc/b\ntouch canary","path2"`},
		{link, strings.Replace(link, "etc/b", "etc/c/b", 1) + "\n" +
			strings.NewReplacer("etc/b", "etc/c", `"a"`, `"../.."`).Replace(link)},
	} {
		if said, err := try(strings.Replace(link, c[0], c[1], 1) + "\n"); err == nil {
			t.Errorf("%s was restored: %s", c[1], said)
		}
	}
}

func replace(t *testing.T, text []byte, old, with string) []byte {
	t.Helper()
	if bytes.Count(text, []byte(old)) != 1 {
		t.Fatalf("%q is there %d times", old, bytes.Count(text, []byte(old)))
	}
	return bytes.ReplaceAll(text, []byte(old), []byte(with))
}

// byhand is an instance with its host and its repository.
type byhand struct {
	t        *testing.T
	sample   *sample.Instance
	source   *instance.Instance
	repo     string // the directory remote
	identity string
	host     *seal.Host
	index    *index.Index
	state    string
}

func byhandWorld(t *testing.T) *byhand {
	t.Helper()
	dir := t.TempDir()
	w := &byhand{
		t: t, repo: filepath.Join(dir, "repo"), state: filepath.Join(dir, "state"),
		identity: filepath.Join(dir, "owner.txt"),
	}
	var err error
	w.sample, err = sample.Make(filepath.Join(dir, "instance"),
		sample.Config{Accounts: 20, Statuses: 400, Media: 6, VideoBytes: 9 << 20})
	testkit.OK(t, err)
	// An empty file, and names that a shell could misread.
	odd := filepath.Join(dir, "extra", "it's $HOME; `x` \\ a\ttab")
	testkit.OK(t, os.MkdirAll(odd, 0o755))
	testkit.Write(t, filepath.Join(odd, "-n"), "")
	testkit.Write(t, filepath.Join(odd, "ä \"quoted\" *"), "not much\n")
	testkit.OK(t, os.Symlink(`-n`, filepath.Join(odd, "link")))
	testkit.OK(t, os.Symlink("--it's gone; $HOME \"*\"", filepath.Join(odd, "-dangling' $x")))
	testkit.OK(t, os.Symlink("/", filepath.Join(dir, "extra", "root")))

	config, err := gotosocial.Load(filepath.Join(w.sample.Dir, "config.yaml"), nil)
	testkit.OK(t, err)
	in, err := instance.Open(config, instance.Options{Extra: []string{filepath.Join(dir, "extra")}})
	testkit.OK(t, err)
	t.Cleanup(func() { in.Close() })
	w.source = in

	identity, recipient, err := seal.NewIdentity()
	testkit.OK(t, err)
	owner, err := seal.ParseOwner(recipient)
	testkit.OK(t, err)
	_, stranger, err := seal.NewIdentity()
	testkit.OK(t, err)
	other, err := seal.ParseOwner(stranger)
	testkit.OK(t, err)
	store, err := remote.Create(t.Context(), w.repo, remote.Config{})
	testkit.OK(t, err)
	w.host, err = newRepository(t.Context(), store, in.Domain(), "test", []seal.Owner{other, owner})
	testkit.OK(t, err)
	testkit.OK(t, seal.SaveIdentity(w.identity, identity, recipient, w.host.Repository))
	testkit.OK(t, os.MkdirAll(w.state, 0o700))
	w.index, _, err = index.Open(w.state)
	testkit.OK(t, err)
	t.Cleanup(func() { w.index.Close() })
	return w
}

func (w *byhand) backup() {
	w.t.Helper()
	store, err := remote.Open(w.t.Context(), w.repo, remote.Config{})
	testkit.OK(w.t, err)
	repo, err := vault.Open(w.t.Context(), store, w.host.Repository, w.index)
	testkit.OK(w.t, err)
	report, err := vault.Backup(w.t.Context(), vault.BackupConfig{
		Repository: repo, Host: w.host, Index: w.index, Database: w.source, Files: w.source,
		State: w.state, Version: "test",
	})
	testkit.OK(w.t, err)
	if len(report.Missing) > 0 || len(report.Warnings) > 0 {
		w.t.Errorf("missing %q, warnings %q", report.Missing, report.Warnings)
	}
}

func (w *byhand) objects(kind string) []string {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.repo, kind, "*"))
	testkit.OK(w.t, err)
	return names
}

// restoreByHand runs the script of the document and returns the output.
func (w *byhand) restoreByHand(out, work string) string {
	w.t.Helper()
	script := filepath.Join(w.t.TempDir(), "restore.sh")
	testkit.Write(w.t, script, []byte(strings.Join(block(w.t, "sh"), "")))
	environment := append(os.Environ(), "REPO="+w.repo, "IDENTITY="+w.identity, "OUT="+out, "WORK="+work)
	return run(w.t, nil, environment, "sh", "-eu", script)
}

// compareTree compares the media with the list that the sample made.
func (w *byhand) compareTree(folder, out string) {
	w.t.Helper()
	want, err := w.sample.LocalMedia()
	testkit.OK(w.t, err)
	if len(want) < 20 {
		w.t.Fatalf("a sample of %d media proves nothing", len(want))
	}
	for key := range want {
		w.compareFile(filepath.Join(w.sample.Storage(), key), filepath.Join(out, folder, key))
	}
	files := 0
	testkit.Walk(w.t, filepath.Join(out, folder), func(string) { files++ })
	if files != len(want) {
		w.t.Errorf("%s has %d files, want %d", folder, files, len(want))
	}
}

// compareFiles compares the files part with the list of the source.
func (w *byhand) compareFiles(out string) {
	w.t.Helper()
	n := 0
	for f, err := range w.source.Files(w.t.Context()) {
		if errors.Is(err, errors.ErrUnsupported) {
			continue // a folder that a link leads to
		}
		testkit.OK(w.t, err)
		if f.Folder {
			info, err := os.Stat(filepath.Join(out, "files", f.Path))
			testkit.OK(w.t, err)
			if !info.IsDir() || info.Mode().Perm() != os.FileMode(f.Mode) {
				w.t.Errorf("the folder %s has mode %v, want %o", f.Path, info.Mode(), f.Mode)
			}
			continue
		}
		if f.Link != "" {
			w.compareLink(f, filepath.Join(out, "files", f.Path))
			continue
		}
		w.compareFile("/"+f.Path, filepath.Join(out, "files", f.Path))
		n++
	}
	if n < 4 {
		w.t.Errorf("%d files, want the configuration, a certificate and two extra ones", n)
	}
}

// compareLink compares the target and the time of a link.
func (w *byhand) compareLink(want manifest.File, got string) {
	w.t.Helper()
	text, err := os.Readlink(got)
	testkit.OK(w.t, err)
	info, err := os.Lstat(got)
	testkit.OK(w.t, err)
	if text != string(want.Link) || !info.ModTime().Equal(want.Modified) {
		w.t.Errorf("%s leads to %q, of %v, want %q, %v", got, text, info.ModTime(), want.Link, want.Modified)
	}
}

// compareFile compares bytes, mode and time.
func (w *byhand) compareFile(want, got string) {
	w.t.Helper()
	a, b := testkit.Read(w.t, want), testkit.Read(w.t, got)
	if !bytes.Equal(a, b) {
		w.t.Errorf("%s has %d bytes and differs from %s with %d", got, len(b), want, len(a))
	}
	wantInfo, err := os.Stat(want)
	testkit.OK(w.t, err)
	gotInfo, err := os.Stat(got)
	testkit.OK(w.t, err)
	wantMode := wantInfo.Mode()
	if filepath.Base(got) == "sqlite.db" {
		wantMode &^= 0o007 // no restore opens the database
	}
	if wantMode != gotInfo.Mode() {
		w.t.Errorf("%s has mode %v, want %v", got, gotInfo.Mode(), wantMode)
	}
	// The time of the database may be the one of its log.
	d := gotInfo.ModTime().Sub(wantInfo.ModTime())
	if d != 0 && (filepath.Base(got) != "sqlite.db" || d.Abs() > time.Minute) {
		w.t.Errorf("%s is of %v, want %v", got, gotInfo.ModTime(), wantInfo.ModTime())
	}
}

const document = "../docs/restore-by-hand.md"

// block returns the fenced blocks of a language in the document.
func block(t *testing.T, language string) []string {
	t.Helper()
	var blocks []string
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range fence.FindAllSubmatch(testkit.Read(t, document), -1) {
		blocks = append(blocks, string(m[1]))
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no %s block", document, language)
	}
	return blocks
}

// The sed command in the document prints the script that these tests run.
func TestSedCommandPrintsTheScript(t *testing.T) {
	line := regexp.MustCompile(`(?m)^    (sed .*) > restore\.sh$`).FindSubmatch(testkit.Read(t, document))
	if line == nil {
		t.Fatal("the sed line is gone")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", string(line[1]))
	cmd.Dir = filepath.Dir(document)
	got, err := cmd.Output()
	testkit.OK(t, err)
	if want := strings.Join(block(t, "sh"), ""); string(got) != want {
		t.Errorf("it takes out %d bytes, want %d", len(got), len(want))
	}
}

func run(t *testing.T, stdin *strings.Reader, environment []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	cmd.Env = environment
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
