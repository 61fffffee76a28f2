package instance

import (
	"cmp"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/manifest"
)

// remains are what a restore brought of a domain's configuration.
type remains struct {
	// config is as its server had it: File is where that will lie, WorkingDir
	// where relative paths led. nil where nothing of the domain was found.
	config *Config
	// others are more configuration files of the domain, where nothing tells which
	// one the server used.
	others []string
	// environment are files that set the server's variables or flags.
	environment []string
}

// findRemains looks through the restored files for the configuration of the
// domain. The unit that names the configuration file decides between several.
func (d *Directory) findRemains(staging fs.FS, domain string) (found remains) {
	files, linked, run := d.gatherRemains(staging, domain)
	for _, s := range run {
		found.environment = append(found.environment, filepath.Join(d.Path, s.unit.path))
	}
	all := &service{unit: &unit{}}
	for _, s := range run {
		all.vars, all.flags = append(all.vars, s.vars...), append(all.flags, s.flags...)
		all.unit.settings = append(all.unit.settings, s.unit.settings...)
		all.binary = cmp.Or(s.binary, all.binary)
		if s.workingDir != "" {
			all.workingDir = s.workingDir
		}
	}
	ours := func(c *Config) bool { return c.Domain() == domain }
	if slices.ContainsFunc(files, ours) {
		files = slices.DeleteFunc(files, func(c *Config) bool { return !ours(c) })
	} else if strings.ToLower(all.set("host")) != domain {
		return remains{}
	}
	if named := d.named(staging, files, all.configFile()); named >= 0 {
		files = files[named : named+1]
	}
	if len(files) > 1 { // one that links lead to goes by their names
		files = slices.DeleteFunc(files, func(c *Config) bool { return linked[c.File] })
	}
	found.config = newConfig()
	found.config.WorkingDir = imageDir
	if len(files) > 0 {
		found.config = files[0]
		for _, c := range files[1:] {
			found.others = append(found.others, c.File)
		}
	}
	if all.workingDir != "" {
		found.config.WorkingDir = all.workingDir
	}
	found.config.Binary, found.config.runAs = all.binary, all.unit.runAs()
	found.config.setVariables(all.vars)
	found.config.setFlags(all.flags)
	return found
}

// named is the index of the configuration file that the server is given, or -1.
func (d *Directory) named(staging fs.FS, files []*Config, path string) int {
	exact := slices.IndexFunc(files, func(c *Config) bool { return c.File == filepath.Join(d.Path, "files", path) })
	if at := restored(staging, path); exact < 0 && at != "" {
		return slices.IndexFunc(files, func(c *Config) bool { return d.here(staging, c.File) == filepath.Join(d.Path, at) })
	}
	return exact
}

// restored is where a file of the machine lies in a restored folder, every link
// on the way to it followed within that: links are of the snapshot, and may lead
// to what this machine has there. "" where nothing is.
func restored(staging fs.FS, name string) string {
	end, err := manifest.Resolve(name, func(name string) (manifest.Link, bool) {
		text, err := fs.ReadLink(staging, path.Join("files", name))
		return manifest.Link(text), err == nil
	})
	place := path.Join("files", end)
	if _, statErr := fs.Lstat(staging, place); err != nil || statErr != nil || end == "" {
		return ""
	}
	return place
}

// here is the path of a restored file without links on the way.
func (d *Directory) here(staging fs.FS, file string) string {
	return filepath.Join(d.Path, restored(staging, strings.TrimPrefix(file, filepath.Join(d.Path, "files"))))
}

// gatherRemains reads the restored files that may be of the domain: configuration
// files, which may leave the host to the environment, and what sets that. linked
// are those of them that links lead to. The path of each service is where its one
// file lies in the folder.
func (d *Directory) gatherRemains(staging fs.FS, domain string) (files []*Config, linked map[string]bool, run []*service) {
	linked = map[string]bool{}
	seen := map[string]bool{}
	fs.WalkDir(staging, "files", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		place := restored(staging, strings.TrimPrefix(name, "files"))
		if info, err := fs.Lstat(staging, place); err != nil || !info.Mode().IsRegular() || info.Size() > maxConfig {
			return nil
		}
		text, err := fs.ReadFile(staging, place)
		if err != nil {
			return nil
		}
		ext := path.Ext(name)
		if decoders[ext] == nil {
			if s := restoredService(name, string(text)); s != nil && !seen[place] && (s.set("host") == "" || strings.ToLower(s.set("host")) == domain) {
				seen[place] = true
				s.unit.path = place
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
	s := &service{unit: &unit{path: name, fragment: name}}
	if ext := path.Ext(name); ext == ".service" || ext == ".conf" {
		// Environment files are looked at where they were restored, never where
		// they would be on this machine.
		s.unit.settings = slices.DeleteFunc(parseUnit(text, name), func(line unitSetting) bool { return line.key == "EnvironmentFile" })
		s = s.unit.runs()
		if s.binary == "" && s.unit.last("WorkingDirectory") == "" {
			s.workingDir = ""
		}
	} else if strings.Contains(text, "GTS_") {
		s.vars = serviceVariables(text, name)
		if container, _, err := containerVariables(text, name); err == nil && lastVariable(s.vars, "host") != lastVariable(container, "host") {
			s.vars = container
		}
	}
	sets := slices.ContainsFunc(s.vars, func(v variable) bool { _, ok := v.key(); return ok })
	if !sets && s.binary == "" {
		return nil
	}
	return s
}
