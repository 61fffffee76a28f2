package instance_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/instance"
	"holdfast/instance/export"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/remedy"
)

// exportLive exports the instance in a folder.
func exportLive(t testing.TB, dir string) (string, error) {
	t.Helper()
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	done, err := writeExport(t, c, &b)
	if n := strings.Count(b.String(), "\n"); err == nil && done.Entries != int64(n) {
		t.Errorf("%d entries are said to be %d", n, done.Entries)
	}
	return b.String(), err
}

// exportStored does it as from a snapshot: with the files of a view, as far as
// they are chosen.
func exportStored(t testing.TB, dir string) (string, error) {
	t.Helper()
	v := begin(t, openInstance(t, dir, instance.Options{}))
	defer v.Close()
	names, err := export.Paths(listed(v.Database()))
	if err != nil {
		return "", err
	}
	stored := t.TempDir()
	for _, name := range names {
		text, err := readFile(t.Context(), v, path.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, stored, path.Base(name), text)
	}
	var b bytes.Buffer
	_, err = export.WriteSnapshot(t.Context(), stored, &b)
	return b.String(), err
}

func listed(files []manifest.File) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		for _, f := range files {
			if !yield(f, nil) {
				return
			}
		}
		yield(manifest.File{Part: manifest.Files, Path: "etc/public.users.copy"}, nil)
	}
}

func must1(t testing.TB, text string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sections are runs of lines of one type, each with its lines sorted.
func sections(export string) (all []string) {
	var of string
	var lines []string
	end := func() {
		slices.Sort(lines)
		all = append(all, strings.Join(lines, ""))
		lines = nil
	}
	for line := range strings.Lines(export) {
		kind, _, _ := strings.Cut(line, ",")
		if kind != of && lines != nil {
			end()
		}
		of, lines = kind, append(lines, line)
	}
	end()
	return all
}

// sameSections wants the same lines, byte for byte, in sections of the same
// order.
func sameSections(t testing.TB, got, want string) {
	t.Helper()
	g, w := sections(got), sections(want)
	if len(g) != len(w) {
		t.Fatalf("%d sections, want %d:\n%s", len(g), len(w), got)
	}
	for i := range w {
		if g[i] != w[i] {
			t.Errorf("section %d is\n%s\nwant\n%s", i, g[i], w[i])
		}
	}
}

func TestExportEqualsGoToSocialsOnSQLite(t *testing.T) {
	dir := fixture(t)
	live, err := exportLive(t, dir)
	live = must1(t, live, err)
	want := testkit.RecordedSQLite.Export(t)
	sameSections(t, live, want)
	// GoToSocial gives the accounts at the other ends of follows in the random
	// order of a map. Everything else stands at its line.
	other := regexp.MustCompile(`(?m)^.*"INJECTED REMOTE (mia|zed)".*\n`)
	if other.ReplaceAllString(live, "") != other.ReplaceAllString(want, "") {
		t.Errorf("other order:\n%s", live)
	}
	stored, err := exportStored(t, dir)
	if must1(t, stored, err) != live {
		t.Errorf("a snapshot exports\n%s\nlive\n%s", stored, live)
	}
}

func TestExportEqualsGoToSocialsOnPostgres(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	recorded := t.TempDir()
	testkit.RecordedPostgres.Unpack(t, recorded)
	s.Load(t, postgrestest.Owner, "gotosocial", filepath.Join(recorded, "gotosocial.sql"))
	dir := pgConfig(t, pgSettings(s, "gotosocial"))
	live, err := exportLive(t, dir)
	sameSections(t, must1(t, live, err), testkit.RecordedPostgres.Export(t))
	stored, err := exportStored(t, dir)
	if must1(t, stored, err) != live {
		t.Errorf("a snapshot exports\n%s\nlive\n%s", stored, live)
	}
}

func pgSettings(s *postgrestest.Server, database string) string {
	return fmt.Sprintf("db-address: 127.0.0.1\ndb-port: %d\ndb-user: %s\ndb-password: %s\ndb-database: %s\n", s.Port,
		postgrestest.Owner, s.Password, database)
}

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
	db := openSQL(t, inst.Database())
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

// line is one of an export.
type line struct {
	Type, ID, Username, Domain, PrivateKey, PublicKey, Note string
	AccountID, TargetAccountID, SuspendedAt                 string
}

func lines(t testing.TB, export string) (all []line) {
	t.Helper()
	for text := range strings.Lines(export) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

func TestExportedKeysAreTheDatabasesOwn(t *testing.T) {
	dir := people(t)
	text, err := exportLive(t, dir)
	db := openSQL(t, filepath.Join(dir, "sqlite.db"))
	defer db.Close()
	found := 0
	for _, l := range lines(t, must1(t, text, err)) {
		if l.Type != "account" {
			continue
		}
		// Compared as digits: nobody has read them as numbers here.
		digits := func(column, name string) string {
			stored := query[string](t, db, "SELECT "+column+" FROM accounts WHERE id='"+l.ID+"'")
			return regexp.MustCompile(`"` + name + `":(\d+)`).FindStringSubmatch(stored)[1]
		}
		public := parsePEM(t, l.PublicKey, x509.ParsePKCS1PublicKey)
		if public.N.String() != digits("public_key", "N") {
			t.Errorf("%s: another public key", l.Username)
		}
		if l.Domain != "" {
			if l.PrivateKey != "" {
				t.Errorf("%s of %s has a private key", l.Username, l.Domain)
			}
			continue
		}
		found++
		private := parsePEM(t, l.PrivateKey, x509.ParsePKCS1PrivateKey)
		if private.N.String() != digits("private_key", "N") || private.D.String() != digits("private_key", "D") ||
			len(digits("private_key", "N")) < 600 {
			t.Errorf("%s: another private key", l.Username)
		}
	}
	if found != 4 {
		t.Errorf("%d local accounts, want 4", found)
	}
}

func parsePEM[K any](t testing.TB, text string, parse func([]byte) (K, error)) K {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		t.Fatalf("no PEM: %q", text)
	}
	key, err := parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestExportHoldsRelationsOfLocalAccounts(t *testing.T) {
	text, err := exportLive(t, people(t))
	text = must1(t, text, err)
	written := map[string]bool{}
	odd := 0
	for _, l := range lines(t, text) {
		if written[l.ID] {
			t.Errorf("%s %s is there twice", l.Type, l.ID)
		}
		written[l.ID] = true
		if l.Note == oddNote {
			odd++
		}
	}
	tied := map[string]bool{}
	for _, l := range lines(t, text) {
		if l.TargetAccountID == "" {
			continue
		}
		tied[l.AccountID], tied[l.TargetAccountID] = true, true
		if !written[l.AccountID] || !written[l.TargetAccountID] {
			t.Errorf("%s %s leads to an account that is not there", l.Type, l.ID)
		}
	}
	for _, l := range lines(t, text) {
		if l.Type == "account" && l.Domain != "" && l.SuspendedAt == "" && !tied[l.ID] {
			t.Errorf("%s of %s has to do with nobody here", l.Username, l.Domain)
		}
	}
	for id, want := range map[string]bool{"01B": true, "01C": true, "01D": false, "01F": true, "01G": true,
		"01H": false, "01Q": true, "01X": true} {
		if written[id] != want {
			t.Errorf("%s is written: %v", id, written[id])
		}
	}
	if odd != 1 {
		t.Errorf("%d notes are what was written", odd)
	}
	if n := strings.Count(text, `"suspendedAt":"2026-01-02T03:04:05.1Z","suspensionOrigin":"`); n != 2 {
		t.Errorf("%d suspended accounts", n)
	}
}

// The seven tables as PostgreSQL has them.
const pgPeople = `
CREATE TABLE bun_migrations (id bigserial PRIMARY KEY, name varchar);
CREATE TABLE media_attachments (id char(26) PRIMARY KEY, remote_url varchar, file_path varchar, thumbnail_path varchar);
CREATE TABLE emojis (id char(26) PRIMARY KEY, domain varchar, image_remote_url varchar, image_path varchar, image_static_path varchar);
CREATE TABLE "accounts" (
	suspended_at timestamptz, created_at timestamptz NOT NULL, username varchar NOT NULL, domain varchar, avatar_remote_url varchar, header_remote_url varchar, display_name varchar, emojis varchar[], note varchar, note_raw varchar,
	locked boolean NOT NULL, discoverable boolean NOT NULL, uri varchar, url varchar, inbox_uri varchar, outbox_uri varchar, following_uri varchar, followers_uri varchar, featured_collection_uri varchar, actor_type smallint NOT NULL,
	private_key jsonb, public_key jsonb NOT NULL, public_key_uri varchar, sensitized_at timestamptz, silenced_at timestamptz, suspension_origin varchar, "odd ""name"", (" bytea DEFAULT '\x5c09', id varchar PRIMARY KEY);
CREATE TABLE blocks (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, uri varchar, account_id varchar, target_account_id varchar);
CREATE TABLE follows (LIKE blocks INCLUDING ALL);
CREATE TABLE follow_requests (LIKE blocks INCLUDING ALL);
CREATE TABLE domain_blocks (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, domain varchar, created_by_account_id varchar, private_comment varchar, public_comment varchar, obfuscate boolean, subscription_id varchar);
CREATE TABLE users (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, email varchar, account_id varchar, encrypted_password varchar, sign_up_ip bytea, reason varchar, invite_id varchar, locale varchar, last_emailed_at timestamptz,
	confirmation_token varchar, confirmation_sent_at timestamptz, confirmed_at timestamptz, unconfirmed_email varchar, moderator boolean, admin boolean, disabled boolean, approved boolean, reset_password_token varchar, reset_password_sent_at timestamptz);
CREATE TABLE instances (id varchar PRIMARY KEY, created_at timestamptz NOT NULL, domain varchar, title varchar, uri varchar, suspended_at timestamptz, domain_block_id varchar, short_description varchar, description varchar, terms varchar,
	contact_email varchar, contact_account_username varchar, contact_account_id varchar, reputation bigint, version varchar);
`

// onPostgres is a SQLite instance's identity in a PostgreSQL database.
func onPostgres(t testing.TB, s *postgrestest.Server, sqlite, database string) (dir string) {
	t.Helper()
	s.NewDatabase(t, database)
	s.ExecAs(t, postgrestest.Owner, database, pgPeople)
	conn := s.Connect(t, postgrestest.Owner, database)
	db := openSQL(t, filepath.Join(sqlite, "sqlite.db"))
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
	return pgConfig(t, pgSettings(s, database))
}

func TestEnginesAndSnapshotsExportTheSame(t *testing.T) {
	sqlite := people(t)
	s := postgrestest.Start(t)
	dir := onPostgres(t, s, sqlite, "gotosocial")
	want, err := exportLive(t, sqlite)
	live, err1 := exportLive(t, dir)
	sameSections(t, must1(t, live, err1), must1(t, want, err))
	stored, err := exportStored(t, dir)
	if must1(t, stored, err) != live {
		t.Errorf("a snapshot exports\n%s\nlive\n%s", stored, live)
	}
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "UPDATE accounts SET locked = locked WHERE domain IS NULL")
	again, err := exportLive(t, dir)
	if must1(t, again, err) != live {
		t.Error("where rows lie shows in the export")
	}
}

func TestExportReadsOldAndNewColumns(t *testing.T) {
	dir := people(t)
	before, err := exportLive(t, dir)
	before = must1(t, before, err)
	db := openSQL(t, filepath.Join(dir, "sqlite.db"))
	defer db.Close()
	for _, q := range []string{
		"ALTER TABLE accounts ADD COLUMN brand_new TEXT DEFAULT 'x'", "ALTER TABLE accounts DROP COLUMN " +
			"note_raw", "ALTER TABLE accounts DROP COLUMN silenced_at",
		"ALTER TABLE users DROP COLUMN reason", "ALTER TABLE domain_blocks DROP COLUMN subscription_id", "ALTER " +
			"TABLE domain_blocks DROP COLUMN obfuscate",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	after, err := exportLive(t, dir)
	if want := strings.Replace(before, `"obfuscate":false`, `"obfuscate":null`, 1); must1(t, after, err) != want {
		t.Errorf("%s\nwant\n%s", after, want)
	}
	if _, err := db.Exec("DROP TABLE follow_requests"); err != nil {
		t.Fatal(err)
	}
	_, err = exportLive(t, dir)
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "no table follow_requests") ||
		!strings.Contains(p.Fix, "admin export") {
		t.Errorf("%v", err)
	}
}

func TestBrokenKeyNamesTheAccountAndNoSecret(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(people(t), "sqlite.db"))
	if err != nil {
		t.Fatal(err)
	}
	var pair rsa.PrivateKey
	if err := json.Unmarshal([]byte(query[string](t, stored(t, whole),
		"SELECT private_key FROM accounts WHERE username='ada'")), &pair); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ set, want string }{
		"a float": {"private_key = replace(private_key, '" + pair.N.String() + "', '1.8e617')", "private key"},
		"a digit": {"private_key = replace(private_key, '" + pair.D.String() + "', '" + pair.D.String()[1:] +
			"')", "private key"},
		"an exponent":   {"private_key = replace(private_key, '65537', '65539')", "private key"},
		"no prime":      {"private_key = replace(private_key, '\"Primes\"', '\"Prime\"')", "private key"},
		"null prime":    {"private_key = json_set(private_key, '$.Primes', json('[null,null]'))", "private key"},
		"negative":      {"private_key = replace(private_key, '\"N\":', '\"N\":-')", "private key"},
		"null":          {"private_key = 'null'", "private key"},
		"text":          {"private_key = '-----BEGIN SECRET'", "private key"},
		"none":          {"private_key = NULL", "has no key pair"},
		"no public key": {"public_key = '{}'", "public key"},
		"another's":     {"public_key = (SELECT public_key FROM accounts WHERE username='bruno')", "different pairs"},
		"a time":        {"created_at = 'secret'", "column created_at"},
		"a boolean":     {"locked = 'secret'", "column locked"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := t.TempDir()
			write(t, broken, "sqlite.db", string(whole))
			db := openSQL(t, filepath.Join(broken, "sqlite.db"))
			if _, err := db.Exec("UPDATE accounts SET " + c.set + " WHERE username='ada'"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := export.WriteSnapshot(t.Context(), broken, io.Discard)
			var p *remedy.Error
			if !errors.As(err, &p) || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), "@ada") || !strings.Contains(p.Fix, "earlier snapshot") {
				t.Errorf("%v", err)
			}
			if err != nil && (regexp.MustCompile(`\d{40}`).MatchString(err.Error()) ||
				strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("the value shows: %v", err)
			}
		})
	}
}

// An export is for when little else can be read: one broken row of others must not
// cost the rest.
func TestBrokenRowsOfOthersAreLeftOutAndNamed(t *testing.T) {
	dir := people(t)
	before, err := exportLive(t, dir)
	before = must1(t, before, err)
	db := openSQL(t, filepath.Join(dir, "sqlite.db"))
	defer db.Close()
	const remote, follow = "(SELECT id FROM accounts WHERE suspended_at IS NOT NULL ORDER BY id LIMIT 1)", "(SELECT " +
		"id FROM follows WHERE uri='https://a/5')"
	broken := []string{query[string](t, db, "SELECT id FROM accounts WHERE id="+remote),
		query[string](t, db, "SELECT id FROM follows WHERE id="+follow)}
	for _, q := range []string{"UPDATE accounts SET public_key = '{\"N\":0,\"E\":3}' WHERE id=" + remote,
		"UPDATE follows SET created_at = 'secret' WHERE id=" + follow} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	var want strings.Builder
	for line := range strings.Lines(before) {
		if !strings.Contains(line, `"id":"`+broken[0]+`"`) && !strings.Contains(line, `"id":"`+broken[1]+`"`) {
			want.WriteString(line)
		}
	}
	c, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	done, err := writeExport(t, c, &got)
	if err != nil || got.String() != want.String() || done.Entries != int64(strings.Count(want.String(), "\n")) ||
		strings.Count(before, "\n")-strings.Count(want.String(), "\n") != 2 {
		t.Errorf("%v\n%s\nwant\n%s", err, &got, &want)
	}
	said := strings.Join(done.LeftOut, "\n")
	if len(done.LeftOut) != 2 || !strings.Contains(said, broken[0]+"): column public_key: the public key is not an "+
		"RSA key") || !strings.Contains(said, "follow "+broken[1]+": column created_at") ||
		strings.Contains(said, "secret") {
		t.Errorf("left out: %s", said)
	}
}

// The format is PostgreSQL's: what it reads, we read.
func TestCopiedRowsAreReadAsPostgresReadsThem(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", pgPeople)
	written := []string{`plain`, ``, `\\N`, `a\tb\nc\\d\re\bf\fg\vh`, `\101\x41\x4a\12z\1012`, `\xg\q`, `ä\303\244`,
		`\x4`, `\18\x5ag`}
	var in strings.Builder
	for i, text := range written {
		fmt.Fprintf(&in, "01%c\t2026-01-02 03:04:05+09\thost%d\t%s\turi%d\n", 'A'+i, i, text, i)
	}
	conn := s.Connect(t, postgrestest.Owner, "gotosocial")
	if _, err := conn.PgConn().CopyFrom(t.Context(), strings.NewReader(in.String()),
		"COPY instances (id, created_at, domain, terms, uri) FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), "SELECT terms FROM instances ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	whole, err := os.ReadFile(filepath.Join(people(t), "sqlite.db"))
	if err != nil {
		t.Fatal(err)
	}
	account := stored(t, whole)
	private, public := query[string](t, account, "SELECT private_key FROM accounts WHERE "+
		"username='ada'"), query[string](t, account, "SELECT public_key FROM accounts WHERE username='ada'")
	script := "-- a comment\n\\set ON_ERROR_STOP on\n"
	for name, c := range map[string]struct{ columns, rows string }{
		"instances": {`"id", "created_at", "domain", "terms", "uri"`, in.String()},
		"accounts": {`"id", "private_key", "username", "domain", "public_key", "suspended_at"`, "01Z\t" +
			private + "\tada\t\\N\t" + public + "\t\\N\n"},
		"follows":         {`"id", "account_id", "target_account_id"`, ""},
		"follow_requests": {`"id", "account_id", "target_account_id"`, ""},
		"blocks":          {`"id", "account_id", "target_account_id"`, ""},
		"domain_blocks":   {`"id"`, ""},
		"users":           {`"id"`, ""},
	} {
		script += fmt.Sprintf("\\copy \"a \"\"b\"\" (c\".\"%s\" (%s) from 'x.%s.copy'\n", name, c.columns, name)
		write(t, dir, "x."+name+".copy", c.rows)
	}
	write(t, dir, "restore.sql", script)
	var b bytes.Buffer
	if _, err := export.WriteSnapshot(t.Context(), dir, &b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for text := range strings.Lines(b.String()) {
		var l struct{ Type, Terms string }
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Type == "instance" {
			got = append(got, l.Terms)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, PostgreSQL reads %q", got, want)
	}
}

// writeExport exports a live database.
func writeExport(t testing.TB, c *gotosocial.Config, w io.Writer) (export.Result, error) {
	t.Helper()
	tables, err := instance.OpenTables(t.Context(), c)
	if err != nil {
		return export.Result{}, err
	}
	defer tables.Close()
	return export.Write(t.Context(), tables, w)
}
