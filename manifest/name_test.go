package manifest

import (
	"fmt"
	"strings"
	"testing"
)

func TestOddNamesReadBack(t *testing.T) {
	for actual, path := range map[string]string{
		"plain/é": "plain/é", "bad\xff\xfe": "bad\uFFFDFF\uFFFDFE", "two\nlines\r": "two\uFFFD0Alines\uFFFD0D",
		"d\xe9j\xe0/\uFFFD": "d\uFFFDE9j\uFFFDE0/\uFFFD",
	} {
		f := &File{Part: Files, Path: StandIn(actual), SHA256: &Hash{}}
		if actual != f.Path {
			f.Name = []byte(actual)
		}
		if f.Path != path || !ValidPath(f.Path) {
			t.Errorf("%q: %q", actual, f.Path)
		}
		text, err := Line{File: f}.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := read(string(text))
		if err != nil || lines[0].File.TruePath() != actual {
			t.Errorf("%q: %s, %v", actual, text, err)
		}
	}
}

func TestNameThatDoesNotBelongToThePathIsRefused(t *testing.T) {
	for _, c := range []struct{ part, path, name string }{
		{"files", "a", ""},                          // empty
		{"files", "a", "YQ=="},                      // the path itself
		{"files", "a", "Li4vYQ=="},                  // ../a
		{"files", "a\uFFFDFF", "Yf4="},              // another byte
		{"files", "a/../b\uFFFDFF", "YS8uLi9i/w=="}, // climbs
		{"files", "\uFFFDFF\x00", "/wA="},           // NUL
		{"media", "a\uFFFDFF", "Yf8="},
	} {
		text := fmt.Sprintf(`{"part":%q,"path":%q,"name":%q,"size":0,"mode":"0644"}`+"\n", c.part, c.path, c.name)
		if _, err := read(strings.ReplaceAll(text, `\x00`, `\u0000`)); err == nil {
			t.Errorf("%+v", c)
		}
	}
}
