package rebuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdfast/disk"
	"holdfast/remedy"
)

// making is the commands that make what this machine lacks of "USER:GROUP". Without
// a group by name the user gets one of its own.
func making(name string) (commands [][]string) {
	u, g, _ := strings.Cut(name, ":")
	if _, err := disk.GroupID(g); g != "" && err != nil {
		commands = append(commands, []string{"groupadd", "--system", "--", g})
	}
	if _, err := disk.UserID(u); u != "" && err != nil {
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
	return append(commands, without(making(r.Config.UnitUser), commands)...)
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

// Guarded returns an error unless nobody but root and this user can put another
// folder in this one's place, as [disk.CheckGuarded] has it.
func Guarded(dir string) error {
	err := disk.CheckGuarded(dir)
	var unguarded *disk.Unguarded
	if !errors.As(err, &unguarded) {
		return err
	}
	fix := []string{"chmod", "go-w", unguarded.Dir}
	if unguarded.User >= 0 {
		fix = []string{"chown", strconv.Itoa(os.Geteuid()), unguarded.Dir}
	}
	return &remedy.Error{Kind: remedy.Refused, What: unguarded.Error(), Fix: inShell([][]string{fix})}
}
