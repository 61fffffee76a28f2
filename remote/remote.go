// Package remote stores objects outside the server: in an S3 bucket or in a
// directory. Package remote knows the names and the bytes of objects, and nothing
// of their meaning.
package remote

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Object is a stored object in a listing.
type Object struct {
	Name     string    // "KIND/SHA256", relative to the remote's root
	Size     int64     // bytes
	Modified time.Time // by the remote's clock
	ETag     string    // changes with the bytes; "" in a directory
}

// Store holds write-once objects named "KIND/SHA256": SHA256 is the lower-case
// hexadecimal SHA-256 of the object's own bytes.
//
// A missing object is [fs.ErrNotExist]. Other errors wrap [ErrCredentials],
// [ErrUnreachable] or [ErrFull] if the cause is known. A Store is safe for
// concurrent use. A cancelled context ends a call soon, and leaves either the
// whole object or nothing.
type Store interface {
	// Put returns once the object is durable. Putting the same bytes again
	// succeeds. Put reads body from the start on each attempt. A store may check
	// the bytes against the name, and then refuses other bytes.
	Put(ctx context.Context, name string, body io.ReaderAt, size int64) error

	// Get streams the object's bytes. The caller closes the stream. Get does not
	// verify the bytes: the caller hashes the bytes and compares the name.
	Get(ctx context.Context, name string) (io.ReadCloser, error)

	// List yields every object whose name starts with prefix ("" or "KIND/"), in
	// no particular order. List also yields foreign files, with names relative to
	// the root, and never yields unfinished uploads. A List of S3 beyond a million
	// objects is [ErrEndless]. An error ends the sequence: the objects before the
	// error are not the whole list.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// String returns the remote's URL without secrets, or the path of a directory, for
	// messages.
	String() string

	// Close releases connections.
	Close() error
}

// Pruner deletes objects. Every Store of this package is also a Pruner; the storage
// refuses a Delete if the credentials lack the right.
type Pruner interface {
	// Delete returns once the object is gone. Deleting a missing object
	// succeeds. Errors and contexts are those of [Store].
	Delete(ctx context.Context, name string) error
}

// Causes of a remote's errors. The command line has an exit code for each.
var (
	ErrCredentials = errors.New("the storage refused the credentials")
	ErrUnreachable = errors.New("the storage is unreachable")
	ErrFull        = errors.New("the storage is full")
	ErrNoBucket    = errors.New("no such bucket")
	ErrEndless     = errors.New("the storage's list of objects does not end")

	// Causes in a bucket need fixes of their own. Each wraps a cause above.
	ErrDenied      = error(&trouble{"the key lacks a right", ErrCredentials})
	ErrSignature   = error(&trouble{"the storage refused the signature", ErrCredentials})
	ErrClock       = error(&trouble{"the clock of this machine is wrong", ErrCredentials})
	ErrCertificate = error(&trouble{"the storage's certificate is not trusted", ErrUnreachable})

	// Causes in a directory need fixes of their own. Each wraps a cause above.
	ErrRights     = error(&trouble{"this user has no right to the folder", ErrCredentials})
	ErrNotMounted = error(&trouble{"the folder is missing or empty", ErrUnreachable})
	ErrReadOnly   = error(&trouble{"the folder is on a read-only disk", ErrUnreachable})
	ErrNotFolder  = error(&trouble{"the path is no folder", ErrUnreachable})
)

// trouble is an error with a cause. The text names the trouble without the cause.
type trouble struct {
	text  string
	cause error
}

func (t *trouble) Error() string { return t.text }

func (t *trouble) Unwrap() error { return t.cause }

// action starts an error with verb and name. The caller of a List of all objects names
// the store, so such an error gets no start.
func action(verb, name string) string {
	if name == "" {
		return ""
	}
	return verb + " " + name + ": "
}
