package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/cmd/holdfast/terminal"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/vault"
)

// Exit codes with a name. The table exits has all exit codes.
const (
	exitUnexpected  = 1
	exitUsage       = 2
	exitInterrupted = terminal.ExitInterrupted
)

// exits are the exit codes. The codes are an interface for scripts and units.
var exits = []struct {
	kind  remedy.Kind
	code  int
	means string
}{
	{remedy.Unexpected, exitUnexpected, "an unexpected error"},
	{remedy.Setting, exitUsage, "the command line or the configuration is wrong"},
	{remedy.Incomplete, 3, "saved, restored or exported, but incomplete: some files could not be read"},
	{remedy.NoRepository, 10, "the remote holds no repository"},
	{remedy.Busy, 11, "another Holdfast is at work"},
	{remedy.WrongKey, 12, "wrong or missing key"},
	{remedy.Credentials, 13, "the storage refused the credentials"},
	{remedy.Unreachable, 14, "the storage could not be reached"},
	{remedy.Full, 15, "the storage is full"},
	{remedy.Source, 16, "the instance could not be read or filled"},
	{remedy.Damage, 17, "damage was found"},
	{remedy.Refused, 20, "refused for safety"},
	{remedy.Interrupted, exitInterrupted, "interrupted"},
}

// exitCode returns the exit code for a problem, 0 for nil.
func exitCode(problem *remedy.Error) int {
	if problem == nil {
		return 0
	}
	for _, e := range exits {
		if e.kind == problem.Kind {
			return e.code
		}
	}
	return exitUnexpected
}

// usage is a problem of the command line or the configuration.
func usage(err error, fix string) error {
	return &remedy.Error{Kind: remedy.Setting, Err: err, Fix: fix}
}

// wrongUsage is the problem of an unreadable command line.
func wrongUsage(err error, command string) *remedy.Error {
	return &remedy.Error{Kind: remedy.Setting, Err: err, Fix: "run: holdfast " + strings.TrimSpace(command+" --help")}
}

// withEffect adds the effect to an error without effect.
func withEffect(err error, effect string) error {
	if err == nil {
		return nil
	}
	problem := explain(context.Background(), err)
	if problem.Effect == "" {
		problem.Effect = effect
	}
	return problem
}

// explain finds the kind, the effect and the fix of an error. Each comes from the
// outermost [remedy.Error] that has a value for it. The table of causes gives the
// kind and fix of other errors. After ctx ended, the problem is the interruption.
func explain(ctx context.Context, err error) *remedy.Error {
	problem := &remedy.Error{Err: err}
	for said := outermost(err); said != nil; said = outermost(said.Err) {
		problem.Kind = cmp.Or(problem.Kind, said.Kind)
		problem.Effect = cmp.Or(problem.Effect, said.Effect)
		problem.Fix = cmp.Or(problem.Fix, said.Fix)
	}
	if problem.Kind == remedy.Interrupted {
		return problem
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return &remedy.Error{Kind: remedy.Interrupted, What: "interrupted", Effect: problem.Effect,
			Fix: "run the command again: the next run continues the work"}
	}
	kind, fix := cause(err)
	if isMoreExact(kind, problem.Kind) {
		problem.Kind = kind
	}
	if problem.Fix == "" {
		problem.Fix = fix
	}
	return problem
}

// outermost returns the first problem in the chain of an error, or nil.
func outermost(err error) *remedy.Error {
	var said *remedy.Error
	errors.As(err, &said)
	return said
}

// isMoreExact reports whether the kind of the cause is more exact than the kind of the
// problem. Source covers all trouble of an instance. A wrong setting inside
// [vault.ErrSource] kept the instance from being read.
func isMoreExact(cause, have remedy.Kind) bool {
	switch have {
	case remedy.Unexpected:
		return true
	case remedy.Source:
		return cause == remedy.Full || cause == remedy.Damage || cause == remedy.Busy
	case remedy.Setting:
		return cause == remedy.Source
	}
	return false
}

// cause looks an error up in the table of causes.
func cause(err error) (kind remedy.Kind, fix string) {
	if damage := (*vault.DamageError)(nil); errors.As(err, &damage) {
		return remedy.Damage, salvageFix(damage)
	}
	if damage := (*remedy.DamageError)(nil); errors.As(err, &damage) {
		return remedy.Damage, mendFix
	}
	for _, c := range causes {
		if errors.Is(err, c.err) {
			return c.kind, c.fix
		}
	}
	return remedy.Unexpected, ""
}

// salvageFix says how to restore in spite of damaged packs.
func salvageFix(damage *vault.DamageError) string {
	rest := "or run the command again with --salvage, which restores everything but the files above"
	if damage.Database {
		rest = "--only media,files --salvage restores the rest of this snapshot into another folder"
	}
	return "copy the damaged objects back from a mirror and run the command again; " +
		"or restore another snapshot into another folder; " +
		rest + "; holdfast verify --data all names all damaged objects"
}

// mendFix is the fix for a database with damage from before the backup.
const mendFix = "restore an earlier snapshot; or restore this one with --verbatim into another folder, " +
	"or only its database with holdfast cat SNAP database/sqlite.db, " +
	"and mend the database with sqlite3's REINDEX or .recover"

// causes gives errors of the packages below a kind and a fix. The first matching row
// decides. A row has no fix if the error's own text names the fix.
var causes = []struct {
	err  error
	kind remedy.Kind
	fix  string
}{
	{vault.ErrWrongKey, remedy.WrongKey,
		"use an owner's identity: the recovery kit of this repository, or the file that holdfast key new wrote"},
	{vault.ErrOtherRoot, remedy.Refused,
		"correct the URL or its #hf1… pin; if the repository was replaced on purpose, set up this host anew"},
	{vault.ErrNoRepository, remedy.NoRepository,
		"correct the URL; on an instance's server holdfast init makes a repository"},
	{vault.ErrNoFile, remedy.Setting, "choose one of the files that holdfast ls SNAP lists"},
	{vault.ErrNoSnapshot, remedy.Setting, "choose one of the snapshots that holdfast list shows"},
	{vault.ErrBusy, remedy.Busy, "wait until the other run ends"},
	{vault.ErrRefused, remedy.Refused, ""},
	{remote.ErrRights, remedy.Credentials,
		"run Holdfast as the user who owns the folder, or give the folder to this user: chown -R USER FOLDER"},
	{remote.ErrCredentials, remedy.Credentials,
		"correct access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; " +
			"holdfast config check tries the keys"},
	{remote.ErrFull, remedy.Full, "make room or raise the quota, then run the command again: uploaded data is kept"},
	{unix.ENOSPC, remedy.Full, "make room on this machine's disk, then run the command again"},
	{remote.ErrNoBucket, remedy.NoRepository,
		"correct the URL, or make the bucket; if the bucket held snapshots, " +
			"ask the provider what happened to the bucket, or restore from a mirror"},
	{remote.ErrNotMounted, remedy.Unreachable,
		"mount the disk of the folder, or correct the path; holdfast init starts a repository in a new folder"},
	{remote.ErrReadOnly, remedy.Unreachable,
		"mount the disk read-write, then run the command again; a failing disk turns read-only by itself: see dmesg"},
	{remote.ErrUnreachable, remedy.Unreachable,
		"check the URL and the network, then run the command again: uploaded data is kept"},
	{vault.ErrDamage, remedy.Damage,
		"run holdfast verify --data all, which names the damaged objects and the snapshots that need them"},
	{vault.ErrSource, remedy.Source, ""},
	{fs.ErrPermission, remedy.Unexpected, "run Holdfast as root or as the user who owns the file"},
}
