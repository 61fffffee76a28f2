package instance

import "io/fs"

// Problem is what keeps Holdfast from reading or filling an instance, and what
// a person does about it. A setting that this version can't serve yet is
// errors.ErrUnsupported, a refusal for safety fs.ErrPermission itself, not wrapped.
type Problem struct {
	What string
	Fix  string
	Err  error // the cause, or nil
}

func (p *Problem) Error() string {
	if p.Err == nil || p.Err == fs.ErrPermission {
		return p.What
	}
	return p.What + ": " + p.Err.Error()
}

func (p *Problem) Unwrap() error { return p.Err }
