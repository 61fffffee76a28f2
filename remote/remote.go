// Package remote puts objects where they outlive the server: a directory, an
// S3 bucket. It knows names and bytes, nothing of what they mean.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Object is one stored object as a listing shows it.
type Object struct {
	Name     string    // "KIND/SHA256", relative to the remote's root
	Size     int64     // bytes
	Modified time.Time // by the remote's clock
	ETag     string    // changes with the bytes; "" where the remote is no bucket
}

// Store holds write-once objects named "KIND/SHA256", where SHA256 is the
// lower-case hexadecimal SHA-256 of the object's own bytes.
//
// A missing object is [fs.ErrNotExist]. Other failures wrap one of
// [ErrCredentials], [ErrUnreachable] or [ErrFull] where the cause is known.
// All methods may be called concurrently. A cancelled context ends a call
// soon, and leaves either the whole object or nothing.
type Store interface {
	// Put returns once the object is durable. Putting the same bytes again
	// succeeds. body is read from its start on each attempt. The store may
	// verify the bytes against the name, and fails where they differ.
	Put(ctx context.Context, name string, body io.ReaderAt, size int64) error

	// Get streams the object's bytes. The caller closes the stream. Bytes are
	// not verified: the caller knows the name and hashes on the way.
	Get(ctx context.Context, name string) (io.ReadCloser, error)

	// List yields every object whose name starts with prefix ("" or "KIND/"),
	// in no particular order. Things that are no objects of ours are yielded
	// too, with their names relative to the root; unfinished uploads are not.
	// An error ends the sequence: what came before it is not the whole.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// String is the remote's URL without secrets, for messages.
	String() string

	// Close lets go of connections.
	Close() error
}

// Pruner is the right to delete. Every Store of this package is a Pruner too;
// the storage itself refuses credentials without the right.
type Pruner interface {
	// Delete returns once the object is gone. Deleting a missing object
	// succeeds. Errors and contexts are those of [Store].
	Delete(ctx context.Context, name string) error
}

// What a remote's failures mean for the person who runs it. The command line
// gives each its exit code.
var (
	ErrCredentials = errors.New("storage refused the credentials")
	ErrUnreachable = errors.New("storage unreachable")
	ErrFull        = errors.New("storage full")
	ErrNoBucket    = errors.New("no such bucket")

	// Those of a directory are others to mend. Each is one of the above, too.
	ErrRights     = fmt.Errorf("no right to the folder: %w", ErrCredentials)
	ErrNotMounted = fmt.Errorf("folder missing or empty: %w", ErrUnreachable)
	ErrReadOnly   = fmt.Errorf("folder on a read-only disk: %w", ErrUnreachable)
)
