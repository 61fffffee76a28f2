package commandline

import (
	"maps"
	"os"
	"testing"

	"holdfast/internal/testkit"
)

func TestMappedPaths(t *testing.T) {
	here, err := os.Getwd()
	testkit.OK(t, err)
	for text, want := range map[string]map[string]string{
		"/data=/srv/gts":      {"/data": "/srv/gts"},
		"/my data/=/srv/a b/": {"/my data": "/srv/a b"},
		"/a/../b=/c/../d,e":   {"/b": "/d,e"},
		"/a=b=/srv":           {"/a=b": "/srv"},
		"/a=/srv/b=c":         {"/a": "/srv/b=c"},
		"/a=/srv/b=/c":        {"/a": "/srv/b=/c"},
		"/a=srv":              {"/a": here + "/srv"},
		"/a=/":                {"/a": "/"},
		"/a=":                 nil,
		"a=/b":                nil,
		"/a":                  nil,
		"":                    nil,
	} {
		if got, err := MappedPaths([]string{text}); !maps.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// The last of two flags would win by chance.
func TestPathWithTwoPlacesIsRefused(t *testing.T) {
	if got, err := MappedPaths([]string{"/data=/a", "/data/=/b"}); err == nil {
		t.Errorf("%q", got)
	}
	if _, err := MappedPaths([]string{"/data=/a", "/data/=/a/"}); err != nil {
		t.Error(err)
	}
}
