package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// logHandler shows what the layers below log as the program's own warnings:
// between the lines for a person no other form has a place.
type logHandler struct {
	a     *app
	attrs []slog.Attr
}

func (h logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return !h.a.quiet && (level >= slog.LevelWarn || h.a.verbose)
}

// Handle prints "remote retry: ERROR (remote s3://…, wait 0.4 s)".
func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	var rest []string
	show := func(attr slog.Attr) bool {
		value := attr.Value.Resolve()
		switch {
		case attr.Key == "error":
			text += ": " + value.String()
		case value.Kind() == slog.KindDuration:
			rest = append(rest, attr.Key+" "+took(value.Duration()))
		default:
			rest = append(rest, attr.Key+" "+value.String())
		}
		return true
	}
	for _, attr := range h.attrs {
		show(attr)
	}
	r.Attrs(show)
	if len(rest) > 0 {
		text += fmt.Sprintf(" (%s)", strings.Join(rest, ", "))
	}
	h.a.warn("%s", text)
	return nil
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return h
}

// WithGroup drops the group's name: a warning is one line.
func (h logHandler) WithGroup(string) slog.Handler { return h }
