package vault_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/vault"
)

// written is an instance with a file on disk. A program writes to the file whenever
// somebody reads.
type written struct {
	*fake
	path   string
	write  func(reading int) // called during each reading
	opened int
}

const writtenPath = "etc/written"

func newWritten(t *testing.T, content string) *written {
	src := &written{fake: sample(), path: filepath.Join(t.TempDir(), "written")}
	testkit.Write(t, src.path, content)
	src.fake.files[writtenPath] = entry{data: []byte(content), modified: day}
	return src
}

func (w *written) Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	if part != manifest.Files || path != writtenPath {
		return w.fake.Open(ctx, part, path)
	}
	f, err := os.Open(w.path)
	w.opened++
	return &writtenFile{f, w, w.opened}, err
}

// writtenFile is a file that changes after the first byte is read.
type writtenFile struct {
	*os.File
	of      *written
	reading int
}

func (f *writtenFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p[:1])
	if f.of.write != nil && n > 0 {
		if at, seekErr := f.Seek(0, io.SeekCurrent); seekErr == nil && at == 1 {
			f.of.write(f.reading)
		}
	}
	return n, err
}

// saved returns the bytes of the file in the newest snapshot.
func (w *written) saved(t *testing.T, of *world) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	_, err := of.restore("latest", dir, vault.RestoreConfig{})
	testkit.OK(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "files", writtenPath))
	testkit.OK(t, err)
	return string(text)
}

func TestFileThatChangesDuringAReadingIsReadAgain(t *testing.T) {
	src := newWritten(t, "old old old")
	src.write = func(reading int) {
		if reading == 1 {
			testkit.Write(t, src.path, "new new new")
		}
	}
	w := newWorld(t, src.fake)
	report, err := w.backupOf(src, vault.BackupConfig{})
	testkit.OK(t, err)
	if got := src.saved(t, w); got != "new new new" || len(report.Mixed) > 0 || report.Record.Missing != 0 {
		t.Errorf("saved %q, mixed %q", got, report.Mixed)
	}
}

func TestFileThatChangesDuringEveryReadingIsNamed(t *testing.T) {
	src := newWritten(t, "a a a")
	src.write = func(reading int) { testkit.Write(t, src.path, strings.Repeat(string(rune('a'+reading))+" ", 3)) }
	w := newWorld(t, src.fake)
	report, err := w.backupOf(src, vault.BackupConfig{})
	testkit.OK(t, err)
	if !slices.Equal(report.Mixed, []string{"/" + writtenPath}) || report.Record.Missing != 1 {
		t.Errorf("mixed %q, missing %d", report.Mixed, report.Record.Missing)
	}
	restored, err := w.restore("latest", filepath.Join(t.TempDir(), "out"), vault.RestoreConfig{})
	if err != nil || !slices.Equal(restored.Mixed, []string{"files/" + writtenPath}) {
		t.Errorf("the restore names %q, %v", restored.Mixed, err)
	}
	// The next backup reads the file again, although the source describes the same file.
	src.write = nil
	testkit.Write(t, src.path, "calm!")
	report, err = w.backupOf(src, vault.BackupConfig{})
	if got := src.saved(t, w); err != nil || got != "calm!" || len(report.Mixed) > 0 {
		t.Errorf("saved %q, mixed %q, %v", got, report.Mixed, err)
	}
}

func TestLogFileThatOnlyGrowsIsSavedWhole(t *testing.T) {
	src := newWritten(t, "first line\n")
	src.write = func(int) {
		f, err := os.OpenFile(src.path, os.O_APPEND|os.O_WRONLY, 0)
		testkit.OK(t, err)
		defer f.Close()
		_, err = f.WriteString("next line\n")
		testkit.OK(t, err)
	}
	w := newWorld(t, src.fake)
	report, err := w.backupOf(src, vault.BackupConfig{})
	testkit.OK(t, err)
	got := src.saved(t, w)
	if !strings.HasPrefix(got, "first line\nnext line\n") || !strings.HasSuffix(got, "\n") || len(report.Mixed) > 0 {
		t.Errorf("saved %q, mixed %q", got, report.Mixed)
	}
}

// private is an instance whose open files are more private than the listed files.
type private struct{ *fake }

type privateFile struct{ io.ReadCloser }

func (privateFile) Rights() (manifest.Mode, string, error) { return 0o600, "root:root", nil }

func (p private) Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	r, err := p.fake.Open(ctx, part, path)
	return privateFile{r}, err
}

func TestSnapshotHasTheRightsOfTheOpenFile(t *testing.T) {
	src := newWritten(t, "root's").fake
	w := newWorld(t, src)
	_, err := w.backupOf(private{src}, vault.BackupConfig{})
	testkit.OK(t, err)
	dir := filepath.Join(t.TempDir(), "out")
	_, err = w.restore("latest", dir, vault.RestoreConfig{})
	testkit.OK(t, err)
	info, err := os.Stat(filepath.Join(dir, "files", writtenPath))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
