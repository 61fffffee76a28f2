package export_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/export"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestBrokenKeyNamesTheAccountAndNoSecret(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(people(t), "sqlite.db"))
	if err != nil {
		t.Fatal(err)
	}
	var pair rsa.PrivateKey
	if err := json.Unmarshal([]byte(testkit.Query[string](t, testkit.OpenSQLiteBytes(t, whole),
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
			testkit.Write(t, filepath.Join(broken, "sqlite.db"), string(whole))
			db := testkit.OpenSQLite(t, filepath.Join(broken, "sqlite.db"), "")
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
	before = noError(t, before, err)
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	defer db.Close()
	const remote, follow = "(SELECT id FROM accounts WHERE suspended_at IS NOT NULL ORDER BY id LIMIT 1)", "(SELECT " +
		"id FROM follows WHERE uri='https://a/5')"
	broken := []string{testkit.Query[string](t, db, "SELECT id FROM accounts WHERE id="+remote),
		testkit.Query[string](t, db, "SELECT id FROM follows WHERE id="+follow)}
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
	account := testkit.OpenSQLiteBytes(t, whole)
	private, public := testkit.Query[string](t, account, "SELECT private_key FROM accounts WHERE "+
		"username='ada'"), testkit.Query[string](t, account, "SELECT public_key FROM accounts WHERE username='ada'")
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
		testkit.Write(t, filepath.Join(dir, "x."+name+".copy"), c.rows)
	}
	testkit.Write(t, filepath.Join(dir, "restore.sql"), script)
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
