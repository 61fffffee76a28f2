package vault

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/testkit"
)

func TestPlanOfAnotherVersionIsReplaced(t *testing.T) {
	for _, spoil := range []string{
		"PRAGMA user_version=3",
		"PRAGMA user_version=0",
		"DROP TABLE journal; PRAGMA user_version=3",
	} {
		dir := t.TempDir()
		p, err := openPlan(dir)
		testkit.OK(t, err)
		testkit.OK(t, p.save(journal{State: complete}))
		if _, err := p.db.Exec(spoil); err != nil {
			t.Fatal(err)
		}
		testkit.OK(t, p.close())
		if p, err = openPlan(dir); err != nil {
			t.Errorf("%s: %v", spoil, err)
			continue
		}
		if j, err := p.journal(); j.State != unplanned || err != nil {
			t.Errorf("%s: %+v, %v", spoil, j, err)
		}
		p.close()
	}
}

// fullDisk is a disk of 1 MiB with room bytes left.
func fullDisk(t *testing.T, room int) string {
	t.Helper()
	dir := t.TempDir()
	testkit.MountSmallDisk(t, dir, "size=1m")
	testkit.OK(t, os.WriteFile(filepath.Join(dir, "others"), make([]byte, 1<<20-room), 0o600))
	return dir
}

// If the room ends within SQLite, SQLite has its own words for it.
func TestPlanOnAFullDiskIsENOSPC(t *testing.T) {
	for room := 8 << 10; room <= 64<<10; room += 8 << 10 {
		if p, err := openPlan(fullDisk(t, room)); err == nil {
			p.close()
			t.Errorf("a plan was made in %d bytes", room)
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d bytes: %v", room, err)
		}
	}
}

func TestPlanThatOutgrowsTheDiskIsENOSPC(t *testing.T) {
	p, err := openPlan(fullDisk(t, 256<<10))
	testkit.OK(t, err)
	defer p.close()
	w, err := p.begin()
	testkit.OK(t, err)
	for i := 0; err == nil && i < 1<<20; i++ {
		err = w.addPiece(uint32(i), piece{length: 1})
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	w.rollback()
}
