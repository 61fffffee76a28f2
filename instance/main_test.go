package instance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/instancetest"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

func TestMain(m *testing.M) {
	testkit.Main(m, map[string]func([]string) error{"writer": testkit.WriteSQLite, "reader": read})
}

// read is a role: the process reads the instance of the configuration args[0], with the
// extra paths args[1:], and prints what happens.
func read(args []string) error {
	c, err := gotosocial.Load(args[0], nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	i, err := instance.Open(c, instance.Options{Extra: args[1:]})
	var v vault.View
	if err == nil {
		v, err = i.Begin(ctx)
	}
	var p *remedy.Error
	if errors.As(err, &p) && (p.Kind == remedy.Refused || errors.Is(err, fs.ErrPermission)) {
		fmt.Printf("refused: %v\nfix: %s\n", err, p.Fix)
		return nil
	}
	if err != nil {
		return err
	}
	r, err := v.OpenDatabase(ctx, "sqlite.db")
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, r)
	_, namedErr := i.Named(ctx, []string{"beside the view"})
	held, lockErr := isLocked(c.Database())
	if err := errors.Join(err, r.Close(), namedErr, lockErr, v.Close()); err != nil {
		return err
	}
	fmt.Printf("read %d bytes of %d\n", n, v.Database()[0].Size)
	fmt.Printf("locks held: %v\n", held)
	for f, err := range i.Files(ctx) {
		var r io.ReadCloser
		if f.Folder {
			continue
		}
		if err == nil {
			r, err = i.Open(ctx, manifest.Files, f.Path)
		}
		if err == nil {
			err = r.Close()
		}
		if err != nil {
			fmt.Printf("missing /%s: %v\n", f.Path, err)
			continue
		}
		fmt.Printf("file /%s\n", f.Path)
	}
	return nil
}

// isLocked reports whether any process, this process included, holds a lock on a file.
// isLocked drops the locks of this process.
func isLocked(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock)
	return lock.Type != unix.F_UNLCK, err
}

// schema has the tables of GoToSocial 0.20 that an instance reads, with a few rows.
const schema = `
CREATE TABLE bun_migrations ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "name" VARCHAR, "group_id" INTEGER,
  "migrated_at" TIMESTAMP NOT NULL DEFAULT current_timestamp);
CREATE TABLE "accounts" ("id" CHAR(26) NOT NULL, "username" VARCHAR NOT NULL, "domain" VARCHAR,
  "private_key" VARCHAR, PRIMARY KEY ("id"), CONSTRAINT "accounts_username_domain_uniq" UNIQUE ("username",
  "domain"));
CREATE INDEX "accounts_domain_idx" ON "accounts" ("domain");
CREATE TABLE "statuses" ("id" CHAR(26) NOT NULL, "local" BOOLEAN NOT NULL DEFAULT false,
  "visibility" SMALLINT NOT NULL DEFAULT 0, "mentions" VARCHAR, PRIMARY KEY ("id"));
CREATE INDEX "statuses_local_idx" ON "statuses" ("local", "visibility", "id" DESC);
CREATE INDEX "statuses_account_view_idx" ON "statuses" ((mentions IS NULL OR json_array_length(mentions) = 0), id DESC);
CREATE TABLE "media_attachments" ("id" CHAR(26) NOT NULL,
  "created_at" timestamptz NOT NULL DEFAULT current_timestamp, "remote_url" VARCHAR, "file_path" VARCHAR NOT NULL,
  "thumbnail_path" VARCHAR NOT NULL, "cached" BOOLEAN NOT NULL, PRIMARY KEY ("id"));
CREATE INDEX "media_attachments_cleanup_idx" ON "media_attachments" ("cached", "created_at");
CREATE TABLE "emojis" ("id" CHAR(26) NOT NULL, "domain" VARCHAR, "image_remote_url" VARCHAR,
  "image_path" VARCHAR NOT NULL, "image_static_path" VARCHAR NOT NULL, cached BOOLEAN DEFAULT false,
  PRIMARY KEY ("id"));
INSERT INTO bun_migrations (name) VALUES ('20250101000000'), ('20250715095446');
INSERT INTO accounts VALUES ('01A', 'social.example.org', NULL, 'k'), ('01B', 'alice', NULL, 'k'), ('01C', 'bob',
  NULL, 'k'), ('01D', 'zed', 'remote.test', NULL);
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

// small makes an instance in a folder of its own: configuration, database in
// the journal mode, and the local media.
func small(t testing.TB, journal string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.Write(t, filepath.Join(dir, "config.yaml"),
		"host: social.example.org\naccount-domain: example.org\ndb-type: "+
			"sqlite\ndb-address: sqlite.db\nstorage-local-base-path: storage\ndb-sqlite-journal-mode: "+journal+"\n")

	for _, key := range testkit.LocalMedia {
		testkit.Write(t, filepath.Join(dir, "storage/"+key), "bytes of "+key)
	}
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	defer db.Close()
	for _, q := range []string{"PRAGMA journal_mode=" + journal, schema, testkit.SQLiteTables} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openServer(t testing.TB, s gotosocial.Server, o instance.Options) *instance.Instance {
	t.Helper()
	c, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	return instancetest.OpenConfig(t, c, o)
}

// facts returns a view's facts without their moment.
func facts(t testing.TB, v vault.View) manifest.Facts {
	t.Helper()
	f, _ := v.Facts(t.Context())
	return f
}
