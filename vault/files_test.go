package vault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/vault"
)

// odd is an instance whose files part also has what no snapshot can hold.
type odd struct {
	*fake
	also   map[string]error
	opened func() // called when a file of the files part is opened
}

func (o *odd) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		for f, err := range o.fake.Files(ctx) {
			if !yield(f, err) {
				return
			}
		}
		for _, path := range []string{"", "xtra/gone", "xtra/line\nbreak", "xtra/link"} {
			if err, there := o.also[path]; there && !yield(manifest.File{Path: path}, err) {
				return
			}
		}
	}
}

func (o *odd) Open(ctx context.Context, part manifest.Part, path string) (io.ReadCloser, error) {
	if part == manifest.Files && o.opened != nil {
		o.opened()
	}
	return o.fake.Open(ctx, part, path)
}

func (w *world) backupOf(src vault.FileSource, cfg vault.BackupConfig) (*vault.BackupReport, error) {
	w.t.Helper()
	idx, _, err := index.Open(w.state)
	testkit.OK(w.t, err)
	defer idx.Close()
	cfg.Repository, cfg.Host, cfg.Index, cfg.State = w.open(), w.host, idx, w.state
	cfg.Database, cfg.Files = w.src, src
	return vault.Backup(w.t.Context(), cfg)
}

func TestFileWithAnImpossiblePathDoesNotStopTheBackup(t *testing.T) {
	w := newWorld(t, sample())
	report, err := w.backupOf(&odd{fake: w.src, also: map[string]error{
		"xtra/gone":        fmt.Errorf("stat: %w", fs.ErrNotExist),
		"xtra/line\nbreak": errors.New("its name"),
		"xtra/link":        fmt.Errorf("/xtra/link is a link: %w", errors.ErrUnsupported),
	}}, vault.BackupConfig{})
	testkit.OK(t, err)
	want := []string{`"/xtra/line\nbreak" (its name)`, "/xtra/gone"}
	if !slices.Equal(report.Missing, want) || report.Record.Missing != 2 {
		t.Errorf("missing %q, %d by the record", report.Missing, report.Record.Missing)
	}
	if len(report.LeftOut) != 1 || !strings.HasPrefix(report.LeftOut[0], "/xtra/link is a link") {
		t.Errorf("left out %q", report.LeftOut)
	}
	w.check("latest", w.src.image())
	restored, err := w.restore("latest", filepath.Join(t.TempDir(), "out"), vault.RestoreConfig{})
	if err != nil || !slices.Equal(restored.Missing, []string{"files/xtra/gone"}) {
		t.Errorf("the restore misses %q, %v", restored.Missing, err)
	}
}

// partial is a database that holds more than the snapshot.
type partial struct{ *fake }

func (p partial) Begin(ctx context.Context) (vault.View, error) {
	v, err := p.fake.Begin(ctx)
	return partialView{v}, err
}

type partialView struct{ vault.View }

func (partialView) LeftOut() []string { return []string{"a large object"} }
func (partialView) Refused() []string { return []string{"a program"} }

func TestBackupNamesWhatTheDatabaseLeavesOut(t *testing.T) {
	w := newWorld(t, sample())
	idx, _, err := index.Open(w.state)
	testkit.OK(t, err)
	defer idx.Close()
	report, err := vault.Backup(t.Context(), vault.BackupConfig{Repository: w.open(), Host: w.host, Index: idx,
		State: w.state, Database: partial{w.src}, Files: w.src})
	if err != nil || !slices.Equal(report.LeftOut, []string{"a large object"}) ||
		!slices.Equal(report.Refused, []string{"a program"}) || report.Record.Missing != 0 {
		t.Errorf("left out %q, %v", report.LeftOut, err)
	}
}

func TestUnlistableFilesEndTheBackup(t *testing.T) {
	w := newWorld(t, sample())
	src := &odd{fake: w.src, also: map[string]error{"": errors.New("no media directory")}}
	_, err := w.backupOf(src, vault.BackupConfig{})
	if !errors.Is(err, vault.ErrSource) {
		t.Errorf("%v", err)
	}
}

func TestProgressKnowsTheTotalOfFiles(t *testing.T) {
	w := newWorld(t, sample())
	w.src.files["etc/more"] = entry{data: []byte("12345"), modified: day}
	p := new(vault.Progress)
	var files, bytes int64
	src := &odd{fake: w.src, opened: func() { files, bytes = p.FilesTotal.Load(), p.BytesTotal.Load() }}
	_, err := w.backupOf(src, vault.BackupConfig{Workers: 1, Progress: p})
	if err != nil || files != 2 || bytes != int64(len("host: example.org\n12345")) {
		t.Errorf("%d files of %d bytes, %v", files, bytes, err)
	}
}

func TestWarningAboutASmallSpoolNamesTheConfiguration(t *testing.T) {
	w := newWorld(t, newFake(3))
	w.cfg.Spool = 1 << 10
	all := strings.Join(w.backup().Warnings, "\n")
	if !strings.Contains(all, "limits the spool to 1024 bytes") || strings.Contains(all, "disk") {
		t.Errorf("%s", all)
	}
}

// own is an instance whose first file is Holdfast's configuration, if marked.
type own struct {
	*fake
	marked bool
}

func (o *own) Files(ctx context.Context) iter.Seq2[manifest.File, error] {
	return func(yield func(manifest.File, error) bool) {
		marked := o.marked
		for f, err := range o.fake.Files(ctx) {
			f.Holdfast, marked = marked, false
			if !yield(f, err) {
				return
			}
		}
	}
}

// The configuration may have another name from one night to the next.
func TestMarkOfAnUnchangedFileFollowsTheInstance(t *testing.T) {
	w := newWorld(t, sample())
	for _, marked := range []bool{false, true, false} {
		_, err := w.backupOf(&own{w.src, marked}, vault.BackupConfig{})
		testkit.OK(t, err)
		snap, err := w.snapshot("latest")
		testkit.OK(t, err)
		got := false
		for f, err := range snap.Files(t.Context()) {
			testkit.OK(t, err)
			got = got || f.Holdfast
		}
		if got != marked {
			t.Errorf("the mark is %v, want %v", got, marked)
		}
	}
}
