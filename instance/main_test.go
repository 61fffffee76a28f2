package instance_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// The test binary plays other processes: a server that writes, a reader that
// runs as somebody else.
func TestMain(m *testing.M) {
	switch os.Getenv("HOLDFAST_TEST_ROLE") {
	case "server":
		serve(os.Args[1])
	case "reader":
		readAs(os.Args[1], os.Args[2:])
	default:
		os.Exit(m.Run())
	}
}

// serve commits to the database as fast as it can, each transaction to two
// tables, until it is killed or its input ends. It prints a line for every 50.
func serve(path string) {
	db, err := sql.Open("sqlite",
		"file:"+path+"?_txlock=immediate&_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	must(err)
	db.SetMaxOpenConns(1)
	stop := make(chan struct{})
	go func() { io.Copy(io.Discard, os.Stdin); close(stop) }()
	for n := 1; ; n++ {
		tx, err := db.Begin()
		must(err)
		_, err = tx.Exec("INSERT INTO debit(n, pad) SELECT n+1, hex(randomblob(900)) FROM balance")
		must(err)
		_, err = tx.Exec("INSERT INTO credit(n) SELECT n+1 FROM balance")
		must(err)
		_, err = tx.Exec("UPDATE balance SET n=n+1, pad=hex(randomblob(300))")
		must(err)
		must(tx.Commit())
		if n%50 == 0 {
			fmt.Println(n)
		}
		select {
		case <-stop:
			must(db.Close())
			return
		default:
		}
	}
}

// readAs reads the instance of a configuration and says how that went.
func readAs(config string, extra []string) {
	c, err := gotosocial.Load(config, nil)
	must(err)
	i, err := instance.Open(c, instance.Options{Extra: extra})
	var v vault.View
	if err == nil {
		v, err = i.Begin(context.Background())
	}
	var p *remedy.Error
	switch {
	case errors.As(err, &p) && (p.Kind == remedy.Refused || errors.Is(err, fs.ErrPermission)):
		fmt.Printf("refused: %v\nfix: %s\n", err, p.Fix)
		return
	case err != nil:
		fmt.Println("error:", err)
		return
	}
	r, err := v.OpenDatabase(context.Background(), "sqlite.db")
	must(err)
	n, err := io.Copy(io.Discard, r)
	must(err)
	must(r.Close())
	_, err = i.Named(context.Background(), []string{"beside the view"})
	must(err)
	held := locked(c.Database())
	must(v.Close())
	fmt.Printf("read %d bytes of %d\n", n, v.Database()[0].Size)
	fmt.Printf("locks held: %v\n", held)
	for f, err := range i.Files(context.Background()) {
		var r io.ReadCloser
		if err == nil {
			r, err = i.Open(context.Background(), manifest.Files, f.Path)
		}
		if err != nil {
			fmt.Printf("missing /%s: %v\n", f.Path, err)
			continue
		}
		must(r.Close())
		fmt.Printf("file /%s\n", f.Path)
	}
}

// locked reports whether anybody, this process included, holds a lock on a file.
// It drops those of this process.
func locked(path string) bool {
	f, err := os.Open(path)
	must(err)
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	must(unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock))
	return lock.Type != unix.F_UNLCK
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// schema has the shapes that GoToSocial 0.20 has, and two tables that only
// agree with each other at the end of a transaction.
const schema = `
CREATE TABLE bun_migrations ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "name" VARCHAR, "group_id" INTEGER, "migrated_at" TIMESTAMP NOT NULL DEFAULT current_timestamp);
CREATE TABLE "accounts" ("id" CHAR(26) NOT NULL, "username" VARCHAR NOT NULL, "domain" VARCHAR, "private_key" VARCHAR, PRIMARY KEY ("id"), CONSTRAINT "accounts_username_domain_uniq" UNIQUE ("username", "domain"));
CREATE INDEX "accounts_domain_idx" ON "accounts" ("domain");
CREATE TABLE "statuses" ("id" CHAR(26) NOT NULL, "local" BOOLEAN NOT NULL DEFAULT false, "visibility" SMALLINT NOT NULL DEFAULT 0, "mentions" VARCHAR, PRIMARY KEY ("id"));
CREATE INDEX "statuses_local_idx" ON "statuses" ("local", "visibility", "id" DESC);
CREATE INDEX "statuses_account_view_idx" ON "statuses" ((mentions IS NULL OR json_array_length(mentions) = 0), id DESC);
CREATE TABLE "media_attachments" ("id" CHAR(26) NOT NULL, "created_at" timestamptz NOT NULL DEFAULT current_timestamp, "remote_url" VARCHAR, "file_path" VARCHAR NOT NULL, "thumbnail_path" VARCHAR NOT NULL, "cached" BOOLEAN NOT NULL, PRIMARY KEY ("id"));
CREATE INDEX "media_attachments_cleanup_idx" ON "media_attachments" ("cached", "created_at");
CREATE TABLE "emojis" ("id" CHAR(26) NOT NULL, "domain" VARCHAR, "image_remote_url" VARCHAR, "image_path" VARCHAR NOT NULL, "image_static_path" VARCHAR NOT NULL, cached BOOLEAN DEFAULT false, PRIMARY KEY ("id"));
CREATE TABLE debit (n INTEGER, pad TEXT);
CREATE TABLE credit (n INTEGER UNIQUE);
CREATE TABLE balance (n INTEGER, pad TEXT);
INSERT INTO balance VALUES (0, '');
INSERT INTO bun_migrations (name) VALUES ('20250101000000'), ('20250715095446');
INSERT INTO accounts VALUES ('01A', 'social.example.org', NULL, 'k'), ('01B', 'alice', NULL, 'k'), ('01C', 'bob', NULL, 'k'), ('01D', 'zed', 'remote.test', NULL);
INSERT INTO statuses VALUES ('01S', 1, 2, NULL), ('01T', 1, 2, '["01D"]'), ('01U', 0, 2, NULL);
INSERT INTO media_attachments (id, remote_url, file_path, thumbnail_path, cached) VALUES
  ('01M', '', '01B/attachment/original/01M.png', '01B/attachment/small/01M.webp', 1),
  ('01N', NULL, '01B/attachment/original/01N.mp3', '', 1),
  ('01O', 'https://remote.test/o', '01D/attachment/original/01O.png', '01D/attachment/small/01O.webp', 1),
  ('01P', 'https://remote.test/p', '01D/attachment/original/01P.png', '', 0),
  ('01Q', '', '', '', 0);
INSERT INTO emojis VALUES
  ('01E', NULL, NULL, '01A/emoji/original/01E.gif', '01A/emoji/static/01E.png', 1),
  ('01F', 'remote.test', 'https://remote.test/f', '01A/emoji/original/01F.gif', '01A/emoji/static/01F.png', 1);
`

var localMedia = []string{
	"01A/emoji/original/01E.gif",
	"01A/emoji/static/01E.png",
	"01B/attachment/original/01M.png",
	"01B/attachment/original/01N.mp3",
	"01B/attachment/small/01M.webp",
}

// small makes an instance in a folder of its own: configuration, database in
// the journal mode, and the local media.
func small(t testing.TB, journal string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, "config.yaml", "host: social.example.org\naccount-domain: example.org\ndb-type: "+
		"sqlite\ndb-address: sqlite.db\nstorage-local-base-path: storage\ndb-sqlite-journal-mode: "+journal+"\n")
	for _, key := range localMedia {
		write(t, dir, "storage/"+key, "bytes of "+key)
	}
	db := openSQL(t, filepath.Join(dir, "sqlite.db"))
	defer db.Close()
	for _, q := range []string{"PRAGMA journal_mode=" + journal, schema} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openSQL(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func query[T any](t *testing.T, db *sql.DB, q string) (v T) {
	t.Helper()
	if err := db.QueryRow(q).Scan(&v); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return v
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func openInstance(t testing.TB, dir string, o instance.Options) *instance.Instance {
	t.Helper()
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return openConfig(t, c, o)
}

func openServer(t testing.TB, s gotosocial.Server, o instance.Options) *instance.Instance {
	t.Helper()
	c, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	return openConfig(t, c, o)
}

func openConfig(t testing.TB, c *gotosocial.Config, o instance.Options) *instance.Instance {
	t.Helper()
	i, err := instance.Open(c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

func begin(t testing.TB, i *instance.Instance) vault.View {
	t.Helper()
	v, err := i.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// stored opens bytes as a database of their own.
func stored(t *testing.T, database []byte) *sql.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, database, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openSQL(t, path)
	t.Cleanup(func() { db.Close() })
	if ok := query[string](t, db, "PRAGMA integrity_check"); ok != "ok" {
		t.Fatalf("integrity_check: %s", ok)
	}
	return db
}

// server is another process that writes to the database.
type server struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startServer(t *testing.T, database string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(os.Args[0], database)}
	s.cmd.Env = append(os.Environ(), "HOLDFAST_TEST_ROLE=server")
	s.cmd.Stderr = os.Stderr
	if _, err := s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s
}

// commits waits for the server's word that it made 50 more, which may be older.
func (s *server) commits() { s.lines.Scan() }

// kill ends the server as a power cut would.
func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
