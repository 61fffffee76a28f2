package instance

import (
	"errors"
	"io/fs"
)

// Problem is what keeps Holdfast from reading or filling an instance, and what
// a person does about it. A setting that this version can't serve yet is
// errors.ErrUnsupported, a refusal for safety fs.ErrPermission itself, not wrapped.
type Problem struct {
	What string
	Fix  string
	Err  error // the cause, or nil
}

func (p *Problem) Error() string {
	if p.Err == nil || p.Err == fs.ErrPermission || p.Err == ErrBusy {
		return p.What
	}
	return p.What + ": " + p.Err.Error()
}

func (p *Problem) Unwrap() error { return p.Err }

// ErrBusy is a [Problem] of which another run is the cause.
var ErrBusy = errors.New("another run is at work")
