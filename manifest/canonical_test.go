package manifest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"holdfast/seal"
)

// signed returns a record with a line of the test's choice, as a thief of the host's key signs it.
func signed(h *seal.Host, line string) []byte {
	return []byte(line + "\n" + base64.StdEncoding.EncodeToString(h.SignRecord([]byte(line))) + "\n")
}

func TestRecordCannotBeMultipliedWithoutAKey(t *testing.T) {
	h := host(t)
	text, err := sampleRecord(h).Sign(h)
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(string(text), "\n")
	signature := strings.TrimSuffix(rest, "\n")
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	loose := strings.TrimSuffix(signature, "==") // 64 bytes: the last digit has four bits too many
	at := strings.IndexByte(digits, loose[len(loose)-1])
	loose = loose[:len(loose)-1] + digits[at+1:at+2] + "=="
	for what, copied := range map[string]string{
		"a carriage return before the end": line + "\n" + signature + "\r\n",
		"a carriage return within":         line + "\n" + signature[:9] + "\r" + signature[9:] + "\n",
		"a thousand carriage returns":      line + "\n" + strings.Repeat("\r", 1000) + signature + "\n",
		"loose bits":                       line + "\n" + loose + "\n",
		"no padding":                       line + "\n" + strings.TrimRight(signature, "=") + "\n",
		"a space at the end":               line + "\n" + signature + " \n",
		"a third line":                     line + "\n" + signature + "\n\n",
		"no last line end":                 line + "\n" + signature,
		"a carriage return in the line":    line + "\r\n" + signature + "\n",
		"a space before the line":          " " + line + "\n" + signature + "\n",
	} {
		if _, err := ParseRecord([]byte(copied)); err == nil {
			t.Errorf("%s: another record with the same signature counts", what)
		}
	}
}

func TestSignedRecordHasOneMeaning(t *testing.T) {
	h := host(t)
	text, err := sampleRecord(h).Sign(h)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if _, err := ParseRecord(signed(h, line)); err != nil {
		t.Fatal(err)
	}
	hash := base64.RawStdEncoding.EncodeToString(bytes.Repeat([]byte{0}, 32))
	for what, change := range map[string][2]string{
		"a sequence twice":          {`"sequence":12`, `"sequence":12,"sequence":13`},
		"a sequence in other case":  {`"sequence":12`, `"sequence":12,"Sequence":13`},
		"a part twice":              {`"media":{"files":2`, `"media":{"files":1,"bytes":1},"media":{"files":2`},
		"a null":                    {`"missing":1`, `"missing":null`},
		"a hash with a line end":    {`"retired":["`, `"retired":["` + hash[:20] + `\r` + hash[20:] + `","`},
		"a hash with loose bits":    {`"retired":["`, `"retired":["` + hash[:42] + `B","`},
		"a short hash, a line end":  {`"retired":["`, `"retired":["` + hash[:42] + `\n","`},
		"a key with a line end":     {`"certificate":{"key":"`, `"certificate":{"key":"\r`},
		"a pack's number below 0":   {`"packs":{"database":[[1,`, `"packs":{"database":[[-1,`},
		"a pack with a fourth part": {`"listing":[[3,`, `"listing":[[3,1,`},
	} {
		if !strings.Contains(line, change[0]) {
			t.Fatalf("%s: the record has no %s", what, change[0])
		}
		if _, err := ParseRecord(signed(h, strings.Replace(line, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: the record counts", what)
		}
	}
	newer := strings.Replace(line, `{"format":1,`, `{"format":1,"colour":["of","the",{"future":true}],`, 1)
	if _, err := ParseRecord(signed(h, newer)); err != nil {
		t.Errorf("an unknown member: %v", err)
	}
}

// Otherwise four bytes of junk would stop every backup.
func TestOnlyASignedRecordIsOfANewerFormat(t *testing.T) {
	h := host(t)
	r := sampleRecord(h)
	r.Format = 2
	text, err := r.Sign(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRecord(text); !errors.Is(err, ErrNewer) {
		t.Errorf("signed: %v", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for what, junk := range map[string]string{
		"junk":              "{\"format\":2}\nx\n",
		"another signature": line + "\n" + base64.StdEncoding.EncodeToString(make([]byte, 64)) + "\n",
	} {
		if _, err := ParseRecord([]byte(junk)); err == nil || errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestLineOfAListingHasOneMeaning(t *testing.T) {
	const good = `{"part":"media","path":"a","size":5,"mode":"0644","modified":"2026-11-22T03:00:00Z",` +
		`"sha256":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ","extents":[[1,0,5]]}` + "\n"
	if _, err := read(good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"a path twice":              {`"path":"a"`, `"path":"a","path":"b"`},
		"a path in other case":      {`"path":"a"`, `"path":"a","Path":"b"`},
		"a link in other case":      {`"mode"`, `"LINK":"../x","mode"`},
		"a mode of five digits":     {`"0644"`, `"00644"`},
		"a mode of three digits":    {`"0644"`, `"644"`},
		"a hash with loose bits":    {`OLmCQ"`, `OLmCR"`},
		"half of a surrogate pair":  {`"path":"a"`, `"path":"a\ud800"`},
		"an extent of two numbers":  {`[[1,0,5]]`, `[[1,5]]`},
		"an extent of four numbers": {`[[1,0,5]]`, `[[1,0,5,5]]`},
		"an extent with a null":     {`[[1,0,5]]`, `[[1,null,5]]`},
		"an extent with a fraction": {`[[1,0,5]]`, `[[1,0,5.0]]`},
		"an extent that is a text":  {`[[1,0,5]]`, `[[1,0,"5"]]`},
		"extents that are no array": {`[[1,0,5]]`, `{"a":[1,0,5]}`},
		"extents that are a number": {`[[1,0,5]]`, `7`},
	} {
		if !strings.Contains(good, change[0]) {
			t.Fatalf("%s: the line has no %s", what, change[0])
		}
		if _, err := read(strings.Replace(good, change[0], change[1], 1)); err == nil {
			t.Errorf("%s: the line counts", what)
		}
	}
}
