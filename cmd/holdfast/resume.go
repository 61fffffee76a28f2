package main

import (
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"holdfast/remedy"
)

// unfinished adds to the problem of a restore onto this machine how to continue the
// restore. work is the folder with the fetched data. If something is in the way, the
// command needs --replace.
func (v *restoreFlags) unfinished(problem *remedy.Error, work, snapshot string, inTheWay bool) *remedy.Error {
	problem.Effect = "the restore is unfinished; the fetched data is kept in " + work
	command := v.again(snapshot)
	if inTheWay && !v.full.replace {
		command += " --replace"
	}
	return continueBy(problem, command)
}

// continueBy adds a command to the fix. After an interruption, the command is the
// whole fix.
func continueBy(problem *remedy.Error, command string) *remedy.Error {
	const label = "continue the restore with this command:\n"
	if problem.Kind == remedy.Interrupted || problem.Fix == "" {
		problem.Fix = label + command
	} else {
		problem.Fix += "; " + label + command
	}
	return problem
}

// again returns the command line that continues the restore of a snapshot. The command
// line holds no secret: a password in a URL is replaced, and so is a command that
// prints a passphrase.
func (v *restoreFlags) again(snapshot string) string {
	words := []string{"holdfast restore", snapshot}
	v.flags.Visit(func(f *pflag.Flag) {
		value := f.Value.String()
		switch f.Name {
		case "plan", "resume", "json", "quiet", "verbose", "progress":
			return
		case "from":
			if u, err := url.Parse(value); err == nil && u.User != nil {
				value = u.Redacted()
			}
		case "passphrase":
			if kind, _, _ := strings.Cut(value, ":"); kind == "cmd" {
				value = "cmd:…"
			}
			if words = append(words, "--passphrase"); value != "ask" {
				words[len(words)-1] += "=" + remedy.QuoteShell(value)
			}
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, value := range list.GetSlice() {
				words = append(words, "--"+f.Name, remedy.QuoteShell(value))
			}
			return
		}
		if f.Value.Type() != "bool" {
			words = append(words, "--"+f.Name, remedy.QuoteShell(value))
		} else if value == "true" {
			words = append(words, "--"+f.Name)
		}
	})
	return strings.Join(append(words, "--resume"), " ")
}
