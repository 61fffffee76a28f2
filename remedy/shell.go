package remedy

import (
	"regexp"
	"strings"
)

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// QuoteShell returns text as one word of a POSIX shell.
func QuoteShell(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// ShellLine returns commands as one line that a person can paste into a shell. A later
// command runs only if the earlier ones succeed. The line leaves out a "--" before a
// word that is not like an option.
func ShellLine(commands ...[]string) string {
	lines := make([]string, len(commands))
	for i, command := range commands {
		var words []string
		for n, word := range command {
			if word != "--" || n+1 < len(command) && strings.HasPrefix(command[n+1], "-") {
				words = append(words, QuoteShell(word))
			}
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, " && ")
}
