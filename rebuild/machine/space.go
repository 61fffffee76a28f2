package machine

import (
	"fmt"

	"holdfast/disk"
	"holdfast/internal/units"
	"holdfast/manifest"
)

// load is what a restore writes to the disk of a folder.
type load struct {
	folder string
	need   manifest.Total
}

// inspectSpace compares the sizes with the room on each disk: on the disk of the fetched
// data, and on other disks of the database and of the media.
func (m *Machine) inspectSpace(sizes map[manifest.Part]manifest.Total) (findings []Finding) {
	all := load{folder: disk.Nearest(m.Folder)}
	for part, total := range sizes {
		if m.Has(part) {
			all.need = all.need.Plus(total)
		}
	}
	loads := []load{all}
	destinations := map[manifest.Part]string{manifest.Media: m.media().Destination().Folder}
	if database, err := m.database(); err == nil { // inspectDatabase names the error
		destinations[manifest.Database] = database.Destination().Folder
	}
	for _, part := range manifest.Parts {
		to := destinations[part]
		if to == "" || !m.Has(part) || disk.SameDisk(to, m.Folder) { // a move within a disk needs no room
			continue
		}
		if last := &loads[len(loads)-1]; len(loads) > 1 && disk.SameDisk(to, last.folder) {
			last.need = last.need.Plus(sizes[part])
		} else {
			loads = append(loads, load{disk.Nearest(to), sizes[part]})
		}
	}
	for n, l := range loads {
		fix := "make room there"
		if n == 0 {
			fix = "make room, or name a folder on another disk by --work"
		}
		findings = append(findings, l.finding(fix))
	}
	return findings
}

// finding compares the load with the room on the disk.
func (l load) finding(fix string) Finding {
	free, err := disk.Free(l.folder)
	if err != nil {
		return refused(SpaceSubject, err)
	}
	f := Finding{Subject: SpaceSubject}
	f.Detail = fmt.Sprintf("the restore needs %d MiB; the disk of %s has %d MiB free",
		l.need.Bytes>>20, l.folder, free.Bytes>>20)
	if l.need.Files > free.Files {
		f.Detail += fmt.Sprintf(", but only %s for %s", units.Count(free.Files, "free inode"),
			units.Count(l.need.Files, "file"))
	}
	if ends := free.Ends(l.need.Files); l.need.Bytes <= free.Bytes && l.need.Bytes+ends > free.Bytes {
		f.Detail += fmt.Sprintf(", and the ends of the files take about %s more in whole blocks", units.Size(ends))
		f.Fix = fix
	}
	if l.need.Bytes > free.Bytes || l.need.Files > free.Files && free.Exact {
		f.Fix, f.Refused = fix, true
	}
	return f
}
