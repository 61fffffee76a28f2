package restored

import (
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"holdfast/internal/testkit"
)

// schema has the tables of GoToSocial 0.20 that a rebuild reads, with a few rows.
const schema = `
CREATE TABLE "accounts" ("id" CHAR(26) NOT NULL, "username" VARCHAR NOT NULL, "domain" VARCHAR, PRIMARY KEY ("id"));
CREATE INDEX "accounts_domain_idx" ON "accounts" ("domain");
CREATE TABLE "statuses" ("id" CHAR(26) NOT NULL, "mentions" VARCHAR, PRIMARY KEY ("id"));
CREATE INDEX "statuses_account_view_idx" ON "statuses"
  ((mentions IS NULL OR json_array_length(mentions) = 0), id DESC);
CREATE TABLE "media_attachments" ("id" CHAR(26) NOT NULL, "created_at" timestamptz NOT NULL DEFAULT current_timestamp,
  "remote_url" VARCHAR, "file_path" VARCHAR NOT NULL, "thumbnail_path" VARCHAR NOT NULL, "cached" BOOLEAN NOT NULL,
  PRIMARY KEY ("id"));
CREATE INDEX "media_attachments_cleanup_idx" ON "media_attachments" ("cached", "created_at");
CREATE TABLE "emojis" ("id" CHAR(26) NOT NULL, "domain" VARCHAR, "image_remote_url" VARCHAR,
  "image_path" VARCHAR NOT NULL, "image_static_path" VARCHAR NOT NULL, cached BOOLEAN DEFAULT false,
  PRIMARY KEY ("id"));
INSERT INTO accounts VALUES
  ('01A', 'social.example.org', NULL), ('01B', 'alice', NULL), ('01C', 'bob', NULL), ('01D', 'zed', 'remote.test');
INSERT INTO statuses VALUES ('01S', NULL), ('01T', '["01D"]'), ('01U', NULL);
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

// small makes a configuration and a database in a journal mode, in a new folder.
func small(t *testing.T, journal string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	testkit.Write(t, filepath.Join(dir, "config.yaml"), "host: social.example.org\naccount-domain: example.org\n"+
		"db-type: sqlite\ndb-address: sqlite.db\nstorage-local-base-path: storage\n"+
		"db-sqlite-journal-mode: "+journal+"\n")
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	for _, q := range []string{"PRAGMA journal_mode=" + journal, schema} {
		_, err := db.Exec(q)
		testkit.OK(t, err)
	}
	testkit.OK(t, db.Close())
	return dir
}
