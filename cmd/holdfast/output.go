package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// say prints a line for a person; nothing with --quiet or --json.
func (a *app) say(format string, args ...any) {
	if !a.quiet && !a.json {
		fmt.Fprintln(a.out, tame(fmt.Sprintf(format, args...)))
	}
}

// warn prints what somebody should look at, --quiet or not.
func (a *app) warn(format string, args ...any) {
	text := oneLine(fmt.Sprintf(format, args...))
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
	fmt.Fprintln(a.out, tame(text))
}

// What stands in a bucket, and in the names of files, may want to steer the
// terminal or forge a line of ours.

// legible is a name as it is, or quoted where something in it doesn't print.
func legible(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}

// tame is text with what doesn't print escaped, but for the ends of lines.
func tame(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// oneLine is text with everything escaped that doesn't print.
func oneLine(text string) string { return strings.ReplaceAll(tame(text), "\n", `\n`) }

// noJSON refuses --json where the output has a form of its own.
func (a *app) noJSON(what string) error {
	if !a.json {
		return nil
	}
	return usage(fmt.Errorf("it writes %s, not JSON", what), "leave out --json")
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
	fmt.Fprintf(&b, "✗ %s\n", strings.ReplaceAll(what, "\n", "\n  "))
	line("effect", p.effect)
	line("fix", p.fix)
	return tame(b.String())
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
