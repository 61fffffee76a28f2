package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/disk"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/rebuild/restored"
	"holdfast/remedy"
)

// fromSnapshotSuffix ends the name of the snapshot's configuration beside the
// configuration that a person gave at the final path.
const fromSnapshotSuffix = ".from-snapshot"

// inspectFiles names the files of the files part, because the snapshot decides the
// paths. Many files with the same fate in a folder share a finding.
func (m *Machine) inspectFiles(ctx context.Context) (findings []Finding) {
	if !m.Has(manifest.Files) {
		return nil
	}
	server := m.serverCommands()
	missing := map[string][][]string{} // the commands that create each user
	left, own, shut := m.leftInSnapshot(ctx), m.ownPaths(), shutFolders{}
	var fates []fate
	groups := map[fate]*branch{}
	for _, file := range m.Files {
		if _, asked := missing[file.User]; !asked && os.Geteuid() == 0 {
			missing[file.User] = subtract(m.fileCommands(file.User), server)
		}
		file.Holdfast = own[file.Path]
		var fate fate
		if !file.Folder {
			fate = m.inspectFile(file, missing[file.User], left)
			if err := shut.check(filepath.Dir(m.pathOf(file))); err != nil && (fate == fateNew || fate == fateRenamed) {
				fate = fateShut(err)
			}
		} else if fate = m.inspectFolder(file, missing[file.User]); !fate.refused {
			continue // worth no words
		}
		if groups[fate] == nil {
			fates, groups[fate] = append(fates, fate), new(branch)
		}
		path := m.movedPath("/" + file.Path) // printable, unlike a true path
		text := path
		if file.Link != "" {
			// A person must see where each link leads: the snapshot decides.
			text += " -> " + string(file.Link)
			findings = append(findings, fate.finding(planLine{path: path, text: text, files: 1}))
			continue
		}
		groups[fate].add(strings.TrimPrefix(path, "/"), text)
	}
	for _, fate := range fates {
		for _, line := range groups[fate].lines("/") {
			findings = append(findings, fate.finding(line))
		}
	}
	return findings
}

// fate is what a restore does with a file.
type fate struct {
	one  string // follows the path of one file; NAME is the name of the file
	many string // follows the number of files
	// fix and fixForMany are the ways out, if a person should act.
	fix, fixForMany string
	refused         bool
}

var (
	fateNew     = fate{}
	fateMissing = fate{one: ": missing in the snapshot", many: ", missing in the snapshot"}
	fateSame    = fate{one: " stays: the contents are the same", many: " stay: the contents are the same"}
	fateGiven   = fate{one: " stays: --gotosocial names the file; the snapshot's version is restored as NAME" +
		fromSnapshotSuffix}
	fateRenamed = fate{one: "; the restore renames the existing file to NAME" + disk.AsideSuffix,
		many: "; the restore renames the existing files to …" + disk.AsideSuffix}
	fateOwn  = fate{one: " stays, with other contents: it is Holdfast's own configuration"}
	fateLeft = fate{one: " stays as it is: the files there may be of another GoToSocial",
		many: " of the snapshot are left out: the files there may be of another GoToSocial"}
	fateInTheWay = fate{one: " is there already, with other contents",
		many: " are there already, with other contents", refused: true,
		fix:        "--replace renames it to NAME" + disk.AsideSuffix,
		fixForMany: "--replace renames each to …" + disk.AsideSuffix}
	fateNoFolder = fate{one: " is a folder in the snapshot, and a file on this machine",
		many: " are folders in the snapshot, and files on this machine", refused: true,
		fix: "move the file away", fixForMany: "move the files away"}
	fateDangling = fate{one: " is a folder in the snapshot, and a link to a missing folder on this machine",
		many: " are folders in the snapshot, and links to missing folders on this machine", refused: true,
		fix:        "make the folder, mount its disk, or remove the link",
		fixForMany: "make the folders, mount their disk, or remove the links"}
)

// finding is the finding of the files in a line of the plan.
func (f fate) finding(l planLine) Finding {
	if l.files > 1 {
		text := fmt.Sprintf("%s: %s%s", l.path, units.Count(l.files, "file"), f.many)
		return Finding{Subject: FileSubject, Detail: text, Fix: f.fixForMany, Refused: f.refused}
	}
	named := func(text string) string { return strings.ReplaceAll(text, "NAME", filepath.Base(l.path)) }
	return Finding{Subject: FileSubject, Detail: l.text + named(f.one), Fix: named(f.fix), Refused: f.refused}
}

// inspectFile looks at the path of one file. missing are the commands that create the
// file's user.
func (m *Machine) inspectFile(file manifest.File, missing [][]string, left leftFolders) fate {
	path := m.pathOf(file)
	switch {
	case file.Missing:
		return fateMissing
	case left.holds(path):
		if info, err := os.Lstat(path); err == nil && isSameFile(path, info, file) {
			return fateSame
		}
		return fateLeft
	case len(missing) > 0:
		return fateWithoutUser(file.User, missing)
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return fateNew
	case isSameFile(path, info, file):
		return fateSame
	case file.Holdfast:
		return fateOwn
	case m.isGiven(path):
		return fateGiven
	}
	return m.fateOfOther(path)
}

// inspectFolder looks at the path of a folder. missing are the commands that create the
// folder's user. A folder that is there keeps its user.
func (m *Machine) inspectFolder(folder manifest.File, missing [][]string) fate {
	info, err := os.Stat(m.pathOf(folder))
	_, linkErr := os.Readlink(m.pathOf(folder))
	switch {
	case err == nil && !info.IsDir():
		return fateNoFolder
	case err != nil && linkErr == nil:
		return fateDangling
	case err != nil && len(missing) > 0:
		return fateWithoutUser(folder.User, missing)
	}
	return fateNew
}

// fateWithoutUser is the fate of a file whose user this machine lacks.
func fateWithoutUser(user string, missing [][]string) fate {
	fix := "install the package that makes the user or group, or run: " + remedy.ShellLine(missing...)
	why := "user " + user + " does not exist on this machine"
	return fate{one: ": its " + why, many: ": their " + why, fix: fix, fixForMany: fix, refused: true}
}

// isGiven reports whether a person gave the configuration at its final path.
func (m *Machine) isGiven(path string) bool { return slices.Contains(m.given(), path) }

// given returns the paths of the configuration that a person gave: as given, and without links.
func (m *Machine) given() []string {
	if !m.ConfigGiven {
		return nil
	}
	real, err := filepath.EvalSymlinks(m.Config.File)
	if err != nil {
		return []string{m.Config.File}
	}
	return []string{m.Config.File, real}
}

// fetched returns the path of a fetched file in the restored folder.
func (m *Machine) fetched(f manifest.File) string {
	return filepath.Join(m.Folder, restored.FilesFolder, f.TruePath())
}

// PutFiles puts each file of the files part under its old path, for its old user. The
// folders come first. Links come last, when their targets exist.
func (m *Machine) PutFiles(ctx context.Context) (notes []string, err error) {
	if !m.Has(manifest.Files) {
		return nil, nil
	}
	mover, err := m.mover()
	if err != nil {
		return nil, err
	}
	files := slices.Clone(m.Files)
	slices.SortStableFunc(files, func(a, b manifest.File) int { return turn(a) - turn(b) })
	left, own := m.leftInSnapshot(ctx), m.ownPaths()
	put, leftOut := 0, 0
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f.Holdfast = own[f.Path]
		holds := left.holds(m.pathOf(f))
		switch {
		case f.Folder && !holds:
			err = explainMisled(mover.PutFolder(m.pathOf(f)))
		case f.Folder:
		case !holds:
			put++
			err = m.putFile(f, mover)
		default:
			var same bool
			if same, err = m.isRestored(f); same {
				put++
			} else {
				leftOut++
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if err := m.makeRunFolders(mover); err != nil {
		return nil, err
	}
	notes = []string{"files: " + units.Count(put, "file") + ", each where it was"}
	if len(m.Moved) > 0 {
		notes[0] += ", or in the container's moved folders"
	}
	if own := m.keptOwn(); own != "" {
		notes = append(notes, own+" stays: Holdfast's configuration of the old server is not put over it")
	}
	if leftOut > 0 {
		notes = append(notes, fmt.Sprintf("%s of the snapshot left out, below %s: the files there may be of "+
			"another GoToSocial; if you changed templates or assets, get them by restore --to DIR --only files",
			units.Count(leftOut, "file"), strings.Join(left.paths(), " and ")))
	}
	return notes, nil
}

// turn orders folders before files, and files before links.
func turn(f manifest.File) int {
	switch {
	case f.Folder:
		return 0
	case f.Link == "":
		return 1
	}
	return 2
}

// isRestored reports whether a file of this machine has the contents of the snapshot's
// file. For a file that the snapshot lacks isRestored reports true.
func (m *Machine) isRestored(f manifest.File) (bool, error) {
	same, err := disk.SameBytes(m.fetched(f), m.pathOf(f))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return same, err
}

// putFile puts a file under its old path, or in the container's moved folder. If the
// folder lacks the file, an earlier run moved the file, or the snapshot lacks the file.
func (m *Machine) putFile(f manifest.File, mover *disk.Mover) error {
	from, to := m.fetched(f), m.pathOf(f)
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	same, err := disk.SameBytes(from, to)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil && !same && f.Holdfast {
		return nil
	}
	if !same && m.isGiven(to) {
		to += fromSnapshotSuffix
		if same, err = disk.SameBytes(from, to); err != nil {
			return err
		}
	}
	if !same {
		if err := m.putAside(to, mover); err != nil {
			return err
		}
	}
	if err := mover.Move(from, to, f.User); err != nil {
		return fmt.Errorf("place %s: %w", to, explainInTheWay(err))
	}
	return nil
}
