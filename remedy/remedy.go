// Package remedy has the errors that a person can act on. Each error names the
// trouble, the effect, and the fix.
package remedy

import (
	"errors"
	"strings"
)

// Kind is the kind of trouble. A command derives its exit code from the kind,
// and often the fix.
type Kind int

// The kinds of trouble.
const (
	Unexpected   Kind = iota
	Setting           // a flag, a setting or a configuration file is wrong
	Incomplete        // the job finished, and some files were unreadable
	NoRepository      // the remote holds no repository
	NoSnapshot        // the repository holds no snapshot
	Busy              // another run holds the lock
	WrongKey          // the key is wrong or missing
	Credentials       // the remote refuses the credentials
	Unreachable       // the remote does not answer
	Full              // the remote or a disk is full
	Source            // the instance can't be read, or can't be filled
	Damage            // stored or restored bytes are damaged
	Refused           // Holdfast refuses for safety
	Interrupted       // a person or a signal ended the run
)

// Error is trouble that a person can act on. The zero Kind is Unexpected.
type Error struct {
	Kind   Kind
	What   string // the trouble; may be empty if Err is set
	Effect string // the meaning for the person; empty: nothing to add
	Fix    string // the way out
	Err    error  // the cause, or nil
}

// Error returns What and the cause, without Effect and Fix.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.What
	case e.What == "":
		return e.Err.Error()
	}
	return e.What + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether the outermost [Error] or [DamageError] in err's chain is of
// the kind.
func Is(err error, kind Kind) bool {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Kind == kind
	}
	damage := (*DamageError)(nil)
	return kind == Damage && errors.As(err, &damage)
}

// DamageError lists the damage that a check found, in bytes that Holdfast
// restores or stores.
type DamageError struct {
	What     string   // such as "the database is damaged"
	Findings []string // each piece of damage, in the words of the check
	Lost     []string // files that can't be restored because of the damage; nil for damage from before the backup
	Database bool     // the database is among the lost files
	Whole    string   // the newest snapshot without known damage, or ""
	Err      error    // the cause, or nil
}

// Error returns What and the findings.
func (e *DamageError) Error() string { return e.What + ": " + strings.Join(e.Findings, "; ") }

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Err }
