package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/vault"
)

// linked is an instance with links of every kind.
func linked() *fake {
	f := newFake(2)
	f.files["etc/letsencrypt/archive/d/cert1.pem"] = entry{data: []byte("certificate 1"), modified: day}
	f.files["etc/letsencrypt/archive/d/cert2.pem"] = entry{data: []byte("certificate 2"), modified: day}
	f.files["etc/empty"] = entry{modified: day}
	for path, link := range map[string]manifest.Link{
		"etc/letsencrypt/live/d/cert.pem": "../../archive/d/cert1.pem",
		"etc/cert.pem":                    "/etc/letsencrypt/live/d/cert.pem",
		"etc/live":                        "letsencrypt/live/d",
		"etc/gone":                        "../nowhere/a b",
		"etc/round":                       "round",
		"etc/outside":                     "/root/secret",
		"etc/root":                        "/",
	} {
		f.files[path] = entry{link: link, modified: day}
	}
	return f
}

func TestLinksComeBackAsLinks(t *testing.T) {
	w := newWorld(t, linked())
	w.backup()
	w.check("latest", w.src.image())
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "files/etc/gone")); err != nil || !info.ModTime().Equal(day) {
		t.Errorf("%v, %v", info, err)
	}
	// Within the folder a relative link leads where it did.
	if got, err := os.ReadFile(filepath.Join(dir, "files/etc/live/cert.pem")); string(got) != "certificate 1" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUnchangedLinksStoreTheRecordAlone(t *testing.T) {
	w := newWorld(t, linked())
	w.backup()
	again := w.backup()
	if again.Packs != 0 || again.NewFiles != 0 || again.Record.Parts[manifest.Files].Files != int64(len(w.src.files)) {
		t.Errorf("%+v", again)
	}
	// A link that leads elsewhere is another one, however its time lies.
	e := w.src.files["etc/letsencrypt/live/d/cert.pem"]
	e.link = "../../archive/d/cert2.pem"
	w.src.files["etc/letsencrypt/live/d/cert.pem"] = e
	moved := w.backup()
	if moved.NewFiles != 1 || len(moved.Record.Packs[manifest.Files]) != len(again.Record.Packs[manifest.Files]) {
		t.Errorf("%+v", moved)
	}
	w.check("latest", w.src.image())
	// So is a file where a link was, and the other way round.
	w.src.files["etc/gone"] = entry{modified: day}
	w.src.files["etc/empty"] = entry{link: "gone", modified: day}
	w.backup()
	w.check("latest", w.src.image())
}

// stumbling is a target that fails once everything was fetched.
type stumbling struct{ folder }

func (stumbling) Finish(context.Context, *os.Root, vault.Restored) ([]string, error) {
	return nil, errors.New("stumbled")
}

func TestRestoreContinuesOverItsOwnLinks(t *testing.T) {
	w := newWorld(t, linked())
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	_, err = s.Restore(t.Context(), dir, stumbling{}, vault.RestoreConfig{})
	if err == nil || !strings.Contains(err.Error(), "stumbled") {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ".holdfast-restore/tree/files/etc/root")); err != nil {
		t.Fatal("no link was made:", err)
	}
	if report, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil || !report.Resumed {
		t.Fatalf("%+v, %v", report, err)
	}
	compare(t, dir, w.src.image())
}

func TestSalvageKeepsLinksToLostFiles(t *testing.T) {
	w := newWorld(t, linked())
	rec := w.backup().Record
	w.lose(rec.Packs[manifest.Files][0].Object())
	dir := filepath.Join(t.TempDir(), "out")
	report, err := w.restore("latest", dir, vault.RestoreConfig{Salvage: true})
	if err != nil || len(report.Lost) == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	want := w.src.image()
	for _, lost := range report.Lost {
		delete(want, lost)
	}
	compare(t, dir, want)
}

func TestLinksCanBeChosen(t *testing.T) {
	w := newWorld(t, linked())
	w.backup()
	for path, want := range map[string][]string{
		"files/etc/letsencrypt/live": {"files/etc/letsencrypt/live/d/cert.pem"},
		"files/etc/live":             {"files/etc/live"},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := w.restore("latest", dir, vault.RestoreConfig{Paths: []string{path}}); err != nil {
			t.Fatal(err)
		}
		some := map[string]string{}
		for _, name := range want {
			some[name] = w.src.image()[name]
		}
		compare(t, dir, some)
	}
}

func TestCatFollowsLinksWithinTheSnapshot(t *testing.T) {
	w := newWorld(t, linked())
	w.backup()
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	for name, want := range map[string]string{
		"files/etc/letsencrypt/live/d/cert.pem": "certificate 1",
		"files/etc/cert.pem":                    "certificate 1",
		"files/etc/live/cert.pem":               "certificate 1",
		"files/etc/root/etc/live/cert.pem":      "certificate 1",
	} {
		var got bytes.Buffer
		if err := s.Cat(t.Context(), name, &got); err != nil || got.String() != want {
			t.Errorf("%s: %q, %v", name, &got, err)
		}
	}
	for name, want := range map[string]string{
		"files/etc/gone":    `"files/etc/gone" is a link: find files/nowhere/a b in snapshot`,
		"files/etc/outside": `"files/etc/outside" is a link: find files/root/secret in snapshot`,
		"files/etc/round":   `follow "files/etc/round": the links lead round in a circle`,
		"files/etc/live":    `"files/etc/live" is a link: "files/etc/letsencrypt/live/d" is a folder`,
		"files/etc/nothing": `find files/etc/nothing in snapshot`,
	} {
		// live leads to a folder that has nothing but a link.
		var got bytes.Buffer
		err := s.Cat(t.Context(), name, &got)
		if !errors.Is(err, vault.ErrNoFile) || !strings.HasPrefix(err.Error(), want) || got.Len() > 0 {
			t.Errorf("%s: %q, %v", name, &got, err)
		}
	}
}

func TestDiffShowsChangedLinks(t *testing.T) {
	w := newWorld(t, linked())
	w.backup()
	w.src.files["etc/gone"] = entry{modified: day}
	w.src.files["etc/round"] = entry{link: "square", modified: day}
	delete(w.src.files, "etc/root")
	w.backup()
	a, err := w.snapshot("1")
	testkit.OK(t, err)
	b, err := w.snapshot("latest")
	testkit.OK(t, err)
	var got []string
	for c, err := range vault.Diff(t.Context(), a, b) {
		testkit.OK(t, err)
		got = append(got, fmt.Sprint(c.Kind))
	}
	if want := "[changed removed changed]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestNothingIsWrittenThroughAHostileLink(t *testing.T) {
	frames, _ := zstd.NewWriter(nil)
	honest := frames.EncodeAll([]byte("hello"), nil)
	outside := t.TempDir()
	link := func(path, to string) string {
		return fmt.Sprintf(`{"part":"files","path":%q,"size":0,"mode":"0777",`+
			`"modified":"2026-11-22T03:00:00Z","link":%q}`+"\n", path, to)
	}
	file := func(path string) string {
		return fmt.Sprintf(`{"part":"files","path":%q,"size":5,"mode":"0644",`+
			`"modified":"2026-11-22T03:00:00Z","sha256":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ",`+
			`"extents":[[900,0,5]]}`+"\n", path)
	}
	for name, listing := range map[string]string{
		"a file below a link":       link("L", outside) + file("L/x"),
		"a file below one to above": link("L", "../../../..") + file("L/x"),
		"something in between":      link("L", outside) + file("L-a") + file("L/x"),
		"a link below a link":       link("L", outside) + link("L/x", "y"),
		"a link and a file":         link("L", outside) + file("L"),
		"an empty link":             link("L", ""),
		"a link among media":        strings.ReplaceAll(link("L", outside), `"files"`, `"media"`),
	} {
		w := newWorld(t, newFake(2))
		w.backup()
		w.forge(listing, honest)
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := w.restore("latest", dir, vault.RestoreConfig{}); !errors.Is(err, vault.ErrDamage) {
			t.Errorf("%s: %v", name, err)
		}
		s, err := w.snapshot("latest")
		testkit.OK(t, err)
		if err := s.Cat(t.Context(), "files/L/x", &bytes.Buffer{}); err == nil {
			t.Errorf("%s: there is something below a link", name)
		}
		if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
			t.Errorf("%s: %v was written outside, %v", name, entries, err)
		}
	}
}

// The spool is in a folder that another user may own: a run by root follows no link out
// of the folder, and removes no foreign files.
func TestSpoolOutsideOfTheStateFolderIsRefused(t *testing.T) {
	w := newWorld(t, newFake(2))
	outside := t.TempDir()
	testkit.Write(t, filepath.Join(outside, "precious"), "bytes")
	testkit.OK(t, os.Symlink(outside, filepath.Join(w.state, "spool")))
	if _, err := w.try(t.Context()); err == nil {
		t.Error("the backup used a spool elsewhere")
	}
	if names := testkit.Names(t, outside); len(names) != 1 {
		t.Errorf("the folder has %q", names)
	}
}
