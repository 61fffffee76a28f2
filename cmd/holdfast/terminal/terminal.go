// Package terminal decides how things look on a terminal, and in JSON for programs:
// text, warnings, progress, questions and problems.
package terminal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/term"

	"holdfast/remedy"
)

// Terminal is the input and the output of a command. Say, Warn, Item and Line may be
// called from several goroutines.
type Terminal struct {
	In  *os.File
	Out io.Writer // for the result; [Terminal.WriteError] has its first error
	Err io.Writer // for warnings, progress, questions and problems

	JSON     bool   // JSON lines on Out, in the place of text
	Quiet    bool   // no text but warnings and the items that a person asked for
	Verbose  bool   // no list is cut short
	Progress string // "auto", "plain" or "none"

	Result any // what the summary line of JSON carries; set by the command

	live atomic.Bool // the progress line is on the screen
}

// New returns a terminal. [Terminal.WriteError] will have the first error of out.
func New(in *os.File, out, err io.Writer) *Terminal {
	return &Terminal{In: in, Out: &checkedWriter{w: out}, Err: err, Progress: "auto"}
}

// Say prints a line for a person. Quiet and JSON leave the line out.
func (t *Terminal) Say(format string, args ...any) {
	if !t.Quiet && !t.JSON {
		fmt.Fprintln(t.Out, Escape(fmt.Sprintf(format, args...)))
	}
}

// Warn prints one line for the attention of a person, even with Quiet.
func (t *Terminal) Warn(format string, args ...any) {
	text := EscapeLine(fmt.Sprintf(format, args...))
	if t.JSON {
		t.Line("warning", struct {
			Text string `json:"text"`
		}{text})
		return
	}
	if t.live.Load() {
		text = "\r\x1b[K! " + text
	} else {
		text = "! " + text
	}
	fmt.Fprintln(t.Err, text)
}

// Note prints one line for a person beside the result: on Err. Quiet and JSON leave the
// line out.
func (t *Terminal) Note(format string, args ...any) {
	if !t.Quiet && !t.JSON {
		fmt.Fprintln(t.Err, EscapeLine(fmt.Sprintf(format, args...)))
	}
}

// MaxShown is the largest number of lines in a list for people.
const MaxShown = 20

// WarnEach warns of each element; without Verbose only of the first [MaxShown].
func (t *Terminal) WarnEach(format string, list []string) {
	for i, one := range list {
		if i == MaxShown && !t.Verbose {
			t.Warn("and %d more; -v names them all", len(list)-i)
			return
		}
		t.Warn(format, one)
	}
}

// Item prints part of a command's result: the text, or with JSON a line of type kind
// with the fields of v.
func (t *Terminal) Item(kind string, v any, text string) {
	if t.JSON {
		t.Line(kind, v)
		return
	}
	fmt.Fprintln(t.Out, Escape(text))
}

// Line prints a JSON line: the type, then the fields of v, a struct or map.
func (t *Terminal) Line(kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil || len(body) < 2 || body[0] != '{' {
		panic(fmt.Sprintf("JSON line %q: %T is not an object: %v", kind, v, err))
	}
	text := fmt.Sprintf(`{"type":%q`, kind)
	if rest := string(body[1:]); rest != "}" {
		text += "," + rest
	} else {
		text += "}"
	}
	fmt.Fprintln(t.Out, escapeJSON(remedy.Redact(text)))
}

// Interactive reports whether a person can answer questions.
func (t *Terminal) Interactive() bool { return term.IsTerminal(int(t.In.Fd())) }

// OnScreen reports whether Out is a screen, and not a file or a pipe.
func (t *Terminal) OnScreen() bool {
	out := t.Out
	if c, ok := out.(*checkedWriter); ok {
		out = c.w
	}
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// WriteError returns the first error of writing to Out.
func (t *Terminal) WriteError() error {
	if c, ok := t.Out.(*checkedWriter); ok {
		return c.failed()
	}
	return nil
}

// checkedWriter remembers the first failed write: a full disk must not pass for
// success.
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
