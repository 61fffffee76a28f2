package main

import (
	"slices"

	"holdfast/cmd/holdfast/commandline"
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

// again returns the command line that continues the restore of a snapshot.
func (v *restoreFlags) again(snapshot string) string {
	apart := []string{"plan", "resume", "json", "quiet", "verbose", "progress"}
	return commandline.Again(v.flags, func(name string) bool { return !slices.Contains(apart, name) },
		"restore", snapshot) + " --resume"
}
