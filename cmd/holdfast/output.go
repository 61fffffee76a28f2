package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
)

// say prints a line for a person; nothing with --quiet or --json.
func (a *app) say(format string, args ...any) {
	if !a.quiet && !a.json {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}

// warn prints what somebody should look at, --quiet or not.
func (a *app) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if a.json {
		a.line("warning", struct {
			Text string `json:"text"`
		}{text})
		return
	}
	if a.live.Load() {
		text = "\r\x1b[K! " + text
	} else {
		text = "! " + text
	}
	fmt.Fprintln(a.err, text)
}

// item prints one of the things that a verb was asked for: text for a person,
// or a JSON line of that type.
func (a *app) item(kind string, v any, text string) {
	if a.json {
		a.line(kind, v)
		return
	}
	fmt.Fprintln(a.out, text)
}

// line prints a JSON line: v's fields behind its type.
func (a *app) line(kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil || len(body) < 2 || body[0] != '{' {
		panic(fmt.Sprintf("JSON line %q: %T is no object: %v", kind, v, err))
	}
	text := fmt.Sprintf(`{"type":%q`, kind)
	if rest := string(body[1:]); rest != "}" {
		text += "," + rest
	} else {
		text += "}"
	}
	fmt.Fprintln(a.out, text)
}

// summary ends the output of --json, whatever happened.
type summary struct {
	Verb   string `json:"verb"`
	Exit   int    `json:"exit"`
	Error  string `json:"error,omitempty"`
	Effect string `json:"effect,omitempty"`
	Fix    string `json:"fix,omitempty"`
	Result any    `json:"result,omitempty"`
}

// finish shows how it went and returns the exit code. p is nil for success.
func (a *app) finish(verb string, p *problem) int {
	s := summary{Verb: verb, Result: a.result}
	if p != nil {
		s.Exit, s.Error, s.Effect, s.Fix = p.exit, p.Error(), p.effect, p.fix
		fmt.Fprint(a.err, p.render(verb))
	}
	if a.json {
		a.line("summary", s)
	}
	return s.Exit
}

// render is the problem for a terminal.
func (p *problem) render(verb string) string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", label, strings.ReplaceAll(text, "\n", "\n           "))
		}
	}
	what := p.Error()
	// Some errors of the layers below begin with the verb themselves.
	if verb != "" && !strings.HasPrefix(what, verb+" ") && !strings.HasPrefix(what, verb+": ") {
		what = verb + ": " + what
	}
	fmt.Fprintf(&b, "✗ %s\n", what)
	line("effect", p.effect)
	line("fix", p.fix)
	return b.String()
}

// checkedWriter remembers the first write that failed, so that a full disk does not
// pass for success. It may be used from several goroutines.
type checkedWriter struct {
	w io.Writer

	mu  sync.Mutex // guards err
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = cmp.Or(c.err, err)
	}
	return n, err
}

func (c *checkedWriter) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
