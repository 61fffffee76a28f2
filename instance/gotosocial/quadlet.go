package gotosocial

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A quadlet is a unit for a container of podman, podman-systemd.unit(5).
const (
	quadletFolder = "/etc/containers/systemd"
	quadletExt    = ".container"
)

// quadletExts are the extensions of further quadlets that a quadlet names.
var quadletExts = []string{".volume", ".network", ".pod", ".image", ".build"}

// IsQuadletOfUser reports whether podman starts a quadlet for a user without root's rights:
// the quadlet lies in ~/.config/containers/systemd or /etc/containers/systemd/users.
func IsQuadletOfUser(quadlet string) bool {
	return strings.Contains(quadlet, "/.config/containers/") || strings.HasPrefix(quadlet, quadletFolder+"/users/")
}

// findQuadlet returns the quadlet that names an environment file, or "". Of several quadlets
// the first with GoToSocial's image counts.
func findQuadlet(envFile, folder string, fsys fs.FS) (found string) {
	entries, _ := fs.ReadDir(fsys, inside(folder))
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		if filepath.Ext(file) != quadletExt || !isRegular(fsys, file) {
			continue
		}
		text, err := fs.ReadFile(fsys, inside(file))
		if err != nil || !slices.Contains(quadletFiles(file, string(text)), envFile) {
			continue
		}
		if image.Match(text) {
			return file
		}
		found = cmp.Or(found, file)
	}
	return found
}

// image finds GoToSocial's image in a quadlet.
var image = regexp.MustCompile(`(?m)^\s*Image\s*=.*gotosocial`)

// quadletStarter returns a quadlet, the files that the quadlet and its drop-ins name, and
// the text of all.
func quadletStarter(quadlet string) (files []string, text string) {
	parts := []string{quadlet}
	dropIns, _ := os.ReadDir(quadlet + ".d") // most quadlets have no drop-ins
	for _, entry := range dropIns {
		if filepath.Ext(entry.Name()) == ".conf" {
			parts = append(parts, filepath.Join(quadlet+".d", entry.Name()))
		}
	}
	files = []string{quadlet}
	for _, part := range parts {
		own, err := readStarterText(part)
		if err == nil { // the backup names the unreadable file
			text += own + "\n"
			files = append(files, named(part, quadletFiles(quadlet, own))...)
		}
	}
	return files, text
}

// quadletFiles returns the files that a quadlet names: environment files, and the quadlets
// of its volumes and networks.
func quadletFiles(quadlet, text string) (files []string) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(key) {
		case "EnvironmentFile":
			files = append(files, strings.TrimSpace(value))
		case "Volume", "Network", "Pod", "Image":
			name, _, _ := strings.Cut(strings.TrimSpace(value), ":")
			if slices.Contains(quadletExts, filepath.Ext(name)) {
				files = append(files, name)
			}
		}
	}
	for i, file := range files {
		if !filepath.IsAbs(file) {
			files[i] = filepath.Join(filepath.Dir(quadlet), file)
		}
	}
	return files
}
