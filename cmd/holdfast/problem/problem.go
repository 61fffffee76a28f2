package problem

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"holdfast/remedy"
)

// Usage is a problem of the command line or the configuration.
func Usage(err error, fix string) error {
	return &remedy.Error{Kind: remedy.Setting, Err: err, Fix: fix}
}

// WrongUsage is the problem of an unreadable command line.
func WrongUsage(err error, command string) *remedy.Error {
	return &remedy.Error{Kind: remedy.Setting, Err: err, Fix: "run: holdfast " + strings.TrimSpace(command+" --help")}
}

// WithEffect adds the effect to an error without effect.
func WithEffect(err error, effect string) error {
	if err == nil {
		return nil
	}
	problem := Explain(context.Background(), err)
	if problem.Effect == "" {
		problem.Effect = effect
	}
	return problem
}

// Explain finds the kind, the effect and the fix of an error. Each comes from the
// outermost [remedy.Error] that has a value for it. The table of causes gives the
// kind and fix of other errors. After ctx ended, the problem is the interruption.
func Explain(ctx context.Context, err error) *remedy.Error {
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
