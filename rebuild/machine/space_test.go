package machine

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// The database moves from the disk of the media to a disk of its own.
func TestEachDiskOfARestoreNeedsRoom(t *testing.T) {
	work, small := t.TempDir(), t.TempDir()
	testkit.MountSmallDisk(t, small, "size=8m,nr_inodes=10")
	for _, c := range []struct {
		database, media string
		sizes           map[manifest.Part]manifest.Total
		want            string // "": enough room
	}{
		{work, work, map[manifest.Part]manifest.Total{manifest.Database: {Files: 1, Bytes: 10 << 20}}, ""},
		{small, work, map[manifest.Part]manifest.Total{manifest.Media: {Files: 1, Bytes: 10 << 20}}, ""},
		{small, work, map[manifest.Part]manifest.Total{manifest.Database: {Files: 1, Bytes: 10 << 20}},
			"the restore needs 10 MiB; the disk of " + small + " has 8 MiB free"},
		{small, small, map[manifest.Part]manifest.Total{
			manifest.Database: {Files: 1, Bytes: 6 << 20}, manifest.Media: {Files: 1, Bytes: 6 << 20},
		}, "the restore needs 12 MiB; the disk of " + small},
		{work, small, map[manifest.Part]manifest.Total{manifest.Media: {Files: 30, Bytes: 1 << 20}},
			"free inodes for 30 files"},
		{work, small, map[manifest.Part]manifest.Total{manifest.Media: {Files: 5, Bytes: 8<<20 - 6<<10}},
			"warned: the restore needs 7 MiB; the disk of " + small + " has 8 MiB free, and the ends of the files " +
				"take about 10 KiB more"},
	} {
		config := filepath.Join(t.TempDir(), "config.yaml")
		testkit.Write(t, config, "host: example.org\ndb-type: sqlite\ndb-address: "+c.database+
			"/sqlite.db\nstorage-local-base-path: "+c.media+"/storage\n")
		loaded, err := gotosocial.Load(config, nil)
		testkit.OK(t, err)
		m := &Machine{Config: loaded, Folder: filepath.Join(work, "work")}
		var told string
		for _, f := range m.inspectSpace(c.sizes) {
			if f.Fix != "" && !f.Refused {
				told += "warned: "
			}
			if f.Fix != "" {
				told += f.Detail
			}
		}
		if !strings.Contains(told, c.want) || c.want == "" && told != "" {
			t.Errorf("database in %s, media in %s: %q, want %q", c.database, c.media, told, c.want)
		}
	}
}
