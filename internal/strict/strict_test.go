package strict

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

type document struct {
	Size  int            `json:"size"`
	Name  string         `json:"name"`
	Key   Bytes          `json:"key"`
	Parts map[string]int `json:"parts"`
}

func TestOneMeaningForEachDocument(t *testing.T) {
	many := strings.Repeat(`,"x":1`, 70)
	for what, c := range map[string]struct {
		text string
		good bool
	}{
		"members in any order":         {` { "name" : "a" , "size" : 7 } `, true},
		"an unknown member":            {`{"size":7,"colour_2":[{"a":[1,-2.5e3,true]},"x"]}`, true},
		"escapes":                      {`{"name":"\u00e9\"\\\/\n\ud83d\ude00"}`, true},
		"canonical base64":             {`{"key":"AAE="}`, true},
		"another case":                 {`{"size":7,"Size":8}`, false},
		"another case alone":           {`{"SIZE":8}`, false},
		"a letter that folds to s":     {`{"ſize":8}`, false},
		"a letter that folds, escaped": {`{"\u017fize":8}`, false},
		"an escape in a name":          {`{"s\u0069ze":8}`, false},
		"a member twice":               {`{"size":7,"size":8}`, false},
		"a member twice, deeper":       {`{"parts":{"media":1,"media":2}}`, false},
		"a member twice, in an array":  {`{"x":[{"a":1,"a":2}]}`, false},
		"an empty name":                {`{"":1}`, false},
		"a null":                       {`{"size":null}`, false},
		"a null in an array":           {`{"x":[1,null]}`, false},
		"half of a pair":               {`{"name":"\ud800"}`, false},
		"the wrong half first":         {`{"name":"\udc00\ud800"}`, false},
		"bytes beside UTF-8":           {"{\"name\":\"\xff\"}", false},
		"a line end in a string":       {"{\"name\":\"a\nb\"}", false},
		"base64 with a line end":       {`{"key":"AA\rE="}`, false},
		"base64 with loose bits":       {`{"key":"AAF="}`, false},
		"base64 without padding":       {`{"key":"AAE"}`, false},
		"two documents":                {`{} {}`, false},
		"a comma too many":             {`{"size":7,}`, false},
		"a word":                       {`{"size":seven}`, false},
		"many members":                 {`{"size":7` + many + `}`, false},
		"an endless number":            {`{"size":` + strings.Repeat("0", 1000) + `}`, false},
		"many levels":                  {`{"x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}`, false},
		"no end":                       {`{"x":[`, false},
		"nothing":                      {``, false},
	} {
		var d document
		if err := Unmarshal([]byte(c.text), &d); (err == nil) != c.good {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestMembersOfTheOutermostObjectAlone(t *testing.T) {
	got, err := Members([]byte(`{"a":{"b":1}, "b" : [2, 3] ,"c":"x"}`), "b", "d")
	if err != nil || string(got[0]) != "[2, 3]" || got[1] != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestArrayYieldsEachValue(t *testing.T) {
	var got []string
	for value, err := range Array([]byte(` [ 1 ,"a,]", [2,3],{"x":[4]}] `)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(value))
	}
	if all := strings.Join(got, "|"); all != `1|"a,]"|[2,3]|{"x":[4]}` {
		t.Errorf("got %s", all)
	}
	for _, bad := range []string{`7`, `[1`, `[1 2]`, `[,]`} {
		failed := false
		for _, err := range Array([]byte(bad)) {
			failed = failed || err != nil
		}
		if !failed {
			t.Errorf("%s passed for an array", bad)
		}
	}
}

// FuzzUnmarshal checks that a document has one meaning: a document that counts reads as encoding/json reads the
// document, and what encoding/json reads written anew counts again.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"size":7,"name":"\ud83d\ude00","key":"AAE=","parts":{"media":1}}`, `{"Size":7}`, `{"size":7,"size":8}`,
		`[1,[2],{"a":null}]`, `{"name":"\ud800"}`, `{"key":"AAE\r="}`, `{"s\u0069ze":8}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var ours, theirs, again document
		if Unmarshal(text, &ours) != nil {
			return
		}
		if err := json.Unmarshal(text, &theirs); err != nil {
			t.Fatalf("%q: encoding/json refuses: %v", text, err)
		}
		one, _ := json.Marshal(ours)
		two, _ := json.Marshal(theirs)
		if string(one) != string(two) {
			t.Fatalf("%q reads as %s and as %s", text, one, two)
		}
		if ours.Parts == nil { // written as null
			return
		}
		if err := Unmarshal(one, &again); err != nil {
			t.Fatalf("%s does not read back: %v", one, err)
		}
		if n := len(ours.Key); n > 0 && !strings.Contains(string(one), base64.StdEncoding.EncodeToString(ours.Key)) {
			t.Fatalf("%s lost the key", one)
		}
	})
}
