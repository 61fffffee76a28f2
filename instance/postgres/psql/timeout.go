package psql

import (
	"regexp"
	"slices"
	"strings"
)

// AfterTimeouts begins the line that follows the timeouts at the head of pg_dump's scripts.
const AfterTimeouts = "SET client_encoding = "

var timeout = regexp.MustCompile(`^SET ([a-z_]+_timeout) = 0;\n$`)

// IsNewTimeout reports whether a line at the head of a script lifts a timeout that some version
// of PostgreSQL lacks: a server refuses unknown settings. pg_dump prints the timeouts of its own
// version, such as transaction_timeout since PostgreSQL 17.
func IsNewTimeout(line string) bool {
	m := timeout.FindStringSubmatch(line)
	old := []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"}
	return m != nil && !slices.Contains(old, m[1])
}

// DropNewTimeouts leaves the new timeouts out of a script.
func DropNewTimeouts(script string) string {
	head, rest, found := strings.Cut(script, "\n"+AfterTimeouts)
	if !found {
		return script
	}
	var b strings.Builder
	for line := range strings.Lines(head + "\n") {
		if !IsNewTimeout(line) {
			b.WriteString(line)
		}
	}
	return b.String() + AfterTimeouts + rest
}
