package psql

import (
	"fmt"
	"strings"
)

// QuoteName quotes a name for SQL. Several parts make a qualified name.
func QuoteName(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		// No name of PostgreSQL holds NUL.
		quoted[i] = `"` + strings.ReplaceAll(strings.ReplaceAll(part, "\x00", ""), `"`, `""`) + `"`
	}
	return strings.Join(quoted, ".")
}

// QuoteNames quotes each name for SQL.
func QuoteNames(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = QuoteName(name)
	}
	return quoted
}

// ShortName leaves room for a suffix: PostgreSQL cuts names after 63 bytes.
func ShortName(name string) string { return strings.ToValidUTF8(name[:min(40, len(name))], "") }

// EscapeName makes a name fit for a file: every byte except letters, digits and
// underscores becomes %XX. Two different names stay different.
func EscapeName(name string) string {
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
