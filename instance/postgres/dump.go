package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// dumpPlaces are where distributions keep pg_dump, by version: Debian, Red Hat,
// Alpine.
var dumpPlaces = []string{"/usr/lib/postgresql/*/bin/pg_dump", "/usr/pgsql-*/bin/pg_dump", "/usr/libexec/postgresql*/pg_dump"}

// client is a pg_dump and its version, as in server_version_num without the
// minor one: 15.
type client struct {
	path  string
	major int
}

// findDump finds the pg_dump of the server's own version, else the newest after
// it: an older one refuses the server, and a newer one may print settings that
// the server doesn't know.
func (p *Database) findDump(ctx context.Context, server int) (string, error) {
	var best, newest client
	for _, path := range dumps() {
		c := client{path, dumpVersion(ctx, path)}
		if c.major > newest.major {
			newest = c
		}
		if c.major == server || c.major > server && best.major != server && c.major > best.major {
			best = c
		}
	}
	fix := fmt.Sprintf("apt install postgresql-client-%d, or what your distribution calls it", server)
	switch {
	case best.path != "":
		return best.path, nil
	case newest.path == "":
		return "", &remedy.Error{Kind: remedy.Source, What: "dump database: there is no pg_dump on this machine", Fix: fix, Err: fs.ErrNotExist}
	}
	return "", &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("dump database: pg_dump %d cannot dump PostgreSQL %d", newest.major, server), Fix: fix}
}

// dumps are all programs of that name.
func dumps() []string { return programs("pg_dump") }

// servers are PostgreSQL's own.
func servers() []string { return programs("postgres") }

func programs(name string) (paths []string) {
	if path, err := exec.LookPath(name); err == nil {
		paths = append(paths, path)
	}
	for _, pattern := range dumpPlaces {
		found, err := filepath.Glob(filepath.Join(filepath.Dir(pattern), name))
		if err == nil {
			paths = append(paths, found...)
		}
	}
	return paths
}

var dumpSays = regexp.MustCompile(`\) (\d+)`) // pg_dump (PostgreSQL) 15.18 (Debian …)

// dumpVersion is 0 where it doesn't say.
func dumpVersion(ctx context.Context, path string) int {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return 0
	}
	m := dumpSays.FindSubmatch(out)
	if m == nil {
		return 0
	}
	major, err := strconv.Atoi(string(m[1]))
	if err != nil {
		return 0
	}
	return major
}

// dump streams a section of the schema as pg_dump prints it, the same text
// every night.
func (v *View) dump(ctx context.Context, section string) (io.ReadCloser, error) {
	args := []string{"--section=" + section, "--snapshot=" + v.snapshot, "--no-owner", "--no-privileges", "--no-tablespaces", "--no-publications", "--no-subscriptions", "--no-password", "--encoding=UTF8"}
	help, err := exec.CommandContext(ctx, v.pgDump, "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("run pg_dump: %w", err)
	}
	// Its default is a random word, and every dump another text. It is no defence
	// against a server that knows the word: only restore what you trust by psql.
	if bytes.Contains(help, []byte("--restrict-key")) {
		args = append(args, "--restrict-key=holdfast")
	}
	// What only a superuser may make, and nothing needs, must not end a restore.
	// Before version 14 pg_dump prints them all.
	if bytes.Contains(help, []byte("--extension")) {
		args = append(args, onlyNeeded(v.extensions)...)
	}
	d := &dumping{db: v.db, said: gotosocial.Head{Left: 4 << 10}, cmd: exec.CommandContext(ctx, v.pgDump, args...)}
	if d.relay, err = v.db.relay(ctx); err != nil {
		return nil, err
	}
	d.cmd.Env, d.cmd.Dir, d.cmd.Stderr = append(d.relay.environment(), "PATH="+os.Getenv("PATH"), "LC_ALL=C"), "/", &d.said
	if d.out, err = d.cmd.StdoutPipe(); err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run pg_dump: %w", err), d.relay.close())
	}
	return d, nil
}

// dumping is a pg_dump at work. Its end is only good when it says so.
type dumping struct {
	db    *Database
	cmd   *exec.Cmd
	relay *relay
	out   io.ReadCloser
	said  gotosocial.Head
	end   error // io.EOF when all is well
}

func (d *dumping) Read(p []byte) (int, error) {
	if d.end != nil {
		return 0, d.end
	}
	n, err := d.out.Read(p)
	if errors.Is(err, io.EOF) {
		d.end = cmp.Or(d.wait(), io.EOF)
		err = d.end
	}
	return n, err
}

func (d *dumping) wait() error {
	err := d.cmd.Wait()
	// What it has to say it said; how its connection ended is no matter.
	d.relay.close()
	if err == nil {
		return nil
	}
	said, _, _ := strings.Cut(strings.TrimSpace(string(d.said.Text)), "\n")
	problem := &remedy.Error{Kind: remedy.Source, What: "dump database: " + said, Err: err, Fix: "see what PostgreSQL's log says about it"}
	if strings.Contains(said, "permission denied") {
		problem.Fix = d.db.readFix()
	}
	return problem
}

// Close ends a dump that was not read to its end.
func (d *dumping) Close() error {
	if d.end == nil {
		d.end = io.ErrClosedPipe
		d.cmd.Process.Kill()
		d.cmd.Wait()
		d.relay.close()
	}
	return nil
}
