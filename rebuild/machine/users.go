package machine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/disk"
	"holdfast/internal/child"
	"holdfast/manifest"
	"holdfast/remedy"
)

// commandOfSystem begins the command that creates a user of the system.
var commandOfSystem = []string{"useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"}

// userCommands are the commands that create the missing user and group of "USER:GROUP".
// Without a name for the group, the user gets a group of its own.
func userCommands(name string) (commands [][]string) {
	u, g, _ := strings.Cut(name, ":")
	if _, err := disk.GroupID(g); g != "" && err != nil {
		commands = append(commands, []string{"groupadd", "--system", "--", g})
	}
	if _, err := disk.UserID(u); u != "" && err != nil {
		add := slices.Clone(commandOfSystem)
		if _, err := strconv.Atoi(g); g == "" || err == nil {
			add = append(add, "--user-group")
		} else {
			add = append(add, "--gid", g)
		}
		commands = append(commands, append(add, "--", u))
	}
	return commands
}

// fileCommands are the commands that create the missing user and group of files of the
// snapshot. A user with files in a home folder is a person, such as the admin who keeps a
// compose file there: the person gets a home, a shell, and no number of the system's.
func (m *Machine) fileCommands(name string) [][]string {
	commands := userCommands(name)
	u, g, _ := strings.Cut(name, ":")
	isPerson := slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		return f.User == name && strings.HasPrefix("/"+f.TruePath()+"/", "/home/"+u+"/")
	})
	last := len(commands) - 1
	if !isPerson || last < 0 || commands[last][0] != "useradd" {
		return commands
	}
	add := []string{"useradd", "--create-home", "--shell", "/bin/bash"}
	if g == u && last > 0 {
		return [][]string{append(add, "--user-group", "--", u)} // makes the group, too
	}
	commands[last] = append(add, commands[last][len(commandOfSystem):]...)
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

// maxCreation bounds the creation of a user. The program may ask a directory on the network.
const maxCreation = 2 * time.Minute

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
		words := child.Head{Left: 4 << 10}
		cmd := child.Command(ctx, program, c[1:]...)
		cmd.Stdout, cmd.Stderr = &words, &words
		if err := child.Finish(cmd, maxCreation); err != nil {
			return notes, fmt.Errorf("create %s: %w: %s", what, err, strings.TrimSpace(string(words.Text)))
		}
		notes = append(notes, what+": created")
	}
	return notes, nil
}
