package remedy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorFromOutsideFitsIntoALine(t *testing.T) {
	cause := errors.New("cause")
	for _, evil := range []string{
		"a\nb", "a\r✓ done", "\x1b[2J", strings.Repeat("x", 1<<20), strings.Repeat("é\n", 1000), "\xff\xfe", "",
	} {
		err := Line(fmt.Errorf("%s: %w", evil, cause))
		if text := err.Error(); !errors.Is(err, cause) || len(text) > 410 || strings.ContainsAny(text, "\n\r\x1b") {
			t.Errorf("%.50q: %q", evil, text)
		}
		if cut := Cut(evil); len(cut) > 110 || strings.ContainsAny(cut, "\n\r\x1b") {
			t.Errorf("%.50q: cut to %q", evil, cut)
		}
	}
	if plain := errors.New("plain: «é»"); Line(plain) != plain || Cut("plain") != "plain" {
		t.Error("a harmless text changed")
	}
	if Line(nil) != nil {
		t.Error("no error became an error")
	}
}
