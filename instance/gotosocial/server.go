package gotosocial

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/disk"
	"holdfast/instance/systemd"
	"holdfast/remedy"
)

// Server tells how the instance's server runs. The zero Server searches for a systemd
// unit that runs a server.
type Server struct {
	File       string // the configuration file; default: as in unit or environment
	WorkingDir string // default: the unit's, else the folder of File, else that of the container image
	Unit       string // the systemd unit, by path or name; default: the unit that runs a server with File
	EnvFile    string // the environment file of the container, in the form of docker compose
	// Starter is the compose file or quadlet that starts the container; default: found
	// beside EnvFile, or the quadlet that names EnvFile.
	Starter string
	// Environment is Holdfast's own environment, in the form of [os.Environ]. Without
	// a unit and an EnvFile it takes the place of the server's environment.
	Environment []string
	Paths       map[string]string // from absolute folders of the container to folders of this machine
	Postgres    string            // "HOST:PORT" of PostgreSQL, if GoToSocial connects to a pooler
	LockWait    time.Duration     // how long a backup waits for locks of PostgreSQL; default: 5 minutes
	Root        string            // the root folder of the units; default: /

	alone bool // there is no unit, and no search for a unit
}

// imageDir is the working directory of GoToSocial's container image.
const imageDir = "/gotosocial"

// Config reads the configuration as the server sees it. Errors and warnings quote no
// value.
func (s Server) Config() (*Config, error) {
	run, err := s.service()
	if err != nil {
		return nil, err
	}
	c := newConfig()
	c.Unit, c.Binary, c.Warnings = run.unit.Path, run.binary, run.warnings
	c.ServiceFiles = append(slices.Clone(run.unit.Files), run.envFiles...)
	if c.Unit == "" && !s.alone {
		// The unit may start the server's container.
		usual := filepath.Join("/", s.Root, "etc/systemd/system/gotosocial.service")
		another := func(run *service) bool { return run.unit.Path == usual && run.configFile() != "" }
		if !slices.ContainsFunc(services(s.Root), another) {
			c.ServiceFiles = append(c.ServiceFiles, usual, usual+".d")
		}
	}
	c.PostgresServer, c.LockWait = s.Postgres, s.LockWait
	c.MapPaths(s.Paths)
	c.setContainer(s, os.DirFS("/"))
	c.readStarter()
	if s.File != "" {
		if c.File, err = filepath.Abs(s.File); err != nil {
			return nil, err
		}
	}
	c.WorkingDir = cmp.Or(s.WorkingDir, run.workingDir)
	if c.WorkingDir == "" && c.File != "" {
		c.WorkingDir = filepath.Dir(c.File)
	}
	c.WorkingDir = cmp.Or(c.WorkingDir, imageDir)
	c.chooseFile(run)
	if c.File != "" {
		if err := c.readFile(); err != nil {
			return nil, fmt.Errorf("read GoToSocial's configuration: %w", err)
		}
	}
	c.setVariables(run.vars)
	c.setFlags(run.flags)
	c.warnUnsaved()
	return c, nil
}

// chooseFile takes the configuration file of the service, unless a person named a
// file.
func (c *Config) chooseFile(run *service) {
	named := c.Absolute(run.set("config-path"))
	if c.File == "" {
		c.File = named
	} else if named != "" && !same(c.File, named) {
		c.Warnings = append(c.Warnings, fmt.Sprintf("the server reads %s, but Holdfast reads %s: correct or remove "+
			"instance.gotosocial", named, c.File))
	}
}

// warnUnsaved names the settings that come only from Holdfast's own environment. A
// restore would not bring them back.
func (c *Config) warnUnsaved() {
	var names []string
	for _, s := range c.Settings() {
		if s.Origin == (Origin{Kind: FromEnvironment}) {
			name, _, _ := strings.Cut(s.From(), " ")
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("no snapshot will hold %s of Holdfast's own environment: name "+
			"the file with these settings by instance.env_file, or keep a copy with the recovery kit",
			strings.Join(names, ", ")))
	}
}

// service returns how the server runs. The unit has no path if no unit is known.
func (s Server) service() (*service, error) {
	run, err := s.unitService()
	if err != nil {
		return nil, err
	}
	switch {
	case run == nil && s.EnvFile == "":
		return &service{unit: &systemd.Unit{}, vars: ownVariables(s.Environment)}, nil
	case run == nil:
		run = &service{unit: &systemd.Unit{}}
	case run.err != nil:
		return nil, run.err
	case run.binary == "":
		run.warnings = append(run.warnings, fmt.Sprintf("%s doesn't run gotosocial server start itself: Holdfast "+
			"does not see the flags", run.unit.Path))
		run.workingDir = ""
	}
	if s.EnvFile != "" {
		if err := run.readContainerFile(s.EnvFile); err != nil {
			return nil, err
		}
	}
	run.warnIgnored(s.Environment, cmp.Or(run.unit.Path, s.EnvFile))
	return run, nil
}

// unitService returns the unit that runs the server, or nil without a unit.
func (s Server) unitService() (*service, error) {
	if filepath.Ext(s.Unit) == quadletExt {
		return nil, &remedy.Error{Kind: remedy.Setting,
			What: s.Unit + " is a quadlet: podman runs the server in a container",
			Fix: "write its Environment= lines into a file, and name the file there by EnvironmentFile=, and here by " +
				"instance.env_file (init --env-file); name each Volume= by instance.paths (init --path THEIRS=OURS)"}
	}
	if s.Unit != "" {
		u, err := systemd.ReadUnit(s.Unit, s.Root)
		if err != nil {
			return nil, err
		}
		return runs(u), nil
	}
	own := slices.ContainsFunc(ownVariables(s.Environment), func(v systemd.Variable) bool {
		_, ok := settingKey(v)
		return ok
	})
	if s.alone || s.EnvFile != "" || own && s.File == "" {
		return nil, nil
	}
	found := services(s.Root)
	if s.File != "" {
		found = slices.DeleteFunc(found, func(run *service) bool { return !same(run.configFile(), s.File) })
	}
	var paths []string
	for _, run := range found {
		paths = append(paths, run.unit.Path)
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, &remedy.Error{Kind: remedy.Setting, What: "several units run a GoToSocial server: " +
		strings.Join(paths, ", "), Fix: "name the unit of the instance by instance.unit, or init --unit"}
}

func (s *service) readContainerFile(path string) error {
	text, err := systemd.ReadSettings(path, "environment file", "correct instance.env_file")
	if err != nil {
		return err
	}
	vars, warning, err := containerVariables(text, path)
	if err != nil {
		return err
	}
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	s.envFiles, s.vars = append(s.envFiles, path), append(s.vars, vars...)
	return nil
}

// warnIgnored names the variables of Holdfast's own environment that the server lacks.
func (s *service) warnIgnored(own []string, source string) {
	var names []string
	for _, v := range ownVariables(own) {
		if key, ok := settingKey(v); ok && lastVariable(s.vars, key) != v.Value {
			names = append(names, v.Name)
		}
	}
	if len(names) > 0 {
		s.warnings = append(s.warnings, fmt.Sprintf("%s of Holdfast's own environment has no effect: the server's "+
			"environment is that of %s", strings.Join(names, ", "), source))
	}
}

// same reports whether two paths lead to the same file.
func same(a, b string) bool {
	first, err1 := os.Stat(a)
	second, err2 := os.Stat(b)
	if err1 != nil || err2 != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	return os.SameFile(first, second)
}

// Candidate is a server on this machine.
type Candidate struct {
	Server
	How string // tells a person how Holdfast found the server
}

// Find searches for the servers of this machine: systemd units that run a server, or
// else configuration files in the usual places.
func Find(root string) (found []Candidate) {
	for _, run := range services(root) {
		found = append(found, Candidate{Server{Unit: run.unit.Path, Root: root}, "the systemd unit " + run.unit.Path +
			" runs it"})
	}
	if len(found) > 0 {
		return found
	}
	for _, dir := range []string{"gotosocial", "etc/gotosocial", "opt/gotosocial", "srv/gotosocial",
		"var/lib/gotosocial"} {
		file := filepath.Join("/", root, dir, "config.yaml")
		known := slices.ContainsFunc(found, func(f Candidate) bool { return same(f.File, file) })
		if disk.IsRegular(file) && !known {
			found = append(found, Candidate{Server{File: file, Root: root}, "its configuration " + file +
				" lies in a usual place; no systemd unit runs a server"})
		}
	}
	return found
}
