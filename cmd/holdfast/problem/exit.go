// Package problem turns errors into what a person meets: an exit code, an effect and a
// fix.
package problem

import "holdfast/remedy"

// Exit codes with a name. The table Exits has all exit codes.
const (
	exitUnexpected = 1
	// ExitInterrupted is the exit code after Ctrl-C.
	ExitInterrupted = 130
)

// Exits are the exit codes. The codes are an interface for scripts and units.
var Exits = []struct {
	Kind  remedy.Kind
	Code  int
	Means string
}{
	{remedy.Unexpected, exitUnexpected, "an unexpected error"},
	{remedy.Setting, 2, "the command line or the configuration is wrong"},
	{remedy.Incomplete, 3, "saved, restored or exported, but incomplete: some files could not be read"},
	{remedy.NoRepository, 10, "the remote holds no repository"},
	{remedy.Busy, 11, "another Holdfast is at work"},
	{remedy.WrongKey, 12, "wrong or missing key"},
	{remedy.Credentials, 13, "the storage refused the credentials"},
	{remedy.Unreachable, 14, "the storage could not be reached"},
	{remedy.Full, 15, "the storage is full"},
	{remedy.Source, 16, "the instance could not be read or filled"},
	{remedy.Damage, 17, "damage was found"},
	{remedy.NoSnapshot, 19, "the repository holds no snapshot"},
	{remedy.Refused, 20, "refused for safety"},
	{remedy.Interrupted, ExitInterrupted, "interrupted"},
}

// ExitCode returns the exit code for a problem, 0 for nil.
func ExitCode(problem *remedy.Error) int {
	if problem == nil {
		return 0
	}
	for _, e := range Exits {
		if e.Kind == problem.Kind {
			return e.Code
		}
	}
	return exitUnexpected
}
