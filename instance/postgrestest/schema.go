package postgrestest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"testing"

	"holdfast/internal/testkit"
)

// Schema creates tables like those of GoToSocial, with rows that a text format
// could spoil.
const Schema = `
CREATE TABLE bun_migrations (id bigserial PRIMARY KEY, name varchar, group_id bigint,
  migrated_at timestamptz NOT NULL DEFAULT current_timestamp);
CREATE TABLE accounts (id char(26) PRIMARY KEY, username varchar NOT NULL, domain varchar, private_key bytea,
  fields jsonb, also varchar[], created_at timestamptz NOT NULL DEFAULT '2026-01-02 03:04:05.678901+09',
  UNIQUE (username, domain));
CREATE INDEX accounts_domain_idx ON accounts (domain);
CREATE TABLE statuses (id char(26) PRIMARY KEY, local boolean NOT NULL DEFAULT false, content varchar,
  mentions varchar[], numbers bigint[], faves double precision,
  shout varchar GENERATED ALWAYS AS (upper(content)) STORED);
CREATE INDEX statuses_local_idx ON statuses (local, id DESC);
CREATE INDEX statuses_account_view_idx ON statuses ((mentions IS NULL OR cardinality(mentions) = 0), id DESC);
CREATE VIEW statuses_local_count_view AS SELECT count(*) FROM statuses WHERE local;
CREATE TABLE media_attachments (id char(26) PRIMARY KEY, remote_url varchar, file_path varchar NOT NULL,
  thumbnail_path varchar NOT NULL, cached boolean NOT NULL);
CREATE TABLE emojis (id char(26) PRIMARY KEY, domain varchar, image_remote_url varchar,
  image_path varchar NOT NULL, image_static_path varchar NOT NULL, cached boolean DEFAULT false);
CREATE TABLE no_key (a text, b int);
CREATE TABLE "Odd.Näme/%" ("select" int PRIMARY KEY, gone int, "a ""b""" text);
ALTER TABLE "Odd.Näme/%" DROP COLUMN gone;
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
CREATE SEQUENCE unused;
INSERT INTO bun_migrations (name) VALUES ('20250101000000'), ('20250715095446');
INSERT INTO accounts VALUES
  ('01A', 'social.example.org', NULL, '\x00ff0a5c', '{"a": [1, null, "x\ny"]}', '{}'),
  ('01B', 'alice', NULL, NULL, 'null', NULL),
  ('01C', 'bob', NULL, '', '[]', '{a,"b c",NULL,"\"\\"}'),
  ('01D', 'zed', 'remote.test', NULL, NULL, NULL);
INSERT INTO statuses (id, local, content, mentions, numbers, faves) VALUES
  ('01S', true, E'tab\tnewline\nback\\slash \\N \\. \r\x01 end', '{}', '{1,-9223372036854775808}', 0.1),
  ('01T', true, '', '{01D}', NULL, 'NaN'),
  ('01U', false, NULL, NULL, '{}', 1e-300),
  ('01V', false, E'\\.', NULL, NULL, '-Infinity');
INSERT INTO media_attachments VALUES
  ('01M', '', '01B/attachment/original/01M.png', '01B/attachment/small/01M.webp', true),
  ('01N', NULL, '01B/attachment/original/01N.mp3', '', true),
  ('01O', 'https://remote.test/o', '01D/attachment/original/01O.png', '01D/attachment/small/01O.webp', true);
INSERT INTO emojis VALUES
  ('01E', NULL, NULL, '01A/emoji/original/01E.gif', '01A/emoji/static/01E.png', true),
  ('01F', 'remote.test', 'https://remote.test/f', '01A/emoji/original/01F.gif', '01A/emoji/static/01F.png', true);
INSERT INTO no_key SELECT 'row ' || i, i FROM generate_series(1, 1000) i;
INSERT INTO "Odd.Näme/%" VALUES (1, 'x'), (2, NULL);
`

// LocalMedia are the storage keys of the local media in [Schema], in byte order.
var LocalMedia = []string{
	"01A/emoji/original/01E.gif",
	"01A/emoji/static/01E.png",
	"01B/attachment/original/01M.png",
	"01B/attachment/original/01N.mp3",
	"01B/attachment/small/01M.webp",
}

// AddKeys gives each account of [Schema] a key pair in GoToSocial's form.
func (s *Server) AddKeys(t testing.TB, database string) {
	t.Helper()
	s.ExecAs(t, Owner, database,
		"ALTER TABLE accounts DROP COLUMN private_key, ADD private_key jsonb, ADD public_key jsonb")
	conn := s.Connect(t, Owner, database)
	defer conn.Close(t.Context())
	for _, id := range []string{"01A", "01B", "01C"} {
		key, err := rsa.GenerateKey(rand.Reader, 1024)
		testkit.OK(t, err)
		private, err := json.Marshal(key)
		testkit.OK(t, err)
		public, err := json.Marshal(key.Public())
		testkit.OK(t, err)
		const update = "UPDATE accounts SET private_key = $2, public_key = $3 WHERE id = $1"
		_, err = conn.Exec(t.Context(), update, id, private, public)
		testkit.OK(t, err)
	}
}
