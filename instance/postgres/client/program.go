// Package client finds PostgreSQL's own programs, and runs them over a connection of
// Holdfast. The package also reads the TLS settings of a connection.
package client

import (
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"holdfast/internal/child"
	"holdfast/remedy"
)

// Folders are the folders where distributions keep PostgreSQL's programs, by
// version: Debian, Red Hat, Alpine.
var Folders = []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*"}

// Programs returns the paths of all installed versions of a program, of PATH and
// [Folders].
func Programs(name string) (paths []string) {
	if path, err := exec.LookPath(name); err == nil {
		paths = append(paths, path)
	}
	for _, pattern := range Folders {
		found, err := filepath.Glob(filepath.Join(pattern, name))
		if err == nil {
			paths = append(paths, found...)
		}
	}
	return paths
}

// pgDump is an installed pg_dump.
type pgDump struct {
	path  string
	major int // version, such as 15
}

// FindDump returns the path of the pg_dump of the server's major version, or else
// of the newest version after the server's. An older pg_dump refuses the server. A
// newer pg_dump may print settings unknown to the server.
func FindDump(ctx context.Context, server int) (string, error) {
	var best, newest pgDump
	var unfit error
	for _, path := range Programs("pg_dump") {
		major, err := dumpVersion(ctx, path)
		if err != nil {
			if unfit == nil {
				unfit = err
			}
			continue
		}
		d := pgDump{path, major}
		if d.major > newest.major {
			newest = d
		}
		if d.major == server || d.major > server && best.major != server && d.major > best.major {
			best = d
		}
	}
	fix := fmt.Sprintf("apt install postgresql-client-%d, or your distribution's package", server)
	switch {
	case best.path != "":
		return best.path, nil
	case newest.path == "" && unfit != nil:
		return "", &remedy.Error{Kind: remedy.Source, What: "dump database", Err: unfit, Fix: fix}
	case newest.path == "":
		return "", &remedy.Error{
			Kind: remedy.Source, What: "dump database: there is no pg_dump on this machine", Fix: fix,
			Err: fs.ErrNotExist,
		}
	}
	return "", &remedy.Error{
		Kind: remedy.Setting, Fix: fix,
		What: fmt.Sprintf("dump database: pg_dump %d cannot dump PostgreSQL %d", newest.major, server),
	}
}

var printedVersion = regexp.MustCompile(`\) (\d+)`) // pg_dump (PostgreSQL) 15.18 (Debian …)

// dumpVersion returns the major version of a pg_dump that nobody else can replace.
func dumpVersion(ctx context.Context, path string) (major int, err error) {
	if err := child.Trust(path); err != nil {
		return 0, err
	}
	out, err := child.Ask(ctx, path, "--version")
	if err != nil {
		return 0, fmt.Errorf("ask %s for its version: %w", path, err)
	}
	m := printedVersion.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s --version prints no version", path)
	}
	return strconv.Atoi(string(m[1]))
}
