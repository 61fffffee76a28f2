package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/testkit"
	"holdfast/manifest"
)

// The plan is the time to refuse: later the restore would stop after the download.
func TestFolderThatNobodyCanFillIsRefusedInThePlan(t *testing.T) {
	testkit.NeedsRoot(t)
	dir := testkit.PublicDir(t)
	testkit.Write(t, dir+"/file", "")
	testkit.OK(t, os.Symlink("/nowhere/far", dir+"/dangling"))
	frozen := dir + "/frozen"
	testkit.OK(t, os.Mkdir(frozen, 0o777))
	testkit.MountSmallDisk(t, frozen, "size=1m")
	testkit.OK(t, unix.Mount("", frozen, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	for _, c := range []struct{ folder, detail, fix string }{
		{"/file", dir + "/file is a file", "move the file away"},
		{"/file/below", dir + "/file is a file", "move the file away"},
		{"/dangling", dir + "/dangling is a link to /nowhere/far, which does not exist", "remove the link"},
		{"/dangling/below", dir + "/dangling is a link to /nowhere/far", "remove the link"},
		{"/frozen", "the disk of " + frozen + " is mounted read-only", "mount the disk for writing"},
		{"/frozen/new/folder", "the disk of " + frozen + " is mounted read-only", "mount the disk for writing"},
	} {
		m := machineIn(t, testkit.PublicDir(t), filepath.Join(dir, c.folder, "sqlite.db"))
		m.Files = []manifest.File{{Part: manifest.Files, Path: filepath.Join(dir, c.folder, "config.yaml")[1:],
			User: "root:root", Mode: 0o644}}
		m.Config.WorkingDir = filepath.Join(dir, c.folder)
		databases := m.inspectDatabase(t.Context())
		files := m.inspectFiles(t.Context())
		for _, f := range []Finding{firstRefused(databases), firstRefused(files)} {
			if !strings.Contains(f.Detail, c.detail) || !strings.Contains(f.Fix, c.fix) {
				t.Errorf("%s: %+v", c.folder, f)
			}
		}
		if more := m.inspectServerFolders(); len(more) > 1 {
			t.Errorf("%s: the plan says more: %+v", c.folder, more)
		}
		s := machineIn(t, filepath.Join(dir, c.folder), testkit.PublicDir(t)+"/sqlite.db")
		if f := s.inspectMedia(t.Context()); !strings.Contains(f.Detail, c.detail) || !f.Refused {
			t.Errorf("%s: media: %+v", c.folder, f)
		}
	}
}

// After the gift of the database's folder its new user could change the link.
func TestStorageBehindALinkGoesToTheServerToo(t *testing.T) {
	testkit.NeedsRoot(t)
	dir, other := testkit.PublicDir(t), testkit.PublicDir(t)
	for _, d := range []string{dir, other} {
		testkit.OK(t, os.Chmod(d, 0o755))
	}
	testkit.OK(t, os.Symlink(other, dir+"/storage"))
	m := machineIn(t, dir, dir+"/sqlite.db")
	testkit.OK(t, m.GiveFolders())
	for _, path := range []string{dir, other} {
		if uid := owned(t, path); uid != testkit.Nobody {
			t.Errorf("%s belongs to %d", path, uid)
		}
	}
}
