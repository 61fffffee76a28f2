package disk

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Process is a running process.
type Process struct {
	ID   int    // 0: this machine does not tell
	Name string // of the program, at most 15 bytes; "" is unknown
	Unit string // the system's service that runs the process, or ""
	// Container is the command that ends the process's container, or "".
	Container string
}

// String names the process for a person.
func (p Process) String() string {
	switch {
	case p.ID == 0:
		return "a process that this machine does not name"
	case p.Name == "":
		return fmt.Sprintf("process %d", p.ID)
	}
	return fmt.Sprintf("process %d (%s)", p.ID, p.Name)
}

// LookUp describes the process with a number.
func LookUp(id int) Process {
	p := Process{ID: max(id, 0)}
	dir := filepath.Join("/proc", strconv.Itoa(id))
	if text, err := os.ReadFile(filepath.Join(dir, "comm")); err == nil {
		p.Name = strings.Map(visible, strings.TrimSpace(string(text)))
	}
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
	for line := range strings.Lines(string(text)) {
		_, path, found := strings.Cut(strings.TrimSpace(line), ":/system.slice/")
		if name, _, _ := strings.Cut(path, "/"); found && strings.HasSuffix(name, ".service") {
			p.Unit = strings.Map(visible, name)
		}
	}
	p.Container = stopOf(text)
	return p
}

// container matches the number of a container in the cgroup of a process.
var container = regexp.MustCompile(`(docker|libpod)[-/]([0-9a-f]{12})`)

var containerStops = map[string]string{"docker": "docker stop ", "libpod": "podman stop "}

// stopOf returns the command that ends the container of a cgroup, or "".
func stopOf(cgroup []byte) string {
	c := container.FindSubmatch(cgroup)
	if c == nil {
		return ""
	}
	return containerStops[string(c[1])] + string(c[2])
}

// visible keeps the printable letters of ASCII: a process chooses its own name.
func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// Openers returns the other processes that have a file open for which is returns true.
// Root sees all processes, another user the processes of that user. name is the text of
// the descriptor, such as "socket:[123]".
func Openers(is func(descriptor string, name string) bool) (openers []Process) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range processes {
		id, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || id == os.Getpid() {
			continue
		}
		descriptors, _ := os.ReadDir(filepath.Join(dir, "fd"))
		for _, d := range descriptors {
			path := filepath.Join(dir, "fd", d.Name())
			if name, err := os.Readlink(path); err == nil && is(path, name) {
				openers = append(openers, LookUp(id))
				break
			}
		}
	}
	return openers
}

// FileOpeners returns the other processes that have one of the files open.
func FileOpeners(files []fs.FileInfo) []Process {
	return Openers(func(descriptor, name string) bool {
		if !strings.HasPrefix(name, "/") {
			return false
		}
		info, err := os.Stat(descriptor)
		if err != nil {
			return false
		}
		for _, file := range files {
			if os.SameFile(file, info) {
				return true
			}
		}
		return false
	})
}

// Listeners returns the other processes that listen on a TCP port of this machine.
func Listeners(port int) []Process {
	sockets := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" { // 0A is the state LISTEN
				continue
			}
			if strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	if len(sockets) == 0 {
		return nil
	}
	return Openers(func(_, name string) bool { return sockets[name] })
}
