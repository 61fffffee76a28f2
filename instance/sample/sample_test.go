package sample_test

import (
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
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Main(m, map[string]func([]string) error{"writer": writeUntilKilled})
}

// writeUntilKilled prints a line before each transaction.
func writeUntilKilled(args []string) error {
	n, err := sample.Write(watched{context.Background(), func() { fmt.Println() }}, args[0])
	return fmt.Errorf("sample.Write ended after %d transactions: %w", n, err)
}

// watched is a context that calls each before each transaction of Write.
type watched struct {
	context.Context
	each func()
}

func (w watched) Err() error {
	w.each()
	return w.Context.Err()
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
		`SELECT count(*) FROM media_attachments`:  "40", // 24 + 8 of statuses, 6 of profiles, a sound, an unfinished
		`SELECT count(*) FROM emojis`:             "8",
		`SELECT count(*) > 100 FROM status_faves`: "1",

		`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`: "62",

		`SELECT count(*) FROM statuses
			WHERE in_reply_to_id <> '' AND thread_id NOT IN (SELECT id FROM threads)`: "0",
		`SELECT count(DISTINCT status_id) FROM media_attachments m
			JOIN statuses s ON s.attachments = json_array(m.id)`: "32",
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
	testkit.OK(t, err)
	defer rows.Close()
	seen := map[string]bool{}
	for rows.Next() {
		var private, public string
		testkit.OK(t, rows.Scan(&private, &public))
		var key rsa.PrivateKey
		var pub rsa.PublicKey
		testkit.OK(t, errors.Join(json.Unmarshal([]byte(private), &key), json.Unmarshal([]byte(public), &pub)))
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
		b := testkit.Read(t, filepath.Join(s.Storage(), key))
		img, kind, err := image.Decode(bytes.NewReader(b))
		if err != nil || "."+kind != filepath.Ext(key) {
			t.Fatalf("%s decodes as %q: %v", key, kind, err)
		}
		pixels[key] = img.Bounds().Dx() * img.Bounds().Dy()
	}
	compared := 0
	for key := range pixels {
		if !strings.Contains(key, "attachment/original") {
			continue
		}
		thumbnail := strings.Replace(strings.TrimSuffix(key, filepath.Ext(key)), "original", "small", 1) + ".jpeg"
		if pixels[thumbnail] == 0 || pixels[thumbnail] >= pixels[key] {
			t.Errorf("%s has %d pixels, its thumbnail %d", key, pixels[key], pixels[thumbnail])
		}
		compared++
	}
	if compared < 24 {
		t.Errorf("compared %d thumbnails, want one for each picture", compared)
	}
}

// The list of LocalMedia comes from the files. This test compares the list with the
// rows.
func TestRowsNameTheLocalMedia(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{VideoBytes: 9 << 20})
	testkit.OK(t, s.Night(1))
	want := localMedia(t, s)
	got := map[string]string{}
	for _, key := range column(t, open(t, s.Database()), `
		SELECT key FROM (
			SELECT file_path AS key FROM media_attachments WHERE coalesce(remote_url, '') = ''
			UNION ALL SELECT thumbnail_path FROM media_attachments WHERE coalesce(remote_url, '') = ''
			UNION ALL SELECT image_path FROM emojis WHERE coalesce(image_remote_url, '') = ''
			UNION ALL SELECT image_static_path FROM emojis WHERE coalesce(image_remote_url, '') = '')
		WHERE key <> ''`) {
		sum := sha256.Sum256(testkit.Read(t, filepath.Join(s.Storage(), key)))
		got[key] = hex.EncodeToString(sum[:])
	}
	if !maps.Equal(got, want) {
		t.Errorf("rows name %d local files, LocalMedia %d, or their bytes differ", len(got), len(want))
	}

	var large, others []string
	testkit.Walk(t, s.Storage(), func(key string) {
		if testkit.Size(t, filepath.Join(s.Storage(), key)) > 8<<20 {
			large = append(large, key)
		}
		if want[key] == "" {
			others = append(others, key)
		}
	})
	if len(large) != 1 || filepath.Ext(large[0]) != ".mp4" {
		t.Errorf("files above 8 MiB: %q, want the video", large)
	}
	// 6 of 8+1 remote pictures still cached with a thumbnail each, 4 remote
	// emojis of two files, an orphan and a certificate.
	if len(others) != 6*2+4*2+2 {
		t.Errorf("%d files that no backup holds, want 22: %q", len(others), others)
	}
}

func TestCertificateLiesAmongTheMedia(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 10, Media: 1})
	block, rest := pem.Decode(testkit.Read(t, filepath.Join(s.Storage(), "certs", s.Domain())))
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
		testkit.OK(t, errors.Join(s.Night(1), s.Night(2)))
	}
	if !maps.Equal(testkit.Tree(t, a.Dir), testkit.Tree(t, b.Dir)) {
		t.Error("two instances of one seed differ")
	}
	if bytes.Equal(testkit.Read(t, a.Database()), testkit.Read(t, c.Database())) {
		t.Error("two seeds make the same database")
	}
}

func TestMakeRefusesAnExistingInstance(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 10, Media: 1})
	before := testkit.Read(t, s.Database())
	if _, err := sample.Make(s.Dir, sample.Config{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Make: %v, want fs.ErrExist", err)
	}
	if !bytes.Equal(before, testkit.Read(t, s.Database())) {
		t.Error("the refused Make changed the database")
	}
}

func TestNightChangesWhatItSays(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{})
	for n := 1; n <= 3; n++ {
		mediaBefore := localMedia(t, s)
		rowsBefore := dump(t, s)
		testkit.OK(t, s.Night(n))
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
		testkit.Walk(t, s.Dir, func(name string) {
			if strings.HasSuffix(name, "-wal") || strings.HasSuffix(name, "-shm") {
				t.Errorf("night %d left %s", n, name)
			}
		})
	}
}

func TestStartedServerKeepsItsLogUntilItStops(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 100, Media: 2})
	stop, err := s.Start()
	testkit.OK(t, err)
	// Opening and closing the file would drop the locks of SQLite.
	before, err := os.Stat(s.Database())
	testkit.OK(t, err)
	testkit.OK(t, s.Night(1))
	during, err := os.Stat(s.Database())
	testkit.OK(t, err)
	if testkit.Size(t, s.Database()+"-wal") == 0 || !during.ModTime().Equal(before.ModTime()) {
		t.Error("the night is not in the log alone")
	}
	testkit.OK(t, stop())
	if _, err := os.Stat(s.Database() + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log after stop: %v", err)
	}
	after, err := os.Stat(s.Database())
	testkit.OK(t, err)
	if !after.ModTime().After(before.ModTime()) {
		t.Error("the night is lost")
	}
}

func TestInvariantHoldsInEverySnapshotOfABusyServer(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 100, Media: 1})
	server := testkit.Start(t, testkit.Role("writer", s.Database()))

	db := open(t, s.Database())
	last := "100"
	for range 5 {
		for one(t, db, `SELECT count(*) FROM statuses`) == last {
			server.Line()
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
	server.Kill()
	if err := sample.CheckInvariant(s.Database()); err != nil {
		t.Errorf("after the server was killed: %v", err)
	}
}

func TestCheckInvariantSeesEachKindOfBreak(t *testing.T) {
	t.Parallel()
	for _, breakage := range []string{
		`DELETE FROM statuses WHERE id = (SELECT max(id) FROM statuses WHERE local
			AND id NOT IN (SELECT status_id FROM status_faves) AND id NOT IN (SELECT status_id FROM mentions))`,
		`UPDATE account_stats SET statuses_count = statuses_count + 1
			WHERE account_id IN (SELECT id FROM accounts WHERE username = 'ada')`,
		`DELETE FROM statuses WHERE id =
			(SELECT min(s.id) FROM statuses s JOIN status_faves f ON f.status_id = s.id WHERE NOT local)`,
		`DELETE FROM statuses WHERE id =
			(SELECT min(s.id) FROM statuses s JOIN mentions m ON m.status_id = s.id WHERE NOT local)`,
	} {
		s := fresh(t, sample.Config{Statuses: 200, Media: 1})
		result, err := open(t, s.Database()).Exec(breakage)
		testkit.OK(t, err)
		if n, _ := result.RowsAffected(); n != 1 {
			t.Fatalf("%s: %d rows", breakage, n)
		}
		if err := sample.CheckInvariant(s.Database()); err == nil {
			t.Errorf("not seen: %s", breakage)
		}
	}
}

func TestWriteCountsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	s := fresh(t, sample.Config{Statuses: 100, Media: 1})
	db := open(t, s.Database())
	before, statuses := one(t, db, `SELECT count(*) FROM status_faves`), one(t, db, `SELECT count(*) FROM statuses`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, err := sample.Write(watched{ctx, func() {
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
	testkit.OK(t, err)
	return s
}

func localMedia(t *testing.T, s *sample.Instance) map[string]string {
	t.Helper()
	media, err := s.LocalMedia()
	testkit.OK(t, err)
	if len(media) == 0 {
		t.Fatal("no local media")
	}
	return media
}

// content holds the rows of three tables by identifier.
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
	return testkit.OpenSQLite(t, path, "_pragma=busy_timeout(10000)")
}

func one(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	return testkit.Query[string](t, db, query)
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	testkit.OK(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		testkit.OK(t, rows.Scan(&s))
		all = append(all, s)
	}
	testkit.OK(t, rows.Err())
	return all
}
