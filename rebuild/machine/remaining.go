package machine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Remaining returns the tasks after a rebuild for a person, in order.
func (m *Machine) Remaining(ctx context.Context) (tasks []string) {
	given := m.given()
	inPlace := slices.ContainsFunc(m.Files, func(f manifest.File) bool { return slices.Contains(given, m.pathOf(f)) })
	switch {
	case m.ConfigGiven && m.Config.Container:
		tasks = append(tasks, fmt.Sprintf("the restore went by %s: before the server starts, see that the settings of "+
			"the container lead to the same database and media", m.Config.File))
	case m.ConfigGiven && !inPlace:
		task := fmt.Sprintf("the restore went by %s: before the server starts, replace the snapshot's configuration "+
			"by that one", m.Config.File)
		if m.Replaced != "" {
			task += ": " + remedy.ShellLine([]string{"cp", m.Config.File, m.Replaced}) // keeps user and mode
		}
		tasks = append(tasks, task)
	}
	tasks = append(append(tasks, m.letRead()...), m.letFill()...)
	for _, s := range m.Config.Overriding {
		tasks = append(tasks, m.override(s))
	}
	if fix := m.inspectServer(ctx).Fix; fix != "" {
		tasks = append(tasks, fix)
	}
	if len(m.Parts) > 0 {
		return m.remainingOfParts(ctx, tasks)
	}
	for _, moved := range m.Moved {
		tasks = append(tasks, m.remount(moved))
	}
	tasks = append(tasks,
		fmt.Sprintf("point the name %s to this machine (DNS), and set up the web server or proxy "+
			"in front of GoToSocial as before", m.Domain),
		"make sure that the old server never starts again",
		"start GoToSocial: "+m.startCommand(),
		m.setUpAgain(),
	)
	if target, err := m.database(); err == nil {
		tasks = append(tasks, target.Rest(ctx)...)
	}
	return tasks
}

// remainingOfParts adds the tasks after the restore of some parts. The instance exists
// already.
func (m *Machine) remainingOfParts(ctx context.Context, tasks []string) []string {
	if m.Has(manifest.Database) || m.Has(manifest.Media) {
		tasks = append(tasks, "start GoToSocial: "+m.startCommand())
	} else {
		tasks = append(tasks, "restart GoToSocial, if it runs, to read its files again")
	}
	if target, err := m.database(); err == nil && m.Has(manifest.Database) {
		tasks = append(tasks, target.Rest(ctx)...)
	}
	return tasks
}

// setUpAgain says how to set up Holdfast on this machine.
func (m *Machine) setUpAgain() string {
	const address = "with a new address, such as another prefix in the bucket or another folder"
	const kit = "; keep the old kit, which restores the old snapshots, and name another file for the new kit by --kit"
	own := m.holdfast()
	if own == "" || m.keptOwn() != "" {
		return "set up Holdfast here: holdfast init " + address + kit
	}
	return fmt.Sprintf("set up Holdfast here: mv %s %s, then holdfast init %s, and with the settings of that file",
		remedy.QuoteShell(own), remedy.QuoteShell(own+".old-server"), address) + kit
}

// startCommand returns the command to start the server, if possible by the restored unit
// or compose file.
func (m *Machine) startCommand() string {
	c := m.Config
	if name := m.unit(); name != "" {
		return "systemctl daemon-reload && systemctl enable --now " + remedy.QuoteShell(name)
	}
	starter := m.movedPath(c.Starter)
	dir, file := filepath.Split(starter)
	switch {
	case filepath.Ext(starter) == ".container":
		unit := remedy.QuoteShell(strings.TrimSuffix(file, ".container"))
		if gotosocial.IsQuadletOfUser(starter) {
			return "systemctl --user daemon-reload && systemctl --user start " + unit + ", as the user of the quadlet"
		}
		return "systemctl daemon-reload && systemctl start " + unit
	case starter != "":
		exists := func(name string) bool {
			isThat := func(f manifest.File) bool { return m.pathOf(f) == dir+name }
			return name == file || slices.ContainsFunc(m.Files, isThat)
		}
		return remedy.ShellLine([]string{"cd", filepath.Clean(dir)}, gotosocial.ComposeCommand(file, exists))
	case c.Container:
		return "start the container as on the old machine, with " + m.settingsFiles() +
			" and the folders that the plan names"
	case c.File == "":
		return fmt.Sprintf("gotosocial server start, in %s, as the server's user, with %s", c.WorkingDir,
			m.settingsFiles())
	}
	return fmt.Sprintf("gotosocial --config-path %s server start, in %s, as the server's user", c.File, c.WorkingDir)
}

// settingsFiles names the files with the server's settings.
func (m *Machine) settingsFiles() string {
	files := slices.Clone(m.Config.ServiceFiles)
	for i := range files {
		files[i] = m.movedPath(files[i])
	}
	if m.Config.File != "" {
		files = append(files, m.Config.File)
	}
	if len(files) == 0 {
		return "the settings of the old server"
	}
	return "the settings in " + strings.Join(files, ", ")
}

// unit returns the name of the restored unit that starts the server, or "". A unit of the
// usual name may start the server's container.
func (m *Machine) unit() string {
	if m.Config.Unit != "" {
		return filepath.Base(m.Config.Unit)
	}
	for _, f := range m.Files {
		if f.Path == "etc/systemd/system/gotosocial.service" && !f.Missing {
			return "gotosocial.service"
		}
	}
	return ""
}
