package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func read(text string) (lines []Line, err error) {
	for line, err := range Lines(strings.NewReader(text)) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

const paged = `{"part":"database","path":"sqlite.db","size":40960,"mode":"0600","modified":"2026-11-22T03:00:00Z",` +
	`"page_size":4096}` + "\n"

func TestLinesReadBackAsWritten(t *testing.T) {
	sum := Hash{1, 2, 3}
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	want := []Line{
		{File: &File{Part: Database, Path: "sqlite.db", Size: 40960, Mode: 0o600, Modified: at, PageSize: 4096}},
		{Map: &MapLine{
			Part: Database, Path: "sqlite.db", Night: 7, Base: true,
			Runs: []Runs{{Pack: 1, Offset: 0, Steps: []int{0, 0, 10}}},
		}},
		{File: &File{
			Part: Files, Path: "etc/gotosocial/config.yaml", Size: 5, Mode: 0o640, User: "root:gts", SHA256: &sum,
			Extents: []Extent{{2, 0, 5}},
		}},
		{File: &File{Part: Files, Path: "etc/letsencrypt", Mode: 0o700, User: "root:root", Folder: true}},
		{File: &File{
			Part: Files, Path: "etc/letsencrypt/live/example.org/cert.pem", Mode: 0o777, Modified: at,
			User: "root:root", Link: "../../archive/é \"x\".pem",
		}},
		{File: &File{Part: Files, Path: "etc/letsencrypt/live/example.org/cert.pem.old", SHA256: &sum}},
		{File: &File{
			Part: Media, Path: "01A/attachment/original/é \"x\".jpeg", Size: 12, Mode: 0o644, SHA256: &sum,
			Extents: []Extent{{3, 9, 7}, {4, 0, 5}},
		}},
		{File: &File{Part: Media, Path: "01B/gone.webp", Missing: true}},
	}
	var text []byte
	for _, l := range want {
		var err error
		if text, err = l.Append(text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An older reader passes over lines that are marked as missing, and restores the rest.
func TestFoldersLineIsMissingForOlderReaders(t *testing.T) {
	text, err := Line{File: &File{Part: Files, Path: "etc", Mode: 0o700, Folder: true}}.Append(nil)
	if err != nil || !strings.Contains(string(text), `"missing":true`) {
		t.Fatalf("%s, %v", text, err)
	}
	lines, err := read(string(text))
	if err != nil || !lines[0].File.Folder || lines[0].File.Missing {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestHostileListingIsRefused(t *testing.T) {
	const sum = `,"sha256":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"`
	bare := func(fields string) string {
		return `{"part":"media","path":"a","size":0,"mode":"0644","modified":"2026-11-22T03:00:00Z"` + fields + "}\n"
	}
	file := func(fields string) string { return bare(sum + fields) }
	path := func(p string) string { return strings.Replace(file(""), `"a"`, fmt.Sprintf("%q", p), 1) }
	link := func(path, fields string) string {
		return fmt.Sprintf(`{"part":"files","path":%q,"size":0,"mode":"0777"%s}`+"\n", path, fields)
	}
	runs := func(segment int, runs string) string {
		const line = `{"part":"database","path":"sqlite.db","segment":%d,"night":1,"runs":[%s]}` + "\n"
		return paged + fmt.Sprintf(line, segment, runs)
	}
	root := func(path string) string { return link(path, `,"link":"/"`) }
	full := func(text string) string { return strings.Replace(text, `"size":0`, `"size":5`, 1) }
	own := func(path string) string { return link(path, `,"holdfast":true`) }
	for name, text := range map[string]string{
		"two of Holdfast's own":  own("a") + own("b"),
		"media of Holdfast's":    file(`,"holdfast":true`),
		"climbs":                 path("../etc/passwd"),
		"climbs inside":          path("a/../../b"),
		"absolute":               path("/etc/passwd"),
		"empty path":             path(""),
		"dot":                    path("."),
		"a newline in a path":    path("a\nb"),
		"a NUL in a path":        path("a\x00b"),
		"unknown part":           strings.Replace(file(""), "media", "kitchen", 1),
		"the listing's part":     strings.Replace(file(""), "media", "listing", 1),
		"out of order":           path("b") + path("a"),
		"twice":                  path("a") + path("a"),
		"size without extents":   full(file("")),
		"negative size":          strings.Replace(file(""), `"size":0`, `"size":-5`, 1),
		"extents lie":            file(`,"extents":[[1,0,5]]`),
		"negative extent":        file(`,"extents":[[1,0,5],[1,0,-5]]`),
		"extent before pack":     file(`,"extents":[[1,-1,0]]`),
		"extent of two fields":   file(`,"extents":[[1,2]]`),
		"a huge mode":            strings.Replace(file(""), "0644", "77777777", 1),
		"missing with bytes":     full(bare(`,"missing":true,"extents":[[1,0,5]]`)),
		"page size of zero":      strings.Replace(paged, `4096}`, `-4096}`, 1),
		"odd page size":          strings.Replace(paged, `4096}`, `4000}`, 1),
		"half a page":            strings.Replace(paged, "40960", "40961", 1),
		"map of nothing":         `{"part":"database","path":"sqlite.db","segment":0,"night":1,"runs":[]}` + "\n",
		"map of another file":    strings.Replace(runs(0, ""), `"sqlite.db","segment"`, `"other.db","segment"`, 1),
		"segment beyond":         runs(1, ""),
		"segment before":         runs(-1, ""),
		"steps of two":           runs(0, `{"pack":1,"offset":0,"steps":[0,0]}`),
		"steps back":             runs(0, `{"pack":1,"offset":0,"steps":[-1,0,1]}`),
		"steps nowhere":          runs(0, `{"pack":1,"offset":0,"steps":[0,0,0]}`),
		"steps out of segment":   runs(0, `{"pack":1,"offset":0,"steps":[16384,0,1]}`),
		"steps overflow":         runs(0, `{"pack":1,"offset":0,"steps":[9223372036854775807,0,9223372036854775807]}`),
		"offset before pack":     runs(0, `{"pack":1,"offset":-4096,"steps":[0,0,1]}`),
		"an owner of no group":   file(`,"owner":"root"`),
		"an owner of three":      file(`,"owner":"a:b:c"`),
		"an owner of no name":    file(`,"owner":":b"`),
		"an owner of two lines":  file(`,"owner":"a:b\nreboot"`),
		"an endless owner":       file(`,"owner":"a:` + strings.Repeat("b", 1000) + `"`),
		"a link to nothing":      link("a", `,"link":""`),
		"a NUL in a link":        link("a", `,"link":"b\u0000c"`),
		"a newline in a link":    link("a", `,"link":"b\nc"`),
		"a link too long":        link("a", `,"link":"`+strings.Repeat("x", 4096)+`"`),
		"a link of a number":     link("a", `,"link":5`),
		"a link with bytes":      full(link("a", `,"link":"b","extents":[[1,0,5]]`)),
		"a link with extents":    link("a", `,"link":"b","extents":[[1,0,5]]`),
		"a link with a size":     full(link("a", `,"link":"b"`)),
		"a link with a sum":      link("a", `,"link":"b","sha256":"`+strings.Repeat("A", 43)+`"`),
		"a link of pages":        link("a", `,"link":"b","page_size":4096`),
		"a link with lines":      link("a", `,"link":"b","lines":1`),
		"a link that is gone":    link("a", `,"link":"b","missing":true`),
		"a file without a hash":  bare(""),
		"bytes without a hash":   full(bare(`,"extents":[[1,0,5]]`)),
		"pages with a hash":      strings.Replace(paged, "}", sum+"}", 1),
		"a hash of what is gone": bare(sum + `,"missing":true`),
		"a folder with bytes":    full(link("a", `,"folder":true,"missing":true,"extents":[[1,0,5]]`)),
		"a folder with a link":   link("a", `,"folder":true,"missing":true,"link":"b"`),
		"a folder with a hash":   link("a", `,"folder":true,"missing":true`+sum),
		"a folder in media":      bare(`,"folder":true,"missing":true`),
		"a folder like a file":   link("a", `,"folder":true`),
		"a link in media":        bare(`,"link":"b"`),
		"a link in database":     strings.Replace(bare(`,"link":"b"`), "media", "database", 1),
		"a file below a link":    root("a") + link("a/b", sum),
		"deep below a link":      root("a") + link("a-b", sum) + root("a-c") + link("a/b/c", sum),
		"a link below a link":    root("a") + root("a.b") + root("a/b"),
		"cut off":                strings.TrimSuffix(file(""), "\n"),
		"no JSON":                "hello\n",
		"an endless line":        strings.Repeat("x", MaxLine+1) + "\n",
	} {
		if _, err := read(text); !errors.Is(err, ErrListing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A listing of format 1 stays readable for ever.
func TestGoldenListingReadsBack(t *testing.T) {
	const golden = "testdata/listing-1"
	sum := Hash{1, 2, 3}
	at := time.Date(2026, 11, 22, 21, 58, 17, 647814990, time.UTC)
	want := []Line{
		{File: &File{Part: Database, Path: "public.statuses.copy", Size: 12, Mode: 0o600, SHA256: &sum, Lines: 1}},
		{Extents: &ExtentLine{Part: Database, Path: "public.statuses.copy", More: []Extent{{3, 0, 5}, {9, 812, 7}}}},
		{File: &File{Part: Database, Path: "sqlite.db", Size: 40960, Mode: 0o600, Modified: at, PageSize: 4096}},
		{Map: &MapLine{
			Part: Database, Path: "sqlite.db", Night: 7, Base: true,
			Runs: []Runs{{Pack: 1, Offset: 0, Steps: []int{0, 0, 10}}},
		}},
		{File: &File{
			Part: Files, Path: "etc/letsencrypt/archive/example.org/cert1.pem", Size: 5, Mode: 0o644, Modified: at,
			User: "root:root", SHA256: &sum, Extents: []Extent{{2, 0, 5}},
		}},
		{File: &File{
			Part: Files, Path: "etc/letsencrypt/live/example.org/cert.pem", Mode: 0o777, Modified: at,
			User: "root:root", Link: "../../archive/example.org/cert1.pem",
		}},
		{File: &File{
			Part: Media, Path: "01A/attachment/original/01B.jpeg", Size: 12, Mode: 0o644, Modified: at,
			ETag: "abc", SHA256: &sum, Extents: []Extent{{4, 9, 12}},
		}},
		{File: &File{Part: Media, Path: "01B/gone.webp", Missing: true}},
	}
	if *update {
		var text []byte
		for _, l := range want {
			var err error
			if text, err = l.Append(text); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLinksAreFollowedAsTheKernelDoes(t *testing.T) {
	links := map[string]Link{
		"etc/live/cert.pem": "../archive/cert1.pem", "etc/now": "v5", "etc/v5/up": "..", "abs": "/etc/now/",
		"chain": "chain2", "chain2": "./etc//now/../now", "round": "round2", "round2": "round",
		"deep": "../../../../etc", "self": "self/self",
	}
	readlink := func(p string) (Link, bool) { l, ok := links[p]; return l, ok }
	for path, want := range map[string]string{
		"etc/live/cert.pem": "etc/archive/cert1.pem",
		"etc/now/web/a":     "etc/v5/web/a",
		"etc/now/../x":      "etc/x",
		"etc/now/up/x":      "etc/x",
		"abs/a":             "etc/v5/a",
		"chain/a":           "etc/v5/a",
		"deep/now":          "etc/v5",
		"plain/file":        "plain/file",
		"":                  "",
	} {
		got, err := Resolve(path, readlink)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"round", "self", "round/x"} {
		if got, err := Resolve(path, readlink); !errors.Is(err, ErrLoop) {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

func TestMapRunsIsTheReverseOfApply(t *testing.T) {
	const pageSize, pages = 4096, 200
	rapid.Check(t, func(t *rapid.T) {
		want := make([]PageAt, SegmentSize/pageSize)
		for i := range pages {
			if pack := rapid.IntRange(0, 3).Draw(t, "pack"); pack > 0 {
				want[i] = PageAt{uint32(pack), int64(rapid.IntRange(0, 50).Draw(t, "at")) * pageSize}
			}
		}
		m := MapLine{Part: Database, Path: "sqlite.db", Runs: MapRuns(want, pageSize)}
		f := File{Part: Database, Path: "sqlite.db", PageSize: pageSize, Size: pages * pageSize}
		if err := m.validate(&f); err != nil {
			t.Fatal(err)
		}
		got := make([]PageAt, len(want))
		m.Apply(got, pageSize)
		if !slices.Equal(want, got) { // cmp.Diff takes a hundred times as long
			t.Fatal(cmp.Diff(want, got))
		}
	})
}

func TestLaterMapLineWins(t *testing.T) {
	table := make([]PageAt, SegmentSize/4096)
	for _, m := range []MapLine{
		{Runs: []Runs{{Pack: 9, Steps: []int{0, 0, 100}}}},
		{Base: true, Runs: []Runs{{Pack: 1, Steps: []int{0, 0, 10}}}},
		{Runs: []Runs{{Pack: 2, Offset: 8192, Steps: []int{3, 0, 1, 2, 1, 2}}}},
	} {
		m.Apply(table, 4096)
	}
	want := make([]PageAt, len(table))
	for i := range 10 {
		want[i] = PageAt{1, int64(i) * 4096}
	}
	want[3], want[6], want[7] = PageAt{2, 8192}, PageAt{2, 16384}, PageAt{2, 20480}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Error(diff)
	}
}

func FuzzListing(f *testing.F) {
	f.Add([]byte(paged + `{"part":"database","path":"sqlite.db","segment":0,"night":1,"base":true,` +
		`"runs":[{"pack":1,"offset":0,"steps":[0,0,10]}]}` + "\n"))
	f.Add([]byte(`{"part":"media","path":"a","size":5,"mode":"0644","modified":"2026-11-22T03:00:00Z",` +
		`"sha256":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ","extents":[[1,0,5]]}` + "\n"))
	f.Add([]byte(`{"part":"files","path":"a","size":0,"mode":"0777","link":"/"}` + "\n" +
		`{"part":"files","path":"a-b","size":0,"mode":"0777","link":"../b"}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var paged *File
		var table []PageAt
		links := map[string]bool{}
		for line, err := range Lines(bytes.NewReader(text)) {
			if err != nil {
				return
			}
			if line.Map != nil {
				line.Map.Apply(table, paged.PageSize)
				continue
			}
			if line.Extents != nil {
				continue
			}
			if !ValidPath(line.File.Path) {
				t.Fatalf("path %q came through", line.File.Path)
			}
			for l := range links {
				if line.File.Part == Files && strings.HasPrefix(line.File.Path, l+"/") {
					t.Fatalf("%q came through, below a link", line.File.Path)
				}
			}
			if line.File.Link != "" {
				links[line.File.Path] = true
				if line.File.Part != Files || !line.File.Link.Valid() {
					t.Fatalf("%+v came through", line.File)
				}
			}
			if line.File.PageSize > 0 {
				paged = line.File
				table = make([]PageAt, SegmentSize/paged.PageSize)
			}
		}
	})
}
