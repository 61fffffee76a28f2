package vault_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/testkit"
	"holdfast/vault"
)

// Clocks break. A file is saved whatever its time; one that no listing holds
// comes back as 1970's.
func TestFilesOfAnyTimeAreSavedOnce(t *testing.T) {
	epoch := time.Unix(0, 0)
	before := epoch.Add(-time.Nanosecond)
	f := newFake(2)
	times := map[string]struct{ is, restored time.Time }{
		"01A/attachment/original/minus.jpeg":  {time.Date(-500, 1, 1, 0, 0, 0, 0, time.UTC), epoch},
		"01A/attachment/original/one.jpeg":    {time.Time{}, epoch},
		"01A/attachment/original/before.jpeg": {before, before},
		"01A/attachment/original/epoch.jpeg":  {epoch, epoch},
		"01A/attachment/original/today.jpeg":  {day.Local(), day},
		"01A/attachment/original/2300.jpeg":   {time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), epoch},
		"01A/attachment/original/12000.jpeg":  {time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), epoch},
	}
	for path, of := range times {
		f.add(path, []byte("the bytes of "+path))
		f.media[path] = entry{data: f.media[path].data, modified: of.is}
	}
	w := newWorld(t, f)
	w.backup()
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := w.restore("latest", dir, vault.RestoreConfig{}); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, f.image())
	for path, of := range times {
		info, err := os.Stat(filepath.Join(dir, "storage", path))
		testkit.OK(t, err)
		if !info.ModTime().Equal(of.restored) {
			t.Errorf("%s of %v is of %v, want %v", path, of.is, info.ModTime(), of.restored)
		}
	}

	if report := w.backup(); report.NewFiles != 0 {
		t.Errorf("%d files were read again, and none had changed", report.NewFiles)
	}
	// As many bytes, others, at another time.
	for path, of := range times {
		now := of.restored.Add(time.Nanosecond)
		f.media[path] = entry{data: []byte("other bytes: " + path), modified: now}
	}
	if report := w.backup(); report.NewFiles != int64(len(times)) {
		t.Errorf("%d files were read again, want %d", report.NewFiles, len(times))
	}
	w.check("latest", f.image())
}

// A post that the server acknowledged before the record's time is in the snapshot.
func TestRecordHasTheMomentOfTheView(t *testing.T) {
	f := newFake(2)
	f.moment = day.Add(time.Hour + 123*time.Millisecond + 456*time.Microsecond)
	report := newWorld(t, f).backup()
	if want := f.moment.Truncate(time.Millisecond); !report.Record.Time.Equal(want) {
		t.Errorf("time %v, want %v", report.Record.Time, want)
	}
	if report.Record.Facts.Migration == "" {
		t.Error("the record has no facts")
	}
}
