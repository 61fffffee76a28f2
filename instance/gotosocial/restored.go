package gotosocial

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/instance/systemd"
	"holdfast/manifest"
)

// RestoredFolder is a folder that a restore made. The files part lies below files/.
type RestoredFolder struct {
	Path  string // the final, absolute path
	Files fs.FS  // the folder as it is now
}

// Remains is the restored configuration of a domain.
type Remains struct {
	// Config is the configuration of the old server, or nil. File is the restored file;
	// WorkingDir is the old server's.
	Config *Config
	// Others are further configuration files of the domain. No unit tells which file
	// the server used.
	Others []string
	// Environment are the restored files that set variables or flags of the server.
	Environment []string
}

// Remains searches the restored files for the configuration of the domain. If a unit
// names one of several configuration files, that file counts.
func (d RestoredFolder) Remains(domain string) (found Remains) {
	files, linked, run := d.gather(domain)
	for _, s := range run {
		found.Environment = append(found.Environment, filepath.Join(d.Path, s.unit.Path))
	}
	all := &service{unit: &systemd.Unit{}}
	for _, s := range run {
		all.vars, all.flags = append(all.vars, s.vars...), append(all.flags, s.flags...)
		all.unit.Settings = append(all.unit.Settings, s.unit.Settings...)
		all.binary = cmp.Or(s.binary, all.binary)
		if s.workingDir != "" {
			all.workingDir = s.workingDir
		}
	}
	ours := func(c *Config) bool { return c.Domain() == domain }
	if slices.ContainsFunc(files, ours) {
		files = slices.DeleteFunc(files, func(c *Config) bool { return !ours(c) })
	} else if strings.ToLower(all.set("host")) != domain {
		return Remains{}
	}
	if named := d.named(files, all.configFile()); named >= 0 {
		files = files[named : named+1]
	}
	if len(files) > 1 { // the target of a link counts under the names of its links
		files = slices.DeleteFunc(files, func(c *Config) bool { return linked[c.File] })
	}
	found.Config = newConfig()
	found.Config.WorkingDir = imageDir
	if len(files) > 0 {
		found.Config = files[0]
		for _, c := range files[1:] {
			found.Others = append(found.Others, c.File)
		}
	}
	if all.workingDir != "" {
		found.Config.WorkingDir = all.workingDir
	}
	found.Config.Binary, found.Config.UnitUser = all.binary, all.unit.RunAs()
	found.Config.setVariables(all.vars)
	found.Config.setFlags(all.flags)
	return found
}

// named returns the index of the configuration file that a unit names, or -1.
func (d RestoredFolder) named(files []*Config, path string) int {
	exact := slices.IndexFunc(files, func(c *Config) bool { return c.File == filepath.Join(d.Path, "files", path) })
	if at := d.Find(path); exact < 0 && at != "" {
		end := filepath.Join(d.Path, at)
		return slices.IndexFunc(files, func(c *Config) bool { return d.ResolvedPath(c.File) == end })
	}
	return exact
}

// Find returns the path within the folder of a file of the old machine, or "". Find
// follows links within the folder only: a link of the snapshot must never lead to a
// file of this machine.
func (d RestoredFolder) Find(name string) string {
	end, err := manifest.Resolve(name, func(name string) (manifest.Link, bool) {
		text, err := fs.ReadLink(d.Files, path.Join("files", name))
		return manifest.Link(text), err == nil
	})
	target := path.Join("files", end)
	if _, statErr := fs.Lstat(d.Files, target); err != nil || statErr != nil || end == "" {
		return ""
	}
	return target
}

// ResolvedPath returns the path of a restored file without links on the way.
func (d RestoredFolder) ResolvedPath(file string) string {
	return filepath.Join(d.Path, d.Find(strings.TrimPrefix(file, filepath.Join(d.Path, "files"))))
}

// gather reads the restored files that may belong to the domain: configuration files,
// which may leave the domain to the environment, and files that set variables or
// flags. linked holds the configuration files that are targets of links. The path of
// each service is the path of its file in the folder.
func (d RestoredFolder) gather(domain string) (files []*Config, linked map[string]bool, run []*service) {
	linked = map[string]bool{}
	seen := map[string]bool{}
	// The function below returns no error: gather passes over each unreadable file.
	_ = fs.WalkDir(d.Files, "files", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		target := d.Find(strings.TrimPrefix(name, "files"))
		if info, err := fs.Lstat(d.Files, target); err != nil || !info.Mode().IsRegular() ||
			info.Size() > systemd.MaxSettings {
			return nil
		}
		text, err := fs.ReadFile(d.Files, target)
		if err != nil {
			return nil
		}
		ext := path.Ext(name)
		if decoders[ext] == nil {
			if s := restoredService(name, string(text)); s != nil && !seen[target] &&
				(s.set("host") == "" || strings.ToLower(s.set("host")) == domain) {
				seen[target] = true
				s.unit.Path = target
				run = append(run, s)
			}
			return nil
		}
		c := newConfig()
		c.File = filepath.Join(d.Path, name)
		c.WorkingDir = strings.TrimPrefix(path.Dir(name), "files")
		if c.parse(ext, string(text)) == nil && (c.Domain() == domain || c.Domain() == "" && c.ofGoToSocial()) {
			files = append(files, c)
			if target != name {
				linked[filepath.Join(d.Path, target)] = true
			}
		}
		return nil
	})
	return files, linked, run
}

// ofGoToSocial reports whether the file has a setting that Holdfast reads.
func (c *Config) ofGoToSocial() bool {
	for key := range defaults {
		if c.settings[key].Origin.Kind == FromFile {
			return true
		}
	}
	return false
}

// restoredService reads how a restored unit, drop-in or environment file runs a
// server. Any other file returns nil.
func restoredService(name, text string) *service {
	s := &service{unit: &systemd.Unit{Path: name, Fragment: name}}
	if ext := path.Ext(name); ext == ".service" || ext == ".conf" {
		// The restored environment files count, never the files of this machine.
		s.unit.Settings = slices.DeleteFunc(systemd.ParseUnit(text, name),
			func(line systemd.Setting) bool { return line.Key == "EnvironmentFile" })
		s = runs(s.unit)
		if s.binary == "" && s.unit.Last("WorkingDirectory") == "" {
			s.workingDir = ""
		}
	} else if strings.Contains(text, "GTS_") {
		s.vars = systemd.ParseEnvironment(text, name)
		container, _, err := containerVariables(text, name)
		if err == nil && lastVariable(s.vars, "host") != lastVariable(container, "host") {
			s.vars = container
		}
	}
	sets := slices.ContainsFunc(s.vars, func(v systemd.Variable) bool { _, ok := settingKey(v); return ok })
	if !sets && s.binary == "" {
		return nil
	}
	return s
}

// LoadRestored returns GoToSocial's configuration from a restored folder. Its paths
// are those of the old machine.
func LoadRestored(folder fs.FS, domain string) (*Config, error) {
	found := RestoredFolder{"/", folder}.Remains(domain)
	switch {
	case found.Config == nil:
		return nil, fmt.Errorf("the snapshot has no configuration of %s", domain)
	case len(found.Others) > 0:
		return nil, fmt.Errorf("the snapshot has several configuration files of %s: %s and %s", domain,
			found.Config.File, strings.Join(found.Others, ", "))
	}
	found.Config.File = strings.TrimPrefix(found.Config.File, "/files")
	return found.Config, nil
}

// ServiceUser returns "USER:GROUP" of the restored unit, "USER:" for the user's own group,
// or "" without a user.
func (c *Config) ServiceUser() string {
	user, group, _ := strings.Cut(c.UnitUser, ":")
	if user == "" && group == "" {
		return ""
	}
	return cmp.Or(user, "root") + ":" + group
}

// AdoptServer takes what a given configuration file does not say from the restored
// configuration: how the server runs. The server starts in its old working directory,
// wherever the given file lies.
func (c *Config) AdoptServer(restored *Config) {
	c.Binary, c.UnitUser, c.WorkingDir = restored.Binary, restored.UnitUser, restored.WorkingDir
}

// RelativePlace returns the first setting that gives a part of the instance a relative
// place, or "".
func (c *Config) RelativePlace() string {
	places := map[string]string{"letsencrypt-cert-dir": c.Get("letsencrypt-cert-dir")}
	if c.Engine() == SQLite {
		places["db-address"] = sqlitePath(c.Get("db-address"))
	}
	if !c.InBucket() {
		places["storage-local-base-path"] = c.Get("storage-local-base-path")
	}
	for _, key := range slices.Sorted(maps.Keys(places)) {
		if place := places[key]; place != "" && !filepath.IsAbs(place) {
			return key
		}
	}
	return ""
}
