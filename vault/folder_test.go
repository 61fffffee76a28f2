package vault_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/vault"
)

func withFolders() *fake {
	src := sample()
	src.files["etc/private"] = entry{folder: true}
	src.files["etc/private/empty"] = entry{folder: true}
	src.files["etc/private/key"] = entry{data: []byte("key"), modified: day}
	src.files["etc/private-key"] = entry{data: []byte("key"), modified: day}
	return src
}

func TestFoldersComeBackWithTheirModes(t *testing.T) {
	w := newWorld(t, withFolders())
	report := w.backup()
	if n := report.Record.Parts[manifest.Files].Files; n != 3 || report.Record.Missing != 0 {
		t.Errorf("%d files, %d missing", n, report.Record.Missing)
	}
	dir := filepath.Join(t.TempDir(), "out")
	restored, err := w.restore("latest", dir, vault.RestoreConfig{Parts: []manifest.Part{manifest.Files}})
	if err != nil || restored.Files != 3 || len(restored.Missing) > 0 {
		t.Fatalf("%+v, %v", restored, err)
	}
	for _, path := range []string{"files/etc/private", "files/etc/private/empty"} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || !info.IsDir() || info.Mode().Perm() != 0o710 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "files/etc/private/key")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestUnchangedFolderIsNoNewFile(t *testing.T) {
	w := newWorld(t, withFolders())
	w.backup()
	if report := w.backup(); report.NewFiles != 0 || report.Packs != 0 {
		t.Errorf("%d new files, %d packs", report.NewFiles, report.Packs)
	}
}

func TestFolderHasNoContents(t *testing.T) {
	w := newWorld(t, withFolders())
	w.backup()
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	for _, path := range []string{"files/etc/private", "files/etc/private/empty"} {
		var out bytes.Buffer
		if err := s.Cat(t.Context(), path, &out); !errors.Is(err, vault.ErrNoFile) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v", path, &out, err)
		}
	}
}
