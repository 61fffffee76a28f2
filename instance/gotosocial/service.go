package gotosocial

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"holdfast/instance/systemd"
)

// service is how a unit runs a server.
type service struct {
	unit       *systemd.Unit
	vars       []systemd.Variable // later variables override earlier ones
	envFiles   []string
	binary     string // "" unless the unit runs a GoToSocial server
	flags      []flag
	workingDir string
	warnings   []string
	err        error // why the environment is unknown
}

// flag is a flag of the server's command line.
type flag struct {
	key, value string
	file       string // the file with the ExecStart= line
}

// runs reads how a unit runs a server.
func runs(u *systemd.Unit) *service {
	s := &service{unit: u}
	s.readEnvironment()
	s.readCommand()
	var err error
	if s.workingDir, err = u.WorkingDir(); err != nil {
		s.workingDir = ""
		s.warn("WorkingDirectory", u.Path, err)
	}
	if u.Last("RootDirectory") != "" || u.Last("RootImage") != "" {
		s.warnings = append(s.warnings, u.Path+" gives the server a root folder of its own: map its paths to this "+
			"machine by instance.paths")
	}
	return s
}

// warn tells that a line has no effect. Warnings quote no line: it may hold secrets.
func (s *service) warn(key, file string, err error) {
	s.warnings = append(s.warnings, fmt.Sprintf("Holdfast ignores %s= in %s, or a part of it: %v", key, file, err))
}

// readEnvironment reads Environment=, then EnvironmentFile=, which overrides
// Environment= (systemd.exec(5)).
func (s *service) readEnvironment() {
	for _, line := range s.unit.List("Environment") {
		words, err := systemd.SplitWords(line.Value)
		if err != nil {
			s.warn(line.Key, line.File, err)
		}
		for _, word := range words {
			word, err := s.unit.Expand(word)
			name, value, ok := strings.Cut(word, "=")
			if err != nil {
				s.warn(line.Key, line.File, err)
			} else if ok && systemd.ValidName(name) {
				s.vars = append(s.vars, systemd.Variable{Name: name, Value: value, File: line.File})
			}
		}
	}
	for _, line := range s.unit.List("EnvironmentFile") {
		if err := s.readEnvironmentFile(line); err != nil && s.err == nil {
			s.err = err
		}
	}
	for _, line := range s.unit.List("PassEnvironment") {
		if strings.Contains(line.Value, "GTS_") {
			s.warnings = append(s.warnings, fmt.Sprintf("%s passes on variables of systemd's own environment "+
				"(PassEnvironment=), which Holdfast does not see: set them by EnvironmentFile=", line.File))
		}
	}
	for _, line := range s.unit.List("UnsetEnvironment") {
		words, _ := systemd.SplitWords(line.Value)
		s.vars = slices.DeleteFunc(s.vars, func(v systemd.Variable) bool {
			return slices.Contains(words, v.Name) || slices.Contains(words, v.Name+"="+v.Value)
		})
	}
}

// readEnvironmentFile reads the files of a pattern in their order. Without a leading
// "-" a missing file is an error.
func (s *service) readEnvironmentFile(line systemd.Setting) error {
	pattern, optional := strings.CutPrefix(line.Value, "-")
	pattern, err := s.unit.Expand(pattern)
	if err != nil {
		s.warn(line.Key, line.File, err)
		return nil
	}
	files, _ := filepath.Glob(pattern)
	if len(files) == 0 && optional {
		return nil
	}
	if len(files) == 0 {
		files = []string{pattern} // opening the file fails with the system's error
	}
	for _, file := range files {
		text, err := systemd.ReadSettings(file, "environment file of "+s.unit.Path,
			"correct EnvironmentFile= in "+line.File)
		if err != nil {
			return err
		}
		s.envFiles = append(s.envFiles, file)
		s.vars = append(s.vars, systemd.ParseEnvironment(text, file)...)
	}
	return nil
}

// readCommand finds the command that runs the server.
func (s *service) readCommand() {
	for _, line := range s.unit.List("ExecStart") {
		commands, err := systemd.CommandLines(line.Value)
		if err != nil {
			s.warn(line.Key, line.File, err)
			continue
		}
		for _, words := range commands {
			if s.takeCommand(words, line.File) {
				return
			}
		}
	}
}

// takeCommand reports whether the words run a GoToSocial server, and reads the flags
// of the server.
func (s *service) takeCommand(words []string, file string) bool {
	if len(words) == 0 {
		return false
	}
	binary := strings.TrimLeft(words[0], "@-:+!|")
	prefix := words[0][:len(words[0])-len(binary)]
	binary, err := s.unit.Expand(binary)
	if err != nil || !strings.HasPrefix(filepath.Base(binary), "gotosocial") {
		return false
	}
	args := words[1:]
	if strings.Contains(prefix, "@") && len(args) > 0 {
		args = args[1:] // argv[0]
	}
	for i, arg := range args {
		if args[i], err = s.unit.Expand(arg); err != nil {
			s.warn("ExecStart", file, err)
		}
	}
	if !strings.Contains(prefix, ":") {
		args = s.substitute(args, file)
	}
	flags, starts := parseFlags(args)
	if !starts {
		return false
	}
	for i := range flags {
		flags[i].file = file
	}
	s.binary, s.flags = binary, flags
	return true
}

var (
	wholeVariable = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*$`)
	innerVariable = regexp.MustCompile(`\$\$|\$\{[A-Za-z_][A-Za-z0-9_]*\}`)
)

// substitute replaces the variables of a command line (systemd.service(5), "Command
// Lines"). A word $NAME becomes the words of the value, ${NAME} becomes the value, and
// $$ becomes a dollar.
func (s *service) substitute(args []string, file string) (words []string) {
	for _, arg := range args {
		if !wholeVariable.MatchString(arg) {
			words = append(words, innerVariable.ReplaceAllStringFunc(arg, func(name string) string {
				if name == "$$" {
					return "$"
				}
				return s.variable(name[2:len(name)-1], file)
			}))
			continue
		}
		split, err := systemd.SplitArguments(s.variable(arg[1:], file))
		if err != nil {
			s.warn("ExecStart", file, fmt.Errorf("%s: %w", arg, err))
		}
		words = append(words, split...)
	}
	return words
}

// variable returns the value of a variable in the command line.
func (s *service) variable(name, file string) string {
	for _, v := range slices.Backward(s.vars) {
		if v.Name == name {
			return v.Value
		}
	}
	if name == "USER" || name == "LOGNAME" {
		return s.unit.User()
	}
	s.warn("ExecStart", file, fmt.Errorf("the unit does not set %s", name))
	return ""
}

// parseFlags parses GoToSocial's command line. starts tells whether the command starts
// a server. The flags that Holdfast reads have values. Any other flag counts as
// boolean if no value follows.
func parseFlags(args []string) (flags []flag, starts bool) {
	verb := []string{"server", "start"}
	for i := 0; i < len(args); i++ {
		name, isFlag := strings.CutPrefix(args[i], "--")
		if !isFlag {
			if len(verb) == 0 || args[i] != verb[0] {
				return nil, false
			}
			verb = verb[1:]
			continue
		}
		key, value, hasValue := strings.Cut(name, "=")
		_, read := defaults[key]
		taken := read || key == "config-path" || strings.HasPrefix(key, "db-")
		switch {
		case hasValue:
		case i+1 < len(args) && (taken || !strings.HasPrefix(args[i+1], "--") &&
			(len(verb) == 0 || args[i+1] != verb[0])):
			i++
			value = args[i]
		default:
			value = "true"
		}
		flags = append(flags, flag{key: key, value: value})
	}
	return flags, len(verb) == 0
}

// set returns the value of a flag, or else of the variable of the same setting.
func (s *service) set(key string) string {
	for _, f := range slices.Backward(s.flags) {
		if f.key == key {
			return f.value
		}
	}
	return lastVariable(s.vars, key)
}

func lastVariable(vars []systemd.Variable, key string) string {
	for _, v := range slices.Backward(vars) {
		if k, ok := settingKey(v); ok && k == key {
			return v.Value
		}
	}
	return ""
}

// configFile returns the path of the configuration file, as the server sees it.
func (s *service) configFile() string {
	path := s.set("config-path")
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.workingDir, path)
}

// services returns the units below the root that run a GoToSocial server, in the
// order of their paths.
func services(root string) (found []*service) {
	seen := map[string]bool{}
	for _, path := range systemd.ServicePaths(root) {
		u, err := systemd.ReadUnit(path, root)
		if err != nil {
			continue // unreadable for this user, or masked
		}
		s := runs(u)
		if s.binary == "" {
			continue
		}
		// A unit may have several names.
		target, err := filepath.EvalSymlinks(u.Fragment)
		_, instance, _ := strings.Cut(u.Name(), "@")
		if id := target + "@" + instance; err == nil && !seen[id] {
			seen[id] = true
			found = append(found, s)
		}
	}
	return found
}
