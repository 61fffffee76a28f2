package integration_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxColumns is the most columns of a line. A tab has four columns.
const maxColumns = 120

func TestHouseLinesAreShort(t *testing.T) {
	for path, text := range sources(t, ".go", ".md") {
		if filepath.Ext(path) == ".md" {
			text = wrappable(text)
		}
		number := 0
		for line := range strings.Lines(text) {
			number++
			if n := columns(line); n > maxColumns {
				t.Errorf("%s:%d has %d columns, want at most %d", path, number, n, maxColumns)
			}
		}
	}
}

var webAddress = regexp.MustCompile(`https?://\S+`)

// columns counts the columns of a line without web addresses: an address can't be
// wrapped.
func columns(line string) int {
	line = strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    ")
	return utf8.RuneCountInString(webAddress.ReplaceAllString(line, ""))
}

// wrappable returns a Markdown text with empty lines in place of tables and code.
func wrappable(markdown string) string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(markdown) {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence {
			fenced = !fenced
		}
		if fence || fenced || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ") {
			line = "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}
