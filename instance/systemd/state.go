package systemd

import (
	"context"
	"strconv"
	"strings"

	"holdfast/internal/child"
)

// Running reports whether systemd runs a service, or is about to start the service.
// pid is the main process, or 0. Without systemd nothing runs.
func Running(ctx context.Context, unit string) (running bool, pid int) {
	out, err := child.Ask(ctx, systemctl(), "show", "--property=ActiveState,MainPID", "--", unit)
	if err != nil {
		return false, 0
	}
	for line := range strings.Lines(string(out)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "ActiveState":
			running = value != "inactive" && value != "failed"
		case "MainPID":
			pid, _ = strconv.Atoi(value)
		}
	}
	return running, pid
}

// systemctl returns the program of PATH, or the system's own program if other users can
// replace the first one.
func systemctl() string {
	if path, err := child.Find("systemctl"); err == nil {
		return path
	}
	return "/usr/bin/systemctl"
}
