package systemd_test

import (
	"slices"
	"testing"

	"holdfast/instance/systemd"
)

func TestUnknownEscapeEndsWordsAndStaysInArguments(t *testing.T) {
	for _, c := range []struct {
		line      string
		words     []string // those before an unknown escape
		arguments []string
	}{
		{`a  "b c" d'e f'g`, []string{"a", "b c", "de fg"}, []string{"a", "b c", "de fg"}},
		{`a\x41 \u00e4\s\tb`, []string{"aA", "ä \tb"}, []string{"aA", "ä \tb"}},
		{`one t\wo three`, []string{"one"}, []string{"one", `t\wo`, "three"}},
	} {
		words, err := systemd.SplitWords(c.line)
		if !slices.Equal(words, c.words) || (err == nil) != slices.Equal(c.words, c.arguments) {
			t.Errorf("%s: words %q, %v", c.line, words, err)
		}
		arguments, err := systemd.SplitArguments(c.line)
		if !slices.Equal(arguments, c.arguments) || err != nil {
			t.Errorf("%s: arguments %q, %v", c.line, arguments, err)
		}
	}
	if words, err := systemd.SplitWords(`one "two`); err == nil || !slices.Equal(words, []string{"one"}) {
		t.Errorf("an open quote: %q, %v", words, err)
	}
}

func TestSemicolonSeparatesCommands(t *testing.T) {
	commands, err := systemd.CommandLines(`/bin/a "b;" ; /bin/c \; d`)
	if err != nil || len(commands) != 2 || !slices.Equal(commands[0], []string{"/bin/a", "b;"}) ||
		!slices.Equal(commands[1], []string{"/bin/c", ";", "d"}) {
		t.Errorf("%q, %v", commands, err)
	}
}
