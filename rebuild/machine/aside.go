package machine

import (
	"path/filepath"

	"holdfast/disk"
)

// fateOfOther returns the fate of a file that is there with other contents.
func (m *Machine) fateOfOther(path string) fate {
	folder := m.readWhole(path)
	switch {
	case folder == "" && m.Replace:
		return fateRenamed
	case folder == "":
		return fateInTheWay
	}
	aside := folder + disk.AsideSuffix
	if m.Replace {
		return fate{one: "; the restore moves the existing file into " + aside,
			many: "; the restore moves the existing files into " + aside}
	}
	inTheWay := fateInTheWay
	inTheWay.fix, inTheWay.fixForMany = "--replace moves it into "+aside, "--replace moves them into "+aside
	return inTheWay
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
