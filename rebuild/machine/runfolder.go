package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// runFolder is a folder that the server needs for its start, and that no snapshot holds.
type runFolder struct {
	path     string
	isServer bool // the server writes to the folder
}

// runFolders are the folders of the unit: the working directory, without which systemd
// starts no program, and the cache of compiled programs.
func (m *Machine) runFolders() (folders []runFolder) {
	if !m.Has(manifest.Files) {
		return nil
	}
	if m.Config.Unit != "" && !m.Config.Container {
		folders = append(folders, runFolder{path: m.Config.WorkingDir})
	}
	folders = append(folders, runFolder{m.Config.CompilationCache(), true})
	return slices.DeleteFunc(folders, func(f runFolder) bool { return f.path == "" })
}

// inspectRunFolders names the folders that the restore makes for the server's start.
func (m *Machine) inspectRunFolders() (findings []Finding) {
	for _, f := range m.runFolders() {
		if _, err := os.Lstat(f.path); !errors.Is(err, fs.ErrNotExist) || m.fills(f.path) {
			continue
		}
		text := f.path + ": the restore makes the folder, because the server starts there"
		if f.isServer {
			text = fmt.Sprintf("%s: the restore makes the folder, for compiled programs of the server", f.path)
		}
		findings = append(findings, Finding{Subject: FileSubject, Detail: text})
	}
	return findings
}

// fills reports whether the restore puts a file below a folder.
func (m *Machine) fills(folder string) bool {
	if slices.ContainsFunc(m.serverFolders(), func(f serverFolder) bool { return isBelow(f.path+"/", folder) }) {
		return true
	}
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		return !f.Missing && isBelow(m.pathOf(f), folder)
	})
}

// makeRunFolders makes the missing folders for the server's start.
func (m *Machine) makeRunFolders(mover *disk.Mover) error {
	for _, f := range m.runFolders() {
		if f.isServer {
			mover.Own = append(mover.Own, f.path)
		}
		if err := mover.MakeFolder(f.path); err != nil {
			return err
		}
	}
	return nil
}

// letFill are the tasks of a person for a cache that the server's user can't write to.
func (m *Machine) letFill() (tasks []string) {
	if cache := m.Config.UnmappedCache(); cache != "" && m.Has(manifest.Files) {
		tasks = append(tasks, fmt.Sprintf("if the container mounts a folder of this machine at %s: make that folder "+
			"before the start, and give the folder to %s; docker makes a folder of root, and then the server does not "+
			"start", cache, m.User))
	}
	for _, f := range m.runFolders() {
		_, err := os.Stat(f.path)
		if f.isServer && m.User != "" && os.Geteuid() == 0 && err == nil &&
			disk.CheckAccess(m.User, f.path, disk.Fill) != nil {
			tasks = append(tasks, fmt.Sprintf("the server's user %s can't write into %s, and the server does not "+
				"start; if the folder may belong to the server, run: %s", m.User, f.path,
				remedy.ShellLine([]string{"chown", "-R", m.User, f.path})))
		}
	}
	return tasks
}
