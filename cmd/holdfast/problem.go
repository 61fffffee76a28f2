package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/vault"
)

// The exit codes. They are an interface: scripts and units act on them.
const (
	exitUnexpected   = 1
	exitUsage        = 2
	exitIncomplete   = 3
	exitNoRepository = 10
	exitBusy         = 11
	exitKey          = 12
	exitCredentials  = 13
	exitUnreachable  = 14
	exitFull         = 15
	exitSource       = 16
	exitDamage       = 17
	exitRefused      = 20
	exitInterrupted  = 130
)

// exits says what the codes mean.
var exits = []struct {
	code  int
	means string
}{
	{0, "it went well"},
	{exitUnexpected, "something unexpected"},
	{exitUsage, "the command line or the configuration is wrong"},
	{exitIncomplete, "saved, restored or exported, but incomplete: something could not be read"},
	{exitNoRepository, "there is no repository at that place"},
	{exitBusy, "another holdfast is at work there"},
	{exitKey, "wrong or missing key"},
	{exitCredentials, "the storage refused the credentials"},
	{exitUnreachable, "the storage could not be reached"},
	{exitFull, "the storage is full"},
	{exitSource, "the instance could not be read, or not be filled"},
	{exitDamage, "damage was found"},
	{exitRefused, "refused for safety"},
	{exitInterrupted, "interrupted"},
}

// problem is an error as a person needs it: what happened, what that means, and
// what to do about it.
type problem struct {
	exit   int
	err    error
	effect string // "" where there is nothing to add
	fix    string
	again  string // the command that goes on, where it is another than the one that failed
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// usage is a problem of the command line or the configuration.
func usage(err error, fix string) error { return &problem{exit: exitUsage, err: err, fix: fix} }

// withEffect adds to an error what it means, where nothing said so yet.
func withEffect(err error, effect string) error {
	if err == nil {
		return nil
	}
	p := *explain(context.Background(), err)
	if p.effect == "" {
		p.effect = effect
	}
	return &p
}

// explain gives an error its exit code and its remedy. What a layer below said
// about the remedy wins.
func explain(ctx context.Context, err error) *problem {
	p := &problem{exit: exitUnexpected, err: err}
	for _, k := range known {
		if errors.Is(err, k.is) {
			p.exit, p.fix = k.exit, k.fix
			break
		}
	}
	var source *remedy.Error
	if errors.As(err, &source) {
		p.fix = source.Fix
		switch {
		case source.Kind == remedy.Refused:
			p.exit = exitRefused
		case p.exit == exitCredentials, p.exit == exitUnreachable, p.exit == exitNoRepository:
			p.exit = exitSource // GoToSocial's own bucket, not the storage
		case p.exit == exitUnexpected:
			p.exit = cmp.Or(map[remedy.Kind]int{remedy.Setting: exitUsage, remedy.Busy: exitBusy}[source.Kind], exitSource)
		}
	}
	var damage *vault.DamageError
	if errors.As(err, &damage) {
		p.fix = "copy the damaged objects back from a mirror and run it again; or restore another snapshot into another folder; "
		if damage.Database {
			p.fix += "--only media,files --salvage brings the rest of this one, into another folder, too"
		} else {
			p.fix += "or run it again with --salvage: that restores everything but the files above"
		}
		p.fix += "; holdfast verify --data all names all that is damaged"
	}
	var broken *remedy.DamageError
	if errors.As(err, &broken) {
		p.exit = exitDamage
	}
	if broken != nil && source == nil {
		p.fix = "restore an earlier snapshot; or this one as it was by --verbatim, into another folder, or its file alone by holdfast cat SNAP database/sqlite.db, and mend it by sqlite3's REINDEX or .recover"
	}
	var said *problem
	if errors.As(err, &said) {
		p.exit, p.effect, p.again = said.exit, said.effect, said.again
		if said.fix != "" {
			p.fix = said.fix
		}
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		p.exit, p.fix = exitInterrupted, "run it again: it goes on with what is there already"
		p.err = errInterrupted
		if p.again != "" {
			p.fix = ""
		}
	}
	if p.again != "" && !strings.HasSuffix(p.fix, p.again) {
		p.fix = strings.TrimPrefix(p.fix+"; ", "; ") + "this goes on with it:\n" + p.again
	}
	return p
}

var errInterrupted = errors.New("interrupted")

// known are the failures that have an exit code of their own. The first that
// an error is decides.
var known = []struct {
	is   error
	exit int
	fix  string
}{
	{vault.ErrWrongKey, exitKey, "use an owner's identity: the recovery kit of this repository, or the file that holdfast key new wrote"},
	{vault.ErrOtherRoot, exitRefused, "correct the URL or its #hf1… pin; if the repository was replaced on purpose, set up this host anew"},
	{vault.ErrNoRepository, exitNoRepository, "correct the URL; on an instance's server holdfast init makes a repository"},
	{vault.ErrNoFile, exitUsage, "holdfast ls SNAP shows what is there"},
	{vault.ErrNoSnapshot, exitUsage, "holdfast list shows the snapshots, holdfast ls SNAP what is in one"},
	{vault.ErrBusy, exitBusy, "wait until it ends"},
	{vault.ErrRefused, exitRefused, ""},
	{remote.ErrRights, exitCredentials, "run Holdfast as the user who owns the folder, or give it to this one: chown -R USER FOLDER"},
	{remote.ErrCredentials, exitCredentials, "correct access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; holdfast config check tries them"},
	{remote.ErrFull, exitFull, "make room or raise the quota, then run it again: what arrived is kept"},
	{unix.ENOSPC, exitFull, "make room on this machine's disk, then run it again"},
	{remote.ErrNoBucket, exitNoRepository, "correct the URL, or make the bucket there; if it held snapshots, ask the provider what became of it, or restore from a mirror"},
	{remote.ErrNotMounted, exitUnreachable, "mount the disk that the folder lies on, or correct its path; holdfast init starts a repository in a new folder"},
	{remote.ErrReadOnly, exitUnreachable, "mount the disk read-write, then run it again; a disk that fails turns read-only by itself: dmesg says so"},
	{remote.ErrUnreachable, exitUnreachable, "check the URL and the network, then run it again: what arrived is kept"},
	{vault.ErrDamage, exitDamage, "run holdfast verify --data all: it names what is damaged and which snapshots that hurts"},
	{vault.ErrSource, exitSource, ""},
	{fs.ErrPermission, exitUnexpected, "run Holdfast as root or as the user who owns the file"},
}
