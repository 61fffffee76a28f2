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

// RestoredFolder is a folder with the files of a snapshot below files/.
type RestoredFolder struct {
	Path  string // its final, absolute path
	Files fs.FS  // the folder as it is now
}

// Remains are what a restore brought of a domain's configuration.
type Remains struct {
	// Config is as its server had it: File is where that will lie, WorkingDir
	// where relative paths led. nil where nothing of the domain was found.
	Config *Config
	// Others are more configuration files of the domain, where nothing tells which
	// one the server used.
	Others []string
	// Environment are files that set the server's variables or flags.
	Environment []string
}

// Remains looks through the restored files for the configuration of the
// domain. The unit that names the configuration file decides between several.
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
	if len(files) > 1 { // one that links lead to goes by their names
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

// named is the index of the configuration file that the server is given, or -1.
func (d RestoredFolder) named(files []*Config, path string) int {
	exact := slices.IndexFunc(files, func(c *Config) bool { return c.File == filepath.Join(d.Path, "files", path) })
	if at := d.Find(path); exact < 0 && at != "" {
		return slices.IndexFunc(files, func(c *Config) bool { return d.Here(c.File) == filepath.Join(d.Path, at) })
	}
	return exact
}

// Find is where a file of the machine lies in a restored folder, every link
// on the way to it followed within that: links are of the snapshot, and may lead
// to what this machine has there. "" where nothing is.
func (d RestoredFolder) Find(name string) string {
	end, err := manifest.Resolve(name, func(name string) (manifest.Link, bool) {
		text, err := fs.ReadLink(d.Files, path.Join("files", name))
		return manifest.Link(text), err == nil
	})
	place := path.Join("files", end)
	if _, statErr := fs.Lstat(d.Files, place); err != nil || statErr != nil || end == "" {
		return ""
	}
	return place
}

// Here is the path of a restored file without links on the way.
func (d RestoredFolder) Here(file string) string {
	return filepath.Join(d.Path, d.Find(strings.TrimPrefix(file, filepath.Join(d.Path, "files"))))
}

// gather reads the restored files that may be of the domain: configuration
// files, which may leave the host to the environment, and what sets that. linked
// are those of them that links lead to. The path of each service is where its one
// file lies in the folder.
func (d RestoredFolder) gather(domain string) (files []*Config, linked map[string]bool, run []*service) {
	linked = map[string]bool{}
	seen := map[string]bool{}
	fs.WalkDir(d.Files, "files", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		place := d.Find(strings.TrimPrefix(name, "files"))
		if info, err := fs.Lstat(d.Files, place); err != nil || !info.Mode().IsRegular() || info.Size() > systemd.MaxSettings {
			return nil
		}
		text, err := fs.ReadFile(d.Files, place)
		if err != nil {
			return nil
		}
		ext := path.Ext(name)
		if decoders[ext] == nil {
			if s := restoredService(name, string(text)); s != nil && !seen[place] && (s.set("host") == "" || strings.ToLower(s.set("host")) == domain) {
				seen[place] = true
				s.unit.Path = place
				run = append(run, s)
			}
			return nil
		}
		c := newConfig()
		c.File = filepath.Join(d.Path, name)
		c.WorkingDir = strings.TrimPrefix(path.Dir(name), "files")
		if c.parse(ext, string(text)) == nil && (c.Domain() == domain || c.Domain() == "" && c.ofGoToSocial()) {
			files = append(files, c)
			if place != name {
				linked[filepath.Join(d.Path, place)] = true
			}
		}
		return nil
	})
	return files, linked, run
}

// ofGoToSocial reports whether the file sets anything that is read here.
func (c *Config) ofGoToSocial() bool {
	for key := range defaults {
		if c.settings[key].Origin.Kind == FromFile {
			return true
		}
	}
	return false
}

// restoredService is what a restored file says of a server: a unit, a drop-in, or
// an environment file. nil where it says nothing.
func restoredService(name, text string) *service {
	s := &service{unit: &systemd.Unit{Path: name, Fragment: name}}
	if ext := path.Ext(name); ext == ".service" || ext == ".conf" {
		// Environment files are looked at where they were restored, never where
		// they would be on this machine.
		s.unit.Settings = slices.DeleteFunc(systemd.ParseUnit(text, name), func(line systemd.Setting) bool { return line.Key == "EnvironmentFile" })
		s = runs(s.unit)
		if s.binary == "" && s.unit.Last("WorkingDirectory") == "" {
			s.workingDir = ""
		}
	} else if strings.Contains(text, "GTS_") {
		s.vars = systemd.ParseEnvironment(text, name)
		if container, _, err := containerVariables(text, name); err == nil && lastVariable(s.vars, "host") != lastVariable(container, "host") {
			s.vars = container
		}
	}
	sets := slices.ContainsFunc(s.vars, func(v systemd.Variable) bool { _, ok := settingKey(v); return ok })
	if !sets && s.binary == "" {
		return nil
	}
	return s
}

// RestoredConfig is GoToSocial's configuration out of a restored folder, with the
// places that everything had.
func RestoredConfig(folder fs.FS, domain string) (*Config, error) {
	found := RestoredFolder{"/", folder}.Remains(domain)
	switch {
	case found.Config == nil:
		return nil, fmt.Errorf("the snapshot has no configuration of %s", domain)
	case len(found.Others) > 0:
		return nil, fmt.Errorf("the snapshot has several configuration files of %s: %s and %s", domain, found.Config.File, strings.Join(found.Others, ", "))
	}
	found.Config.File = strings.TrimPrefix(found.Config.File, "/files")
	return found.Config, nil
}

// RunsAs is "USER:GROUP" that the restored unit runs the server as, "USER:" where
// the group is the user's own, "" where it says nothing.
func (c *Config) RunsAs() string {
	user, group, _ := strings.Cut(c.UnitUser, ":")
	if user == "" && group == "" {
		return ""
	}
	return cmp.Or(user, "root") + ":" + group
}

// RunLike takes over what only a unit says, out of the restored configuration: who
// runs the server, and which program that is.
func (c *Config) RunLike(restored *Config) { c.Binary, c.UnitUser = restored.Binary, restored.UnitUser }
