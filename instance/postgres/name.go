package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// quoteName quotes a name for SQL.
func quoteName(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

func quoteNames(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quoteName(name)
	}
	return quoted
}

// shortName leaves room for a suffix: PostgreSQL cuts names after 63 bytes.
func shortName(name string) string { return strings.ToValidUTF8(name[:min(40, len(name))], "") }

// escapeName makes a name fit for a file: every byte except letters, digits and
// underscores becomes %XX. Two different names stay different.
func escapeName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
