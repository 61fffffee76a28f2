// Package systemd reads systemd's units and environment files, as systemd itself
// reads them.
package systemd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"holdfast/disk"
	"holdfast/remedy"
)

// Unit is a systemd service: its file and all drop-ins.
type Unit struct {
	Path     string   // of the unit; for an instance of a template "…/gotosocial@a.service"
	Fragment string   // the unit's own file
	Files    []string // Fragment and the drop-ins
	Settings []Setting
}

// Setting is a line of a unit's [Service] section.
type Setting struct {
	Key, Value string
	File       string
}

// unitFolders returns the folders where systemd looks for units. The first folder
// has precedence (systemd.unit(5), "Unit File Search Path").
func unitFolders(root string) (folders []string) {
	for _, dir := range []string{"etc", "run", "usr/local/lib", "usr/lib", "lib"} {
		folders = append(folders, filepath.Join("/", root, dir, "systemd/system"))
	}
	return folders
}

// ReadUnit reads the unit of a path or name. Units lie below the root.
func ReadUnit(path, root string) (*Unit, error) {
	folders := unitFolders(root)
	if !strings.Contains(path, "/") {
		if filepath.Ext(path) == "" {
			path += ".service"
		}
		path = filepath.Join(cmp.Or(folderOf(path, folders), folders[0]), path)
	}
	u := &Unit{Path: path, Fragment: path}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if template, ok := templateOf(u.Name()); ok {
			u.Fragment = filepath.Join(cmp.Or(folderOf(template, append([]string{filepath.Dir(path)}, folders...)),
				filepath.Dir(path)), template)
		}
	}
	if target, err := filepath.EvalSymlinks(u.Fragment); err == nil && target == "/dev/null" {
		return nil, &remedy.Error{Kind: remedy.Setting, What: u.Fragment +
			" is masked: systemd does not start the unit", Fix: "name the unit that starts the server, or unmask " +
			"the unit"}
	}
	for _, file := range append([]string{u.Fragment}, u.dropIns(folders)...) {
		text, err := ReadSettings(file, "unit "+path, "correct instance.unit; systemctl list-units '*gotosocial*' "+
			"shows the units")
		if err != nil {
			return nil, err
		}
		u.Files = append(u.Files, file)
		u.Settings = append(u.Settings, ParseUnit(text, file)...)
	}
	return u, nil
}

// folderOf returns the first folder that holds a unit of the name, or "".
func folderOf(name string, folders []string) string {
	for _, dir := range folders {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir
		}
	}
	return ""
}

// templateOf returns the template of an instance: "gotosocial@.service" for
// "gotosocial@a.service".
func templateOf(name string) (template string, ok bool) {
	prefix, _, ok := strings.Cut(name, "@")
	return prefix + "@" + filepath.Ext(name), ok
}

func (u *Unit) Name() string { return filepath.Base(u.Path) }

// dropIns returns the drop-ins of the unit; later ones override earlier ones. A
// drop-in hides all drop-ins of the same name in later folders.
func (u *Unit) dropIns(folders []string) []string {
	names := []string{u.Name()}
	if template, ok := templateOf(u.Name()); ok {
		names = append(names, template)
	}
	ext := filepath.Ext(u.Name())
	for stem := strings.TrimSuffix(u.Name(), ext); strings.Contains(stem, "-"); {
		stem = stem[:strings.LastIndex(stem, "-")]
		names = append(names, stem+"-"+ext)
	}
	names = append(names, "service")
	folders = append([]string{filepath.Dir(u.Path)}, folders...)
	byName := map[string]string{}
	for _, name := range names {
		for _, dir := range folders {
			found, _ := filepath.Glob(escapeGlob(filepath.Join(dir, name+".d")) + "/*.conf")
			for _, file := range found {
				if _, hidden := byName[filepath.Base(file)]; !hidden {
					byName[filepath.Base(file)] = file
				}
			}
		}
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		// A link to /dev/null hides other drop-ins and has no text.
		if disk.IsRegular(byName[name]) {
			files = append(files, byName[name])
		}
	}
	return files
}

// escapeGlob makes a pattern that matches only the path.
func escapeGlob(path string) string {
	return globCharacter.ReplaceAllString(path, `\$0`)
}

// ParseUnit parses the [Service] section of a unit's text (systemd.syntax(7)). Like
// systemd, ParseUnit ignores lines without a setting. (go-systemd's parser would
// refuse the file, and would take a comment between continued lines for their text.)
func ParseUnit(text, file string) (settings []Setting) {
	section, continued := "", ""
	take := func(line string) {
		line = strings.Trim(line, blanks)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = line
		case ok && section == "[Service]":
			settings = append(settings, Setting{strings.TrimRight(key, blanks), strings.TrimLeft(value, blanks), file})
		}
	}
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimRight(line, "\r\n")
		if start := strings.TrimLeft(line, blanks); start != "" && (start[0] == '#' || start[0] == ';') {
			continue
		}
		line = continued + line
		if slashes := len(line) - len(strings.TrimRight(line, `\`)); slashes%2 == 1 {
			continued = line[:len(line)-1] + " "
			continue
		}
		continued = ""
		take(line)
	}
	take(continued)
	return settings
}

// List returns all lines of a setting that a unit may repeat. An empty line drops the
// lines before it.
func (u *Unit) List(key string) (settings []Setting) {
	for _, s := range u.Settings {
		switch {
		case s.Key != key:
		case s.Value == "":
			settings = nil
		default:
			settings = append(settings, s)
		}
	}
	return settings
}

// Last returns the last value of a setting.
func (u *Unit) Last(key string) string {
	value := ""
	for _, s := range u.Settings {
		if s.Key == key {
			value = s.Value
		}
	}
	return value
}

var globCharacter = regexp.MustCompile(`[*?\[\\]`)

var specifier = regexp.MustCompile(`%[A-Za-z0-9%]?`)

// Expand replaces the specifiers of systemd.unit(5). A specifier with an unknown value
// is an error, and the text then stays as it is.
func (u *Unit) Expand(text string) (string, error) {
	var unknown error
	expanded := specifier.ReplaceAllStringFunc(text, func(s string) string {
		value, ok := u.specifier(s)
		if !ok {
			unknown = fmt.Errorf("the value of %s is unknown", s)
		}
		return value
	})
	if unknown != nil {
		return text, unknown
	}
	return expanded, nil
}

func (u *Unit) specifier(s string) (value string, ok bool) {
	stem := strings.TrimSuffix(u.Name(), filepath.Ext(u.Name()))
	prefix, instance, _ := strings.Cut(stem, "@")
	switch s {
	case "%%", "%": // a lone % stands for itself
		return "%", true
	case "%n":
		return u.Name(), true
	case "%N":
		return stem, true
	case "%p":
		return prefix, true
	case "%i":
		return instance, true
	case "%j":
		return prefix[strings.LastIndex(prefix, "-")+1:], true
	case "%y":
		return u.Fragment, true
	case "%Y":
		return filepath.Dir(u.Fragment), true
	case "%H":
		host, err := os.Hostname()
		return host, err == nil
	}
	if strings.Contains(u.Path, "/systemd/user/") {
		return "", false // the other values depend on the user
	}
	value, ok = map[string]string{
		"%h": "/root", "%u": "root", "%U": "0", "%g": "root", "%G": "0",
		"%t": "/run", "%S": "/var/lib", "%C": "/var/cache", "%L": "/var/log",
		"%E": "/etc", "%T": "/tmp", "%V": "/var/tmp",
	}[s]
	return value, ok
}

// User returns the name of the Unix user that runs the server.
func (u *Unit) User() string { return cmp.Or(u.Last("User"), "root") }

// RunAs returns "USER:GROUP" as the unit names them; either may be missing. With
// DynamicUser= systemd makes up a user, and RunAs returns "".
func (u *Unit) RunAs() string {
	name, err1 := u.Expand(u.Last("User"))
	group, err2 := u.Expand(u.Last("Group"))
	if err1 != nil || err2 != nil || u.Last("DynamicUser") == "yes" || u.Last("DynamicUser") == "true" {
		return ""
	}
	return name + ":" + group
}

// WorkingDir returns the folder in which the server starts. The default is the root
// folder.
func (u *Unit) WorkingDir() (string, error) {
	dir := strings.TrimPrefix(u.Last("WorkingDirectory"), "-")
	switch dir {
	case "":
		return "/", nil
	case "~":
		account, err := user.Lookup(u.User())
		if err != nil {
			return "", fmt.Errorf("find the home folder of %s: %w", u.User(), err)
		}
		return account.HomeDir, nil
	}
	return u.Expand(dir)
}
