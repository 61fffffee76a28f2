package agent

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"holdfast/disk"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
)

// Shortage is a disk with too little room for a restore, or hardly enough.
type Shortage struct {
	Dir  string // a folder on the disk
	Free disk.Room
	Need manifest.Total
}

// shortage returns the target's disk if the restore needs more room than the disk has
// free, or nil. A disk of unknown size has enough room.
func shortage(to string, totals map[manifest.Part]manifest.Total) *Shortage {
	s := &Shortage{Dir: disk.Nearest(to)}
	for _, total := range totals {
		s.Need = s.Need.Plus(total)
	}
	var err error
	if s.Free, err = disk.Free(s.Dir); err != nil {
		return nil
	}
	if !s.isCertain() && s.Need.Bytes+s.Free.Ends(s.Need.Files) <= s.Free.Bytes {
		return nil
	}
	return s
}

// isCertain reports that the bytes or the number of the files alone are too much.
func (s *Shortage) isCertain() bool {
	return s.Need.Bytes > s.Free.Bytes || s.Need.Files > s.Free.Files
}

// String says what the disk lacks.
func (s *Shortage) String() string {
	if s.Need.Bytes > s.Free.Bytes {
		return fmt.Sprintf("the disk of %s has room for %s, and the restore needs %s", s.Dir,
			units.Size(max(0, s.Free.Bytes)), units.Size(s.Need.Bytes))
	}
	if !s.isCertain() {
		return fmt.Sprintf("the disk of %s has room for %s, and the restore needs %s and about %s more for the ends "+
			"of files in whole blocks", s.Dir, units.Size(max(0, s.Free.Bytes)), units.Size(s.Need.Bytes),
			units.Size(s.Free.Ends(s.Need.Files)))
	}
	return fmt.Sprintf("the disk of %s has inodes for %s, and the restore makes %d", s.Dir,
		units.Count(s.Free.Files, "more file"), s.Need.Files)
}

// Refusal refuses a restore that would fill the disk. A disk that may compress, or that the
// restore may fit on, gets a warning instead: see [RestorePlan.Short].
func (p RestorePlan) Refusal() error {
	if p.Short == nil || !p.Short.Free.Exact || !p.Short.isCertain() {
		return nil
	}
	return &remedy.Error{Kind: remedy.Full, What: p.Short.String(), Effect: "nothing was restored",
		Fix: "make room, name a folder on another disk by --to, or restore a part by --only"}
}

// explainFull names the full disk of an error. One of the folders is on that disk. An
// error that says what to do stays as it is, and so does a full storage.
func explainFull(err error, folders ...string) error {
	said := (*remedy.Error)(nil)
	switch {
	case !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT):
		return err
	case errors.Is(err, remote.ErrFull), errors.As(err, &said):
		return err
	}
	least, full := disk.Room{}, ""
	for _, folder := range folders {
		folder = disk.Nearest(folder)
		room, statErr := disk.Free(folder)
		if statErr == nil && (full == "" || room.Files == 0 || room.Bytes < least.Bytes) {
			least, full = room, folder
		}
	}
	if full == "" {
		return err
	}
	e := &remedy.Error{Kind: remedy.Full, Err: err, What: "the disk of " + full + " is full",
		Fix: "make room on the disk of " + full + ", then run the command again"}
	switch {
	case errors.Is(err, unix.EDQUOT):
		e.What = "this user's quota on the disk of " + full + " is used up"
	case least.Files == 0:
		e.What = "the disk of " + full + " has no free inodes: no file can be made"
		e.Fix = "delete files on the disk of " + full + ", or use another disk; then run the command again"
	}
	return e
}
