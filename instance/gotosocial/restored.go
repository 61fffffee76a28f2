package gotosocial

import (
	"cmp"
	"fmt"
	"io/fs"
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
	// Server tells how the server ran, by Holdfast's configuration in the snapshot. The zero
	// Server tells nothing.
	Server Server
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
	if d.Server.EnvFile != "" && d.Server.Unit == "" { // as in a backup, no unit counts
		run = slices.DeleteFunc(run, func(s *service) bool { return !d.isEnvFile(s.unit.Fragment) })
	}
	for _, s := range run {
		found.Environment = append(found.Environment, filepath.Join(d.Path, s.unit.Path))
	}
	all := &service{unit: &systemd.Unit{}}
	for _, s := range run {
		all.vars, all.flags = append(all.vars, s.vars...), append(all.flags, s.flags...)
		all.unit.Settings = append(all.unit.Settings, s.unit.Settings...)
		if s.binary != "" {
			all.binary, all.unit.Path = s.binary, strings.TrimPrefix(s.unit.Fragment, "files")
		}
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
	theirs := newConfig()
	theirs.MapPaths(d.Server.Paths)
	if named := d.named(files, cmp.Or(d.Server.File, theirs.LocalPath(all.configFile()))); named >= 0 {
		files = files[named : named+1]
	}
	if len(files) > 1 { // the target of a link counts under the names of its links
		files = slices.DeleteFunc(files, func(c *Config) bool { return linked[c.File] })
	}
	found.Config = newConfig()
	if len(files) > 0 {
		found.Config = files[0]
		for _, c := range files[1:] {
			found.Others = append(found.Others, c.File)
		}
	}
	found.Config.setService(all, d)
	return found
}

// setService takes what the restored service says. all is the service of all restored
// units and environment files.
func (c *Config) setService(all *service, d RestoredFolder) {
	beside := c.WorkingDir // the folder of the configuration file
	if d.Server.EnvFile != "" && d.Server.File == "" {
		beside = ""
	}
	c.WorkingDir = cmp.Or(d.Server.WorkingDir, all.workingDir, beside, imageDir)
	c.Binary, c.Unit, c.UnitUser = all.binary, all.unit.Path, all.unit.RunAs()
	c.MapPaths(d.Server.Paths)
	c.setContainer(d.Server, oldMachine{d})
	c.setVariables(all.vars)
	c.setFlags(all.flags)
}

// isEnvFile reports whether a file of the folder is the container's environment file.
func (d RestoredFolder) isEnvFile(name string) bool {
	return d.Server.EnvFile != "" && path.Clean(name) == path.Join("files", d.Server.EnvFile)
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

// oldMachine shows the restored files under the paths of the old machine.
type oldMachine struct{ folder RestoredFolder }

// Open follows links within the folder only, as [RestoredFolder.Find] does.
func (m oldMachine) Open(name string) (fs.File, error) {
	target := m.folder.Find(name)
	if target == "" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return m.folder.Files.Open(target)
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
			if s := d.service(name, string(text)); s != nil && !seen[target] &&
				(s.set("host") == "" || strings.ToLower(s.set("host")) == domain) {
				seen[target] = true
				s.unit.Path, s.unit.Fragment = target, name
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

// service is restoredService, and reads the container's environment file as docker compose
// does.
func (d RestoredFolder) service(name, text string) *service {
	if !d.isEnvFile(name) {
		return restoredService(name, text)
	}
	vars, _, err := containerVariables(text, name)
	if err != nil {
		return nil
	}
	return &service{unit: &systemd.Unit{Path: name, Fragment: name}, vars: vars, envFiles: []string{name}}
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
// are those of the old machine. server is [RestoredFolder.Server].
func LoadRestored(folder fs.FS, domain string, server Server) (*Config, error) {
	found := RestoredFolder{"/", folder, server}.Remains(domain)
	switch {
	case found.Config == nil:
		return nil, fmt.Errorf("the snapshot has no configuration of %s", domain)
	case len(found.Others) > 0:
		return nil, fmt.Errorf("the snapshot has several configuration files of %s: %s and %s", domain,
			found.Config.File, strings.Join(found.Others, ", "))
	}
	c := found.Config
	c.File = strings.TrimPrefix(c.File, "/files")
	for _, file := range found.Environment {
		c.ServiceFiles = append(c.ServiceFiles, strings.TrimPrefix(file, "/files"))
	}
	return c, nil
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
// configuration: how the server runs, its domains, and which settings will override the
// file. The server starts in its old working directory, wherever the given file lies.
func (c *Config) AdoptServer(restored *Config) {
	c.Unit, c.Binary, c.UnitUser, c.WorkingDir = restored.Unit, restored.Binary, restored.UnitUser, restored.WorkingDir
	c.Container, c.Starter, c.paths = restored.Container, restored.Starter, restored.paths
	if s, ok := restored.settings[compilationCache]; ok {
		c.settings[compilationCache] = s // the variable has no place in a file
	}
	for _, s := range restored.Settings() {
		fromFile := s.Origin.Kind == FromFile || s.Origin.Kind == FromDefault
		if fromFile || s.Value == c.Get(s.Key) {
			continue
		}
		s.Origin.File = strings.TrimPrefix(s.Origin.File, "files")
		switch {
		case s.Key == "host" || s.Key == "account-domain":
			c.settings[s.Key] = s // the server's domains are right, whatever the file says
		case ofPlaces(s.Key):
			c.Overriding = append(c.Overriding, s)
		}
	}
}

// ofPlaces reports whether a setting tells where database or media are.
func ofPlaces(key string) bool {
	return strings.HasPrefix(key, "db-") || strings.HasPrefix(key, "storage-")
}

// RelativePlace returns the first setting that gives a part of the instance a relative
// place, or "".
func (c *Config) RelativePlace() string {
	for _, s := range append(c.places(), c.settings["letsencrypt-cert-dir"]) {
		if s.Value != "" && !filepath.IsAbs(s.Value) {
			return s.Key
		}
	}
	return ""
}
