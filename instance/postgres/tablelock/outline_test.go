package tablelock

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOutlineShowsTheStatementAndNoValue(t *testing.T) {
	for query, want := range map[string]string{
		"LOCK TABLE statuses IN ACCESS EXCLUSIVE MODE": "LOCK TABLE statuses IN ACCESS EXCLUSIVE MODE",
		"BEGIN; LOCK TABLE public.statuses":            "BEGIN; LOCK TABLE public.statuses",
		"alter table\n\t\"my Table\" add x int":        `alter table "my Table" add x int`,
		"SELECT * FROM a JOIN b USING (id)":            "SELECT * FROM a JOIN b USING (id)",
		"SELECT \"a\"\"b\".c FROM t":                   `SELECT "a""b".c FROM t`,
		"":                                             "",
		"  ":                                           "",
		"<insufficient privilege>":                     "",
		"COMMIT":                                       "COMMIT",

		"UPDATE users SET password = 'secret' WHERE id = 5":        "UPDATE users SET password …",
		"UPDATE users SET password='it''s secret'":                 "UPDATE users SET password …",
		"ALTER ROLE bob PASSWORD 'secret'":                         "ALTER ROLE bob PASSWORD …",
		"ALTER ROLE bob PASSWORD \"secret\"":                       "ALTER ROLE bob PASSWORD …",
		`INSERT INTO t (a) VALUES ("secret")`:                      "INSERT INTO t (a) VALUES …",
		`SELECT f('\'secret')`:                                     "SELECT f( …",
		`SELECT f(E'\'secret', U&'secret')`:                        "SELECT f( …",
		`SELECT U&"d\0061t" FROM secret`:                           "SELECT …",
		"SELECT f($tag$secret$tag$)":                               "SELECT f( …",
		"SELECT f($$secret$$)":                                     "SELECT f( …",
		"SELECT a$b$secret$b$":                                     "SELECT …",
		"DELETE FROM tokens WHERE id IN (17, 18)":                  "DELETE FROM tokens WHERE id IN ( …",
		"DELETE FROM tokens WHERE id = $1":                         "DELETE FROM tokens WHERE id …",
		"SET my.token TO secret":                                   "SET my.token TO …",
		"ALTER DATABASE d SET my.token to \"secret\"":              "ALTER DATABASE d SET my.token to …",
		"SET search_path = secret":                                 "SET search_path …",
		"ALTER TABLE a RENAME TO b":                                "ALTER TABLE a RENAME TO b",
		"SET x TO 1; COMMIT":                                       "SET x TO …",
		"/* secret /* secret */ secret */ SELECT a -- secret\r\nb": "SELECT a b",
		"SELECT/* secret":                                          "SELECT",
		"-- secret":                                                "",
		"SELECT \"secret":                                          "SELECT …",
		"SELECT 'secret":                                           "SELECT …",
		"COPY t FROM '/secret'":                                    "COPY t FROM …",
		"SELECT B'01', X'1F', N'secret'":                           "SELECT …",
	} {
		if got := outline(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

func TestOutlineIsShort(t *testing.T) {
	for _, query := range []string{
		"SELECT " + strings.Repeat("a, ", 100), "SELECT " + strings.Repeat("é", 100),
		"SELECT x" + strings.Repeat("é", 100),
		strings.Repeat("a", maxOutline) + " 'b'",
	} {
		got := outline(query)
		if len(got) > maxOutline || !strings.HasSuffix(got, " …") || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	}
}
