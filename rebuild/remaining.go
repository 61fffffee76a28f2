package rebuild

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"holdfast/manifest"
)

// Remaining returns the tasks after a rebuild for a person, in order.
func (m *Machine) Remaining(ctx context.Context) (tasks []string) {
	given := m.given()
	inPlace := slices.ContainsFunc(m.Files, func(f manifest.File) bool {
		return slices.Contains(given, "/"+f.TruePath())
	})
	if m.ConfigGiven && !inPlace {
		tasks = append(tasks, fmt.Sprintf("the restore went by %s: "+
			"before the server starts, replace the snapshot's configuration by that one", m.Config.File))
	}
	tasks = append(tasks, m.letRead()...)
	if fix := m.inspectServer(ctx).Fix; fix != "" {
		tasks = append(tasks, fix)
	}
	if len(m.Parts) > 0 {
		return m.remainingOfParts(ctx, tasks)
	}
	tasks = append(tasks,
		fmt.Sprintf("point the name %s to this machine (DNS), and set up the web server or proxy "+
			"in front of GoToSocial as before", m.Domain),
		"make sure that the old server never starts again",
		"start GoToSocial: "+m.startCommand(),
		"set up Holdfast here: holdfast init with a new prefix in the bucket; "+
			"the old kit still restores the old snapshots",
	)
	if target, err := m.database(); err == nil {
		tasks = append(tasks, target.Rest(ctx)...)
	}
	return tasks
}

// remainingOfParts adds the tasks after the restore of some parts. The instance exists
// already.
func (m *Machine) remainingOfParts(ctx context.Context, tasks []string) []string {
	if m.has(manifest.Database) || m.has(manifest.Media) {
		tasks = append(tasks, "start GoToSocial: "+m.startCommand())
	} else {
		tasks = append(tasks, "restart GoToSocial, if it runs, to read its files again")
	}
	if target, err := m.database(); err == nil && m.has(manifest.Database) {
		tasks = append(tasks, target.Rest(ctx)...)
	}
	return tasks
}

// startCommand returns the command to start the server, if possible by the restored unit.
func (m *Machine) startCommand() string {
	for _, f := range m.Files {
		dir, name := filepath.Split("/" + f.Path)
		if dir == "/etc/systemd/system/" && filepath.Ext(name) == ".service" {
			return "systemctl daemon-reload && systemctl enable --now " + name
		}
	}
	return fmt.Sprintf("gotosocial --config-path %s server start, in %s, as the server's user",
		m.Config.File, m.Config.WorkingDir)
}
