package manifest

import (
	"strings"
	"testing"
)

func TestObjectNamesAreParsedBack(t *testing.T) {
	want := Hash{1, 2, 0xff}
	for prefix, object := range map[string]string{
		"packs/": Pack{Name: want}.Object(), "keys/": Key{Name: want}.Object(), "snapshots/": RecordObject(want),
	} {
		if got, name, ok := ParseObject(object); !ok || got != prefix || name != want {
			t.Errorf("ParseObject(%q) = %q, %v, %v", object, got, name, ok)
		}
	}
}

func TestForeignNamesAreNoObjects(t *testing.T) {
	hex := Hash{0xff}.Hex()
	for _, object := range []string{
		"", "README", hex, "/" + hex, "packs/", "packs" + hex, "packs/notes.txt", "packs/" + hex[2:],
		"packs/" + strings.ToUpper(hex), "packs/" + hex + "/", "Packs/" + hex, "probes/" + hex, "a/packs/" + hex,
	} {
		if prefix, name, ok := ParseObject(object); ok {
			t.Errorf("ParseObject(%q) = %q, %v, true", object, prefix, name)
		}
	}
}
