package sample_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/sample"
)

// TestMain writes to a database instead of testing when it is told to: the
// tests start this binary again as the server of another process.
func TestMain(m *testing.M) {
	if database := os.Getenv("HOLDFAST_SAMPLE_WRITE"); database != "" {
		n, err := sample.Write(asked{context.Background(), func() { fmt.Println() }}, database) // until killed
		fmt.Fprintln(os.Stderr, n, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// asked is a context that Write asks before each transaction whether it ended.
type asked struct {
	context.Context
	each func()
}

func (a asked) Err() error {
	a.each()
	return a.Context.Err()
}

func TestDatabaseIsSoundAndHasGoToSocialsSchema(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{})
	db := open(t, s.Database())
	for query, want := range map[string]string{
		`PRAGMA integrity_check`:                  "ok",
		`PRAGMA journal_mode`:                     "wal",
		`PRAGMA page_size`:                        "4096",
		`SELECT max(name) FROM bun_migrations`:    "20250715095446",
		`SELECT count(*) FROM bun_migrations`:     "118",
		`SELECT count(*) FROM statuses`:           "3000",
		`SELECT count(*) FROM accounts`:           "154",
		`SELECT count(*) FROM media_attachments`:  "40", // 24 + 8 of statuses, 6 of profiles, sound, unfinished
		`SELECT count(*) FROM emojis`:             "8",
		`SELECT count(*) > 100 FROM status_faves`: "1",
		`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`:                          "62",
		`SELECT count(*) FROM statuses WHERE in_reply_to_id <> '' AND thread_id NOT IN (SELECT id FROM threads)`:        "0",
		`SELECT count(DISTINCT status_id) FROM media_attachments m JOIN statuses s ON s.attachments = json_array(m.id)`: "32",
	} {
		if got := one(t, db, query); got != want {
			t.Errorf("%s = %s, want %s", query, got, want)
		}
	}
	if err := sample.CheckInvariant(s.Database()); err != nil {
		t.Error(err)
	}
}

func TestEveryLocalAccountsKeyPairMatches(t *testing.T) {
	t.Parallel()
	db := open(t, fresh(t, sample.Config{Statuses: 10, Media: 1}).Database())
	rows, err := db.Query(`SELECT private_key, public_key FROM accounts WHERE domain IS NULL`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var private, public string
		if err := rows.Scan(&private, &public); err != nil {
			t.Fatal(err)
		}
		var key rsa.PrivateKey
		var pub rsa.PublicKey
		if err := errors.Join(json.Unmarshal([]byte(private), &key), json.Unmarshal([]byte(public), &pub)); err != nil {
			t.Fatal(err)
		}
		if err := key.Validate(); err != nil || !key.PublicKey.Equal(&pub) || key.N.BitLen() != 2048 {
			t.Errorf("key pair of %d bits: %v", key.N.BitLen(), err)
		}
		seen[public] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different keys, want 4", len(seen))
	}
}

func TestPicturesDecodeAndThumbnailsAreSmaller(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{})
	pixels := map[string]int{} // by storage key
	for key := range localMedia(t, s) {
		if strings.HasSuffix(key, ".mp3") {
			continue
		}
		b := read(t, filepath.Join(s.Storage(), key))
		img, kind, err := image.Decode(bytes.NewReader(b))
		if err != nil || "."+kind != filepath.Ext(key) {
			t.Fatalf("%s decodes as %q: %v", key, kind, err)
		}
		pixels[key] = img.Bounds().Dx() * img.Bounds().Dy()
	}
	compared := 0
	for key := range pixels {
		if thumbnail := strings.Replace(strings.TrimSuffix(key, filepath.Ext(key)), "original", "small", 1) + ".jpeg"; strings.Contains(key, "attachment/original") {
			if pixels[thumbnail] == 0 || pixels[thumbnail] >= pixels[key] {
				t.Errorf("%s has %d pixels, its thumbnail %d", key, pixels[key], pixels[thumbnail])
			}
			compared++
		}
	}
	if compared < 24 {
		t.Errorf("compared %d thumbnails, want one for each picture", compared)
	}
}

// The files are made and recorded by key, so this compares two accounts of
// the same thing.
func TestRowsNameWhatABackupMustHold(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{VideoBytes: 9 << 20})
	if err := s.Night(1); err != nil {
		t.Fatal(err)
	}
	want := localMedia(t, s)
	got := map[string]string{}
	for _, key := range column(t, open(t, s.Database()), `
		SELECT key FROM (
			SELECT file_path AS key FROM media_attachments WHERE coalesce(remote_url, '') = ''
			UNION ALL SELECT thumbnail_path FROM media_attachments WHERE coalesce(remote_url, '') = ''
			UNION ALL SELECT image_path FROM emojis WHERE coalesce(image_remote_url, '') = ''
			UNION ALL SELECT image_static_path FROM emojis WHERE coalesce(image_remote_url, '') = '')
		WHERE key <> ''`) {
		sum := sha256.Sum256(read(t, filepath.Join(s.Storage(), key)))
		got[key] = hex.EncodeToString(sum[:])
	}
	if !maps.Equal(got, want) {
		t.Errorf("rows name %d local files, LocalMedia %d, or their bytes differ", len(got), len(want))
	}

	var large, others []string
	for path, b := range tree(t, s.Storage()) {
		if len(b) > 8<<20 {
			large = append(large, path)
		}
		if want[path] == "" {
			others = append(others, path)
		}
	}
	if len(large) != 1 || filepath.Ext(large[0]) != ".mp4" {
		t.Errorf("files above 8 MiB: %q, want the video", large)
	}
	// 6 of 8+1 remote pictures still cached with a thumbnail each, 4 remote
	// emojis of two files, an orphan and a certificate.
	if len(others) != 6*2+4*2+2 {
		t.Errorf("%d files a backup must leave out, want 22: %q", len(others), others)
	}
}

func TestCertificateLiesAmongTheMedia(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 10, Media: 1})
	block, rest := pem.Decode(read(t, filepath.Join(s.Storage(), "certs", s.Host())))
	if block == nil || block.Type != "RSA PRIVATE KEY" || !bytes.Contains(rest, []byte("BEGIN CERTIFICATE")) {
		t.Error("no key and certificate in storage/certs")
	}
}

func TestSameSeedMakesTheSameBytes(t *testing.T) {
	t.Parallel()
	small := sample.Config{Statuses: 300, Media: 4}
	a, b := fresh(t, small), fresh(t, small)
	small.Seed = 2
	c := fresh(t, small)
	for _, s := range []*sample.Instance{a, b, c} {
		if err := errors.Join(s.Night(1), s.Night(2)); err != nil {
			t.Fatal(err)
		}
	}
	if !maps.EqualFunc(tree(t, a.Dir), tree(t, b.Dir), bytes.Equal) {
		t.Error("two instances of one seed differ")
	}
	if bytes.Equal(read(t, a.Database()), read(t, c.Database())) {
		t.Error("two seeds make the same database")
	}
}

func TestMakeRefusesAnInstanceThatIsThere(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 10, Media: 1})
	before := read(t, s.Database())
	if _, err := sample.Make(s.Dir, sample.Config{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Make: %v, want fs.ErrExist", err)
	}
	if !bytes.Equal(before, read(t, s.Database())) {
		t.Error("the refused Make changed the database")
	}
}

func TestNightChangesWhatItSays(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{})
	for n := 1; n <= 3; n++ {
		mediaBefore := localMedia(t, s)
		rowsBefore := dump(t, s)
		if err := s.Night(n); err != nil {
			t.Fatal(err)
		}
		media, rows := localMedia(t, s), dump(t, s)

		added, changed, removed := compare(rowsBefore.statuses, rows.statuses)
		if added != 30 || removed != 15+1 || changed < 20 || changed > 30 {
			t.Errorf("night %d: statuses +%d ~%d -%d", n, added, changed, removed)
		}
		added, changed, removed = compare(rowsBefore.attachments, rows.attachments)
		if added != 3 || changed != 2 || removed != 1 { // two uncached, and the oldest local one deleted
			t.Errorf("night %d: media rows +%d ~%d -%d", n, added, changed, removed)
		}
		added, changed, removed = compare(rowsBefore.emojis, rows.emojis)
		if added != 1 || changed != 0 || removed != 0 {
			t.Errorf("night %d: emojis +%d ~%d -%d", n, added, changed, removed)
		}
		added, changed, removed = compare(mediaBefore, media)
		if added != 2*2+2 || changed != 0 || removed != 2 {
			t.Errorf("night %d: local files +%d ~%d -%d", n, added, changed, removed)
		}
		if err := sample.CheckInvariant(s.Database()); err != nil {
			t.Errorf("night %d: %v", n, err)
		}
		for path := range tree(t, s.Dir) {
			if strings.HasSuffix(path, "-wal") || strings.HasSuffix(path, "-shm") {
				t.Errorf("night %d left %s", n, path)
			}
		}
	}
}

func TestStartedServerKeepsItsLogUntilItStops(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 100, Media: 2})
	stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	// Stat and not read: closing the file would drop the connection's locks.
	before := stat(t, s.Database())
	if err := s.Night(1); err != nil {
		t.Fatal(err)
	}
	if stat(t, s.Database()+"-wal").Size() == 0 || !stat(t, s.Database()).ModTime().Equal(before.ModTime()) {
		t.Error("the night is not in the log alone")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Database() + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log after stop: %v", err)
	}
	if !stat(t, s.Database()).ModTime().After(before.ModTime()) {
		t.Error("the night is lost")
	}
}

func TestInvariantHoldsInEverySnapshotOfABusyServer(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 100, Media: 1})
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "HOLDFAST_SAMPLE_WRITE="+s.Database())
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	commits := bufio.NewScanner(out)
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			server.Process.Kill()
			server.Wait()
		}
	}
	defer stop()

	db := open(t, s.Database())
	last := "100"
	for range 5 {
		for one(t, db, `SELECT count(*) FROM statuses`) == last {
			if !commits.Scan() {
				t.Fatal("the server ended")
			}
		}
		copied := filepath.Join(t.TempDir(), "sqlite.db")
		if _, err := db.Exec(`VACUUM INTO ?`, copied); err != nil {
			t.Fatal(err)
		}
		if err := sample.CheckInvariant(copied); err != nil {
			t.Error(err)
		}
		if err := sample.CheckInvariant(s.Database()); err != nil {
			t.Errorf("live: %v", err)
		}
		last = one(t, open(t, copied), `SELECT count(*) FROM statuses`)
	}
	stop()
	if err := sample.CheckInvariant(s.Database()); err != nil {
		t.Errorf("after the server was killed: %v", err)
	}
}

func TestCheckInvariantSeesEachKindOfBreak(t *testing.T) {
	t.Parallel()
	for _, breakage := range []string{
		`DELETE FROM statuses WHERE id = (SELECT max(id) FROM statuses WHERE local AND id NOT IN (SELECT status_id FROM status_faves) AND id NOT IN (SELECT status_id FROM mentions))`,
		`UPDATE account_stats SET statuses_count = statuses_count + 1 WHERE account_id IN (SELECT id FROM accounts WHERE username = 'ada')`,
		`DELETE FROM statuses WHERE id = (SELECT min(s.id) FROM statuses s JOIN status_faves f ON f.status_id = s.id WHERE NOT local)`,
		`DELETE FROM statuses WHERE id = (SELECT min(s.id) FROM statuses s JOIN mentions m ON m.status_id = s.id WHERE NOT local)`,
	} {
		s := fresh(t, sample.Config{Statuses: 200, Media: 1})
		result, err := open(t, s.Database()).Exec(breakage)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := result.RowsAffected(); n != 1 {
			t.Fatalf("%s: %d rows", breakage, n)
		}
		if err := sample.CheckInvariant(s.Database()); err == nil {
			t.Errorf("not seen: %s", breakage)
		}
	}
}

func TestWriteStopsWithItsContextAndCounts(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 100, Media: 1})
	db := open(t, s.Database())
	before, statuses := one(t, db, `SELECT count(*) FROM status_faves`), one(t, db, `SELECT count(*) FROM statuses`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, err := sample.Write(asked{ctx, func() {
		if one(t, db, `SELECT count(*) FROM statuses`) != statuses {
			cancel()
		}
	}}, s.Database())
	if err != nil || n == 0 {
		t.Fatalf("%d transactions: %v", n, err)
	}
	if got := one(t, db, `SELECT count(*) - `+before+` FROM status_faves`); got != fmt.Sprint(n) {
		t.Errorf("%s transactions arrived, Write counted %d", got, n)
	}
}

func BenchmarkMake(b *testing.B) {
	for b.Loop() {
		if _, err := sample.Make(filepath.Join(b.TempDir(), "instance"), sample.Config{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNight(b *testing.B) {
	s := fresh(b, sample.Config{})
	for n := 1; b.Loop(); n++ {
		if err := s.Night(n); err != nil {
			b.Fatal(err)
		}
	}
}

func fresh(t testing.TB, cfg sample.Config) *sample.Instance {
	t.Helper()
	s, err := sample.Make(t.TempDir(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func localMedia(t *testing.T, s *sample.Instance) map[string]string {
	t.Helper()
	media, err := s.LocalMedia()
	if err != nil {
		t.Fatal(err)
	}
	if len(media) == 0 {
		t.Fatal("no local media")
	}
	return media
}

// content is the rows of three tables by identifier.
type content struct{ statuses, attachments, emojis map[string]string }

func dump(t *testing.T, s *sample.Instance) content {
	t.Helper()
	db := open(t, s.Database())
	defer db.Close()
	table := func(columns, name string) map[string]string {
		rows := map[string]string{}
		for _, line := range column(t, db, `SELECT id || ' ' || `+columns+` FROM `+name) {
			id, rest, _ := strings.Cut(line, " ")
			rows[id] = rest
		}
		return rows
	}
	return content{
		table(`coalesce(fetched_at, '') || content || attachments`, "statuses"),
		table(`cached || file_path`, "media_attachments"),
		table(`cached || image_path`, "emojis"),
	}
}

func compare(before, after map[string]string) (added, changed, removed int) {
	for key, was := range before {
		if is, ok := after[key]; !ok {
			removed++
		} else if is != was {
			changed++
		}
	}
	return len(after) - len(before) + removed, changed, removed
}

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func one(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	return column(t, db, query)[0]
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// tree is every file below dir by its path.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			files[name] = read(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
