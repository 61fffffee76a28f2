package machine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/sqlite"
	"holdfast/instance/systemd"
	"holdfast/remedy"
)

// inspectRunning looks for a server of the instance that runs on this machine. Such a
// server would write posts into the old database, and then into neither or both.
// Options.Replace makes no difference.
func (m *Machine) inspectRunning(ctx context.Context) (findings []Finding) {
	refuse := func(detail, fix string) {
		findings = append(findings, Finding{Subject: ServerSubject, Detail: detail, Fix: fix, Refused: true})
	}
	var stopped []string
	for _, unit := range gotosocial.UnitsOf(m.Domain, m.Config.File) {
		name := filepath.Base(unit)
		if running, pid := systemd.Running(ctx, name); running {
			refuse(fmt.Sprintf("the server runs: %s is active (process %d)", name, pid), "run: "+stopUnit(name))
			stopped = append(stopped, name)
		}
	}
	users, err := m.databaseUsers()
	if err != nil {
		return append(findings, refused(DatabaseSubject, err))
	}
	for _, p := range users {
		if !slices.Contains(stopped, p.Unit) {
			refuse(fmt.Sprintf("the database is in use: %s has %s open", p, m.DatabaseName()), stopFix(p))
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return m.inspectPort(ctx)
}

// databaseUsers returns the processes that use the SQLite database of the
// configuration. PostgreSQL tells about its own sessions.
func (m *Machine) databaseUsers() ([]disk.Process, error) {
	file, _ := m.Config.LocalPlaces()
	if file == "" {
		return nil, nil
	}
	return sqlite.Users(file)
}

// inspectPort looks at the port of the server.
func (m *Machine) inspectPort(ctx context.Context) []Finding {
	taken, ours := m.Config.Answers(ctx)
	if !taken {
		return nil
	}
	listener := disk.Process{}
	if all := disk.Listeners(m.Config.Port()); len(all) > 0 {
		listener = all[0]
	}
	f := Finding{Subject: ServerSubject, Fix: stopFix(listener), Refused: ours,
		Detail: fmt.Sprintf("%s listens on port %d", listener, m.Config.Port())}
	if ours {
		f.Detail += " and answers as " + m.Domain
	} else {
		f.Detail += ": the server can't start"
		f.Fix += ", or choose another port in GoToSocial's configuration"
	}
	return []Finding{f}
}

func stopUnit(name string) string { return remedy.ShellLine([]string{"systemctl", "stop", name}) }

// stopFix says how to end a process.
func stopFix(p disk.Process) string {
	switch {
	case p.Container != "":
		return "run: " + p.Container
	case strings.Contains(p.Unit, "gotosocial"):
		return "run: " + stopUnit(p.Unit)
	case p.ID == 0:
		return "stop the server, perhaps in a container: docker compose stop"
	}
	kill := "run: " + remedy.ShellLine([]string{"kill", strconv.Itoa(p.ID)})
	if p.Unit != "" {
		return fmt.Sprintf("stop the program of %s, or %s", p.Unit, kill)
	}
	return "stop the program, or " + kill
}

// checkStopped refuses to move a database while a server of the instance runs.
func (m *Machine) checkStopped(ctx context.Context) error {
	for _, f := range m.inspectRunning(ctx) {
		if f.Refused {
			return &remedy.Error{Kind: remedy.Refused, What: f.Detail, Fix: f.Fix}
		}
	}
	return nil
}
