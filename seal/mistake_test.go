package seal

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"holdfast/internal/testkit"
)

func TestIdentityFromAnEditorIsRead(t *testing.T) {
	identity, _, err := NewIdentity()
	testkit.OK(t, err)
	kit := "# Kit – ö\r\n" + identity + "\r\n"
	units := utf16.Encode([]rune("\ufeff" + kit))
	little, _ := binary.Append(nil, binary.LittleEndian, units)
	big, _ := binary.Append(nil, binary.BigEndian, units)
	for how, text := range map[string]string{
		"CRLF": kit, "byte order mark": "\ufeff" + kit, "UTF-16LE": string(little), "UTF-16BE": string(big),
	} {
		if ids, _, err := ReadIdentities(strings.NewReader(text), nil); err != nil || len(ids) != 1 {
			t.Errorf("%s: %d identities, %v", how, len(ids), err)
		}
	}
}

// The second of two identities does not get lost.
func TestLongIdentityFileIsRefused(t *testing.T) {
	identity, _, err := NewIdentity()
	testkit.OK(t, err)
	long := identity + strings.Repeat("\n# a comment", maxIdentityFile/8) + "\n" + identity + "\n"
	if ids, _, err := ReadIdentities(strings.NewReader(long), nil); err == nil {
		t.Errorf("%d of 2 identities, without an error", len(ids))
	}
}

func TestMistypedIdentityIsExplainedAndNotQuoted(t *testing.T) {
	identity, _, err := NewIdentity()
	testkit.OK(t, err)
	other := map[bool]string{true: "P", false: "Q"}[identity[30] == 'Q']
	for want, line := range map[string]string{
		"character 21 is 'b'":  identity[:20] + "B" + identity[21:],
		"checksum":             identity[:30] + other + identity[31:],
		"a key of 73 char":     identity[:73],
		"is not an age ident":  "secret " + identity[16:],
		"line 2 has a mistype": "#\n" + identity[:20] + "1" + identity[21:],
	} {
		_, _, err := ReadIdentities(strings.NewReader(line), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if err != nil && strings.Contains(strings.ToUpper(err.Error()), identity[40:50]) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}
