package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"holdfast/remedy"
)

// owner is the numbers of "USER:GROUP". As root alone they can be given to
// files; -1 leaves them as they are.
func (r *Rebuild) owner(name string) (uid, gid int, err error) {
	if name == "" || os.Geteuid() != 0 {
		return -1, -1, nil
	}
	u, g, _ := strings.Cut(name, ":")
	if uid, err = userID(u); err != nil {
		return 0, 0, err
	}
	if g == "" { // the user's own, as systemd has it
		own, err := user.LookupId(strconv.Itoa(uid))
		if err != nil {
			return 0, 0, err
		}
		g = own.Gid
	}
	gid, err = groupID(g)
	return uid, gid, err
}

func userID(name string) (int, error) {
	if u, err := user.Lookup(name); err == nil {
		return strconv.Atoi(u.Uid)
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("this machine has no user %q", name)
}

func groupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	return 0, fmt.Errorf("this machine has no group %q", name)
}

// making is the commands that make what this machine lacks of "USER:GROUP". Without
// a group by name the user gets one of its own.
func making(name string) (commands [][]string) {
	u, g, _ := strings.Cut(name, ":")
	if _, err := groupID(g); g != "" && err != nil {
		commands = append(commands, []string{"groupadd", "--system", "--", g})
	}
	if _, err := userID(u); u != "" && err != nil {
		add := []string{"useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"}
		if _, err := strconv.Atoi(g); g == "" || err == nil {
			add = append(add, "--user-group")
		} else {
			add = append(add, "--gid", g)
		}
		commands = append(commands, append(add, "--", u))
	}
	return commands
}

// makeServer is the commands that make the user and groups that the server runs
// as: the owner of its files, and whom its unit names.
func (r *Rebuild) makeServer() [][]string {
	commands := making(r.User)
	return append(commands, without(making(r.Config.runAs), commands)...)
}

// without is the commands that make something that the others don't.
func without(commands, others [][]string) [][]string {
	return slices.DeleteFunc(commands, func(c []string) bool {
		return slices.ContainsFunc(others, func(o []string) bool {
			sameGroup := slices.Contains(o, "--user-group") && c[0] == "groupadd"
			return (o[0] == c[0] || sameGroup) && o[len(o)-1] == c[len(c)-1]
		})
	})
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// ShellWord is text as a shell takes it for one word.
func ShellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// inShell is commands to paste into a shell.
func inShell(commands [][]string) string {
	lines := make([]string, len(commands))
	for i, c := range commands {
		var words []string
		for n, word := range c {
			if word != "--" || strings.HasPrefix(c[n+1], "-") {
				words = append(words, ShellWord(word))
			}
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, " && ")
}

func (r *Rebuild) lookUser() Finding {
	f := Finding{What: "user", Detail: r.User}
	switch {
	case r.User == "":
		f.Detail = "the snapshot doesn't tell which user the server runs as: all belongs to who runs this"
		f.Fix = "--user NAME:GROUP names it"
		return f
	case os.Geteuid() != 0:
		f.Detail = fmt.Sprintf("this is not root: all will belong to you, not to %s", r.User)
		return f
	}
	commands := r.makeServer()
	if len(commands) == 0 {
		return f
	}
	f.Detail += fmt.Sprintf(": this machine lacks it, or a part of it, and it is made: %s", inShell(commands))
	for _, c := range commands {
		if _, err := exec.LookPath(c[0]); err != nil {
			f.Detail = fmt.Sprintf("%s: this machine lacks it, or a part of it, and has no %s", r.User, c[0])
			f.Fix, f.Refused = "make it: "+inShell(commands), true
		}
	}
	return f
}

// MakeUser makes the user and groups that the server runs as, where they are
// missing.
func (r *Rebuild) MakeUser(ctx context.Context) (notes []string, err error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, c := range r.makeServer() {
		what := strings.TrimSuffix(c[0], "add") + " " + c[len(c)-1]
		if out, err := exec.CommandContext(ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return notes, fmt.Errorf("make %s: %w: %s", what, err, strings.TrimSpace(string(out)))
		}
		notes = append(notes, what+": made")
	}
	return notes, nil
}

// makeFolder makes a folder and those above it that are missing. A snapshot knows
// files only. What the server writes into is its user's; any other is the user's
// who restores, as root has it under /etc, and open for all to go through: a
// private file is so by its own mode.
func (r *Rebuild) makeFolder(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.makeFolder(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if !r.written(dir) {
		return nil
	}
	uid, gid, err := r.owner(r.User)
	if err != nil {
		return err
	}
	return os.Lchown(dir, uid, gid) // whose the folder above is may have put a link there
}

// Guarded returns an error unless nobody but root and this user can put another
// folder in this one's place: they own every folder from here up to the root, and
// where others write into one, it is sticky.
func Guarded(dir string) error {
	if _, err := os.Stat(dir); err != nil { // links that lead round end here
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		s := info.Sys().(*syscall.Stat_t)
		if uid := int(s.Uid); uid != 0 && uid != os.Geteuid() {
			return &remedy.Error{Kind: remedy.Refused, What: dir + " belongs to another user, who may rename what is in it",
				Fix: inShell([][]string{{"chown", strconv.Itoa(os.Geteuid()), dir}})}
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(dir)
			if err == nil && !filepath.IsAbs(to) {
				to = filepath.Join(filepath.Dir(dir), to)
			}
			if err := cmp.Or(err, Guarded(to)); err != nil {
				return err
			}
		} else if info.Mode()&fs.ModeSticky == 0 && (s.Mode&0o002 != 0 || s.Mode&0o020 != 0 && int(s.Gid) != os.Getegid()) {
			return &remedy.Error{Kind: remedy.Refused, What: fmt.Sprintf("others may rename what is in %s (mode %04o, without a sticky bit)", dir, info.Mode().Perm()), Fix: inShell([][]string{{"chmod", "go-w", dir}})}
		}
		if dir == "/" {
			return nil
		}
	}
}

// written reports whether the server writes into a folder: the one of its SQLite
// database, or of its media or the certificates that it gets itself, or one below
// these.
func (r *Rebuild) written(dir string) bool {
	c := r.Config
	folders := []string{c.absolute(c.Get("letsencrypt-cert-dir"))}
	if !c.InBucket() {
		folders = append(folders, c.Storage())
	}
	return c.Engine() == SQLite && dir == filepath.Dir(c.Database()) ||
		slices.ContainsFunc(folders, func(folder string) bool { return folder != "" && strings.HasPrefix(dir+"/", folder+"/") })
}
