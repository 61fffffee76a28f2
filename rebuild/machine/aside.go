package machine

import (
	"path/filepath"

	"holdfast/disk"
)

// fateOfOther returns the fate of a file that is there with other contents.
func (m *Machine) fateOfOther(path string) fate {
	dir := m.readWhole(path) + disk.AsideSuffix
	switch {
	case dir != disk.AsideSuffix && m.Replace:
		return fate{one: "; the restore moves the existing file into " + dir,
			many: "; the restore moves the existing files into " + dir}
	case dir != disk.AsideSuffix:
		inTheWay := fateInTheWay
		inTheWay.fix, inTheWay.fixForMany = "--replace moves it into "+dir, "--replace moves them into "+dir
		return inTheWay
	case m.Replace:
		return fateRenamed
	}
	return fateInTheWay
}

// putAside makes room for a restored file.
func (m *Machine) putAside(path string, mover *disk.Mover) (err error) {
	if folder := m.readWhole(path); folder != "" {
		_, err = mover.AsideOut(folder, path)
	} else {
		_, err = mover.Aside(path, "")
	}
	return explainInTheWay(err)
}

// readWhole returns the folder above path whose reader reads every file, or "".
// GoToSocial reads each file beside a template as a further template, and does not start
// with a template of another version. The web server reads all of sites-enabled.
func (m *Machine) readWhole(path string) string {
	for _, w := range m.Web {
		if w.IsTemplates && isBelow(path, w.Path) {
			return w.Path
		}
	}
	if dir := filepath.Dir(path); filepath.Base(dir) == "sites-enabled" {
		return dir
	}
	return ""
}
