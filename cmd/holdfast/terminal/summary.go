package terminal

import (
	"fmt"
	"strings"

	"holdfast/remedy"
)

// summary is the last line of every output with JSON.
type summary struct {
	Command string `json:"verb"`
	Exit    int    `json:"exit"`
	Error   string `json:"error,omitempty"`
	Effect  string `json:"effect,omitempty"`
	Fix     string `json:"fix,omitempty"`
	Result  any    `json:"result,omitempty"`
}

// Summarize ends the output of a command with JSON. problem is nil for success.
// Without JSON, Summarize prints nothing.
func (t *Terminal) Summarize(command string, exit int, problem *remedy.Error) {
	if !t.JSON {
		return
	}
	s := summary{Command: command, Exit: exit, Result: t.Result}
	if problem != nil {
		s.Error, s.Effect, s.Fix = problem.Error(), problem.Effect, problem.Fix
	}
	t.Line("summary", s)
}

// ShowProblem prints a problem with effect and fix.
func (t *Terminal) ShowProblem(command string, problem *remedy.Error) {
	fmt.Fprint(t.Err, render(command, problem))
}

func render(command string, problem *remedy.Error) string {
	var b strings.Builder
	what := problem.Error()
	// Some errors of the packages below begin with the name of the command.
	if command != "" && !strings.HasPrefix(what, command+" ") && !strings.HasPrefix(what, command+": ") {
		what = command + ": " + what
	}
	fmt.Fprintf(&b, "✗ %s\n", strings.ReplaceAll(what, "\n", "\n  "))
	for _, line := range []struct{ label, text string }{{"effect", problem.Effect}, {"fix", problem.Fix}} {
		if line.text != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", line.label, strings.ReplaceAll(line.text, "\n", "\n           "))
		}
	}
	return Escape(b.String())
}
