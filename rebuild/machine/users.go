package machine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"holdfast/disk"
	"holdfast/internal/child"
	"holdfast/remedy"
)

// userCommands are the commands that create the missing user and group of "USER:GROUP".
// Without a name for the group, the user gets a group of its own.
func userCommands(name string) (commands [][]string) {
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

// serverCommands are the commands that create the server's missing users and groups, of
// the server's files and of the server's unit.
func (m *Machine) serverCommands() [][]string {
	commands := userCommands(m.User)
	return append(commands, subtract(userCommands(m.Config.UnitUser), commands)...)
}

// subtract removes commands for users and groups that the other commands create, too.
func subtract(commands, others [][]string) [][]string {
	return slices.DeleteFunc(commands, func(c []string) bool {
		return slices.ContainsFunc(others, func(o []string) bool {
			sameGroup := slices.Contains(o, "--user-group") && c[0] == "groupadd"
			return (o[0] == c[0] || sameGroup) && o[len(o)-1] == c[len(c)-1]
		})
	})
}

// inspectUser looks for the server's users and groups.
func (m *Machine) inspectUser() Finding {
	f := Finding{Subject: UserSubject, Detail: m.User}
	switch {
	case m.User == "":
		f.Detail = "the snapshot does not record the server's user; every file will belong to you"
		f.Fix = "--user NAME:GROUP names the user"
		return f
	case os.Geteuid() != 0:
		f.Detail = fmt.Sprintf("you are not root: every file will belong to you, not to %s", m.User)
		return f
	}
	commands := m.serverCommands()
	if len(commands) == 0 {
		return f
	}
	line := remedy.ShellLine(commands...)
	f.Detail += ": missing on this machine, wholly or in part; the restore runs: " + line
	for _, c := range commands {
		if _, err := child.Find(c[0]); err != nil {
			f.Detail = fmt.Sprintf("%s: missing on this machine, wholly or in part, and so is the program %s (%v)",
				m.User, c[0], err)
			f.Fix, f.Refused = "run: "+line, true
		}
	}
	return f
}

// CreateUser creates the missing users and groups of the server. Only root can do so;
// for other users CreateUser does nothing.
func (m *Machine) CreateUser(ctx context.Context) (notes []string, err error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, c := range m.serverCommands() {
		what := strings.TrimSuffix(c[0], "add") + " " + c[len(c)-1]
		program, err := child.Find(c[0])
		if err != nil {
			return notes, fmt.Errorf("create %s: %w", what, err)
		}
		if out, err := child.Command(ctx, program, c[1:]...).CombinedOutput(); err != nil {
			return notes, fmt.Errorf("create %s: %w: %s", what, err, strings.TrimSpace(string(out)))
		}
		notes = append(notes, what+": created")
	}
	return notes, nil
}
