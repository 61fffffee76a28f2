package export_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/postgrestest"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// oddNote is text that a format could spoil.
const oddNote = "tab\tnewline\nback\\slash \\N \\. \\x41 \r\x01 <b>&\u2028 end"

// people is a sample with what the sample itself leaves empty.
func people(t testing.TB) (dir string) {
	t.Helper()
	inst, err := sample.Make(filepath.Join(t.TempDir(), "instance"), sample.Config{Statuses: 10, Media: 1,
		Accounts: 40})
	if err != nil {
		t.Fatal(err)
	}
	db := testkit.OpenSQLite(t, inst.Database(), "")
	defer db.Close()
	some := "(SELECT id FROM accounts WHERE domain IS %sNULL ORDER BY id LIMIT 1 OFFSET %d)"
	local, remote := func(n int) string {
		return fmt.Sprintf(some, "",
			n)
	}, func(n int) string { return fmt.Sprintf(some, "NOT ", n) }
	const stranger = "(SELECT id FROM accounts WHERE domain IS NOT NULL AND id NOT IN (SELECT target_account_id " +
		"FROM follows) ORDER BY id DESC LIMIT 1)"
	for _, q := range []string{
		"UPDATE accounts SET note = ?1, suspended_at = NULL WHERE id = " + local(1),
		"UPDATE accounts SET suspended_at = '2026-01-02 03:04:05.1+00:00', suspension_origin = id WHERE id IN (" +
			remote(30) + ", " + remote(31) + ")",
		"INSERT INTO blocks (id, uri, account_id, target_account_id) VALUES ('01B', 'https://a/1', " + local(1) +
			", " + remote(5) + "), ('01C', 'https://a/2', " + remote(6) + ", " + local(2) +
			"), ('01D', 'https://a/3', " + remote(7) + ", " + remote(8) + ")",
		"INSERT INTO follows (id, created_at, uri, account_id, target_account_id) VALUES ('01F', '2026-01-02 " +
			"03:04:05', 'https://a/4', " + local(1) + ", " + local(2) +
			"), ('01G', '2026-01-02 03:04:05', 'https://a/5', " + remote(9) + ", " + local(2) +
			"), ('01H', '2026-01-02 03:04:05', 'https://a/8', " + stranger + ", " + stranger + ")",
		"INSERT INTO follow_requests (id, created_at, uri, account_id, target_account_id) VALUES ('01Q', " +
			"'2026-01-02 03:04:05', 'https://a/6', " + remote(10) + ", " + local(1) + ")",
		"INSERT INTO domain_blocks (id, created_at, domain, created_by_account_id, private_comment) VALUES ('01X', " +
			"'2026-01-02 03:04:05.25+00:00', 'evil.test', " + local(1) + ", ?1)",
		"UPDATE users SET last_emailed_at = '0001-01-01 00:00:00+00:00', locale = 'de', reset_password_sent_at = " +
			"'2026-01-02 03:04:05.123456+00:00' WHERE account_id = " + local(1),
		"UPDATE instances SET terms = ?1, reputation = -3",
	} {
		args := []any{oddNote}
		if !strings.Contains(q, "?1") {
			args = nil
		}
		if _, err := db.Exec(q, args...); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return inst.Dir
}

// The seven tables as PostgreSQL has them.
const pgPeople = `
CREATE TABLE bun_migrations (id bigserial PRIMARY KEY, name varchar);
CREATE TABLE media_attachments (id char(26) PRIMARY KEY, remote_url varchar, file_path varchar, thumbnail_path varchar);
CREATE TABLE emojis (id char(26) PRIMARY KEY, domain varchar, image_remote_url varchar, image_path varchar,
  image_static_path varchar);
CREATE TABLE "accounts" (
	suspended_at timestamptz, created_at timestamptz NOT NULL, username varchar NOT NULL, domain varchar,
	  avatar_remote_url varchar, header_remote_url varchar, display_name varchar, emojis varchar[], note varchar,
	  note_raw varchar,
	locked boolean NOT NULL, discoverable boolean NOT NULL, uri varchar, url varchar, inbox_uri varchar,
	  outbox_uri varchar, following_uri varchar, followers_uri varchar, featured_collection_uri varchar,
	  actor_type smallint NOT NULL,
	private_key jsonb, public_key jsonb NOT NULL, public_key_uri varchar, sensitized_at timestamptz,
	  silenced_at timestamptz, suspension_origin varchar, "odd ""name"", (" bytea DEFAULT '\x5c09',
	  id varchar PRIMARY KEY);
CREATE TABLE blocks (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, uri varchar, account_id varchar,
  target_account_id varchar);
CREATE TABLE follows (LIKE blocks INCLUDING ALL);
CREATE TABLE follow_requests (LIKE blocks INCLUDING ALL);
CREATE TABLE domain_blocks (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, domain varchar,
  created_by_account_id varchar, private_comment varchar, public_comment varchar, obfuscate boolean,
  subscription_id varchar);
CREATE TABLE users (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, email varchar, account_id varchar,
  encrypted_password varchar, sign_up_ip bytea, reason varchar, invite_id varchar, locale varchar,
  last_emailed_at timestamptz,
	confirmation_token varchar, confirmation_sent_at timestamptz, confirmed_at timestamptz,
	  unconfirmed_email varchar, moderator boolean, admin boolean, disabled boolean, approved boolean,
	  reset_password_token varchar, reset_password_sent_at timestamptz);
CREATE TABLE instances (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, domain varchar, title varchar,
  uri varchar, suspended_at timestamptz, domain_block_id varchar, short_description varchar, description varchar,
  terms varchar,
	contact_email varchar, contact_account_username varchar, contact_account_id varchar, reputation bigint,
	  version varchar);
`

// onPostgres is a SQLite instance's identity in a PostgreSQL database.
func onPostgres(t testing.TB, s *postgrestest.Server, sqlite, database string) (dir string) {
	t.Helper()
	s.NewDatabase(t, database)
	s.ExecAs(t, postgrestest.Owner, database, pgPeople)
	conn := s.Connect(t, postgrestest.Owner, database)
	db := testkit.OpenSQLite(t, filepath.Join(sqlite, "sqlite.db"), "")
	defer db.Close()
	for _, table := range []string{"accounts", "blocks", "follows", "follow_requests", "domain_blocks", "users",
		"instances"} {
		rows, err := db.Query("SELECT * FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		var object strings.Builder
		for rows.Next() {
			values := make([]any, len(names))
			to := make([]any, len(names))
			for i := range values {
				to[i] = &values[i]
			}
			if err := rows.Scan(to...); err != nil {
				t.Fatal(err)
			}
			row := map[string]any{}
			for i, name := range names {
				if values[i] == nil || slices.Contains([]string{"emojis", "sign_up_ip"}, name) {
					continue
				}
				row[name] = values[i]
				if strings.HasSuffix(name, "ate_key") || strings.HasSuffix(name, "lic_key") {
					row[name] = json.RawMessage(values[i].(string))
				}
			}
			text, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			object.Reset()
			fmt.Fprintf(&object, "INSERT INTO %[1]s SELECT * FROM jsonb_populate_record(NULL::%[1]s, $1)", table)
			if _, err := conn.Exec(t.Context(), object.String(), string(text)); err != nil {
				t.Fatalf("%s: %v", table, err)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return postgrestest.WriteInstance(t, s.Settings(database))
}
