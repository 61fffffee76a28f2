package terminal

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"holdfast/internal/units"
)

// LogHandler shows logged warnings as the program's own warnings. Records below
// [slog.LevelWarn] are for the log of a daemon, and a command does not show them.
func (t *Terminal) LogHandler() slog.Handler { return logHandler{terminal: t} }

type logHandler struct {
	terminal *Terminal
	attrs    []slog.Attr
}

func (h logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return !h.terminal.Quiet && level >= slog.LevelWarn
}

// Handle prints "remote retry: ERROR (remote s3://…, wait 0.4 s)".
func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	var rest []string
	add := func(attr slog.Attr) bool {
		switch value := attr.Value.Resolve(); {
		case attr.Key == "error":
			text += ": " + value.String()
		case value.Kind() == slog.KindDuration:
			rest = append(rest, attr.Key+" "+units.Duration(value.Duration()))
		default:
			rest = append(rest, attr.Key+" "+value.String())
		}
		return true
	}
	for _, attr := range h.attrs {
		add(attr)
	}
	r.Attrs(add)
	if len(rest) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(rest, ", "))
	}
	h.terminal.Warn("%s", text)
	return nil
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return h
}

// WithGroup drops the name of the group.
func (h logHandler) WithGroup(string) slog.Handler { return h }
