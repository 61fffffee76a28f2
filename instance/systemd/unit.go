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

// Unit is a systemd service: its file with all drop-ins over it.
type Unit struct {
	Path     string   // as it is named, "…/gotosocial@a.service" also for an instance of a template
	Fragment string   // the file that it is read from
	Files    []string // that one and the drop-ins
	Settings []Setting
}

// Setting is one line of a unit's [Service] section.
type Setting struct {
	Key, Value string
	File       string
}

// unitFolders are where systemd looks for units, the strongest first
// (systemd.unit(5), "Unit File Search Path").
func unitFolders(root string) (folders []string) {
	for _, dir := range []string{"etc", "run", "usr/local/lib", "usr/lib", "lib"} {
		folders = append(folders, filepath.Join("/", root, dir, "systemd/system"))
	}
	return folders
}

// ReadUnit reads the unit at path, or of that name.
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
			u.Fragment = filepath.Join(cmp.Or(folderOf(template, append([]string{filepath.Dir(path)}, folders...)), filepath.Dir(path)), template)
		}
	}
	if target, err := filepath.EvalSymlinks(u.Fragment); err == nil && target == "/dev/null" {
		return nil, &remedy.Error{Kind: remedy.Setting, What: u.Fragment + " is masked: systemd starts nothing by it", Fix: "name the unit that starts the server, or unmask it"}
	}
	for _, file := range append([]string{u.Fragment}, u.dropIns(folders)...) {
		text, err := ReadSettings(file, "unit "+path, "correct instance.unit: systemctl list-units '*gotosocial*' shows what is there")
		if err != nil {
			return nil, err
		}
		u.Files = append(u.Files, file)
		u.Settings = append(u.Settings, ParseUnit(text, file)...)
	}
	return u, nil
}

// folderOf is the first of the folders that holds a unit of that name, or "".
func folderOf(name string, folders []string) string {
	for _, dir := range folders {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return dir
		}
	}
	return ""
}

// templateOf is "gotosocial@.service" for "gotosocial@a.service".
func templateOf(name string) (template string, ok bool) {
	prefix, _, ok := strings.Cut(name, "@")
	return prefix + "@" + filepath.Ext(name), ok
}

func (u *Unit) Name() string { return filepath.Base(u.Path) }

// dropIns are the files that change the unit, in the order in which they count.
// Of several with one name the strongest folder's hides the others.
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
		// A link to /dev/null only hides others.
		if disk.IsRegular(byName[name]) {
			files = append(files, byName[name])
		}
	}
	return files
}

// escapeGlob makes a path match itself only.
func escapeGlob(path string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// ParseUnit reads the [Service] section of a unit's text, as systemd.syntax(7)
// says. What is no setting is passed over, as systemd does. (go-systemd's parser
// refuses the whole file for it, and takes a comment between continued lines
// for their text.)
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

// List is what a setting that may be given several times comes to: an empty one
// makes all before it void.
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

// Last is a setting's last value.
func (u *Unit) Last(key string) string {
	value := ""
	for _, s := range u.Settings {
		if s.Key == key {
			value = s.Value
		}
	}
	return value
}

var specifier = regexp.MustCompile(`%[A-Za-z0-9%]?`)

// Expand replaces the specifiers of systemd.unit(5) that stand for what can be
// known here. Another is an error, and the text stays as it is.
func (u *Unit) Expand(text string) (string, error) {
	var unknown error
	expanded := specifier.ReplaceAllStringFunc(text, func(s string) string {
		value, ok := u.specifier(s)
		if !ok {
			unknown = fmt.Errorf("it has %s, which can't be known here", s)
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
	case "%%", "%": // before what is neither letter nor digit it stands for itself
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
		return "", false // the rest are that user's own
	}
	value, ok = map[string]string{
		"%h": "/root", "%u": "root", "%U": "0", "%g": "root", "%G": "0",
		"%t": "/run", "%S": "/var/lib", "%C": "/var/cache", "%L": "/var/log", "%E": "/etc", "%T": "/tmp", "%V": "/var/tmp",
	}[s]
	return value, ok
}

// User is the name of the user whom the server runs as.
func (u *Unit) User() string { return cmp.Or(u.Last("User"), "root") }

// RunAs is "USER:GROUP" as the unit names them. systemd makes up the user of
// DynamicUser=.
func (u *Unit) RunAs() string {
	name, err1 := u.Expand(u.Last("User"))
	group, err2 := u.Expand(u.Last("Group"))
	if err1 != nil || err2 != nil || u.Last("DynamicUser") == "yes" || u.Last("DynamicUser") == "true" {
		return ""
	}
	return name + ":" + group
}

// WorkingDir is the folder that the server starts in; without a word about it
// that is the root.
func (u *Unit) WorkingDir() (string, error) {
	dir := strings.TrimPrefix(u.Last("WorkingDirectory"), "-")
	switch dir {
	case "":
		return "/", nil
	case "~":
		account, err := user.Lookup(u.User())
		if err != nil {
			return "", fmt.Errorf("it is the home folder of %s: %w", u.User(), err)
		}
		return account.HomeDir, nil
	}
	return u.Expand(dir)
}
