package remotetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"
	"time"

	"holdfast/remote"
)

// Op is a kind of request.
type Op int

const (
	Put Op = iota
	Get
	List
	Delete
	ops
)

func (op Op) String() string {
	return [...]string{"Put", "Get", "List", "Delete"}[op]
}

// Request is a request to a [Faulty] store, for a [Plan].
type Request struct {
	Op   Op
	Name string // List: the prefix
	Nth  int    // of this Op, from 1
	Try  int    // of this Op with this Name, from 1
}

// Fault is the effect on a request. The zero Fault has no effect. Positions count
// from 1.
type Fault struct {
	Delay time.Duration // before all other effects
	Err   error         // the request fails with Err and does nothing
	Lost  bool          // the request succeeds, and then fails with Err

	// CutGet and EndList end a stream or a list early: with Err if set, else as if
	// complete.
	CutGet  int64 // Get ends before this byte
	EndList int   // List ends before this object

	FlipGet int64 // the lowest bit of this byte of a Get is flipped
}

// Plan returns the fault of a request. Faulty calls a Plan for one request at a
// time.
type Plan func(Request) Fault

// ErrInjected is an error for plans. ErrInjected wraps [remote.ErrUnreachable].
var ErrInjected = fmt.Errorf("injected: %w", remote.ErrUnreachable)

// On returns a plan for the nth request of an Op.
func On(op Op, nth int, fault Fault) Plan {
	return func(r Request) Fault {
		if r.Op == op && r.Nth == nth {
			return fault
		}
		return Fault{}
	}
}

// EveryPutTwice fails the first Put of an object before the object is stored, and
// the second Put after the object is stored: the reply is lost.
func EveryPutTwice(r Request) Fault {
	if r.Op != Put || r.Try > 2 {
		return Fault{}
	}
	return Fault{Err: ErrInjected, Lost: r.Try == 2}
}

// Faulty wraps a store, counts the requests, and fails requests by a plan. A
// Faulty is safe for concurrent use, and does not retry: see [remote.WithRetry].
type Faulty struct {
	remote.Store

	mu    sync.Mutex // guards the fields below
	plan  Plan
	count [ops]int
	tries map[tried]int
}

type tried struct {
	op   Op
	name string
}

// NewFaulty wraps a store. With a nil plan, the store only counts requests.
func NewFaulty(s remote.Store, plan Plan) *Faulty {
	f := &Faulty{Store: s, tries: map[tried]int{}}
	f.SetPlan(plan)
	return f
}

// SetPlan replaces the plan. The counts stay.
func (f *Faulty) SetPlan(plan Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
}

// Count returns the number of requests of an Op, failed requests included.
func (f *Faulty) Count(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[op]
}

// Forget makes the store lose an object, without a request.
func (f *Faulty) Forget(name string) error {
	return remove(context.Background(), f.Store, name)
}

// Put implements [remote.Store].
func (f *Faulty) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	fault, err := f.next(ctx, Put, name)
	if err != nil {
		return err
	}
	return f.do(fault, func() error { return f.Store.Put(ctx, name, body, size) })
}

// Get implements [remote.Store].
func (f *Faulty) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	fault, err := f.next(ctx, Get, name)
	if err != nil {
		return nil, err
	}
	if fault.Err != nil && fault.CutGet == 0 {
		return nil, fault.Err
	}
	body, err := f.Store.Get(ctx, name)
	if err != nil || fault.CutGet == 0 && fault.FlipGet == 0 {
		return body, err
	}
	bent := &bent{ReadCloser: body, left: math.MaxInt64, flip: fault.FlipGet, err: io.EOF}
	if fault.CutGet > 0 {
		bent.left = fault.CutGet - 1
	}
	if fault.Err != nil {
		bent.err = fault.Err
	}
	return bent, nil
}

// List implements [remote.Store].
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		fault, err := f.next(ctx, List, prefix)
		if err == nil && fault.EndList == 0 {
			err = fault.Err
		}
		if err != nil {
			yield(remote.Object{}, err)
			return
		}
		n := 0
		for object, err := range f.Store.List(ctx, prefix) {
			if n++; n == fault.EndList {
				break
			}
			if !yield(object, err) {
				return
			}
		}
		if fault.EndList > 0 && fault.Err != nil {
			yield(remote.Object{}, fault.Err)
		}
	}
}

// Delete implements [remote.Pruner], if the wrapped store is a Pruner.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	fault, err := f.next(ctx, Delete, name)
	if err != nil {
		return err
	}
	return f.do(fault, func() error { return remove(ctx, f.Store, name) })
}

// next counts a request, asks the plan, and waits for the delay.
func (f *Faulty) next(ctx context.Context, op Op, name string) (Fault, error) {
	f.mu.Lock()
	f.count[op]++
	f.tries[tried{op, name}]++
	var fault Fault
	if f.plan != nil {
		fault = f.plan(Request{op, name, f.count[op], f.tries[tried{op, name}]})
	}
	f.mu.Unlock()
	if fault.Lost && fault.Err == nil {
		fault.Err = errors.Join(ErrInjected, errors.New("reply lost"))
	}
	return fault, wait(ctx, fault.Delay)
}

// do makes a request with the fault's Err and Lost.
func (f *Faulty) do(fault Fault, request func() error) error {
	if fault.Err != nil && !fault.Lost {
		return fault.Err
	}
	if err := request(); err != nil {
		return err
	}
	return fault.Err
}

// bent is an object's stream with a fault.
type bent struct {
	io.ReadCloser
	left int64 // bytes before the end
	flip int64 // position of the flipped byte from here, from 1
	err  error // of the end
}

func (b *bent) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	if b.flip > 0 && b.flip <= int64(n) {
		p[b.flip-1] ^= 1
	}
	b.left -= int64(n)
	b.flip -= int64(n)
	return n, err
}

// remove deletes an object of a store. The store must be a [remote.Pruner].
func remove(ctx context.Context, s remote.Store, name string) error {
	p, ok := s.(remote.Pruner)
	if !ok {
		return fmt.Errorf("delete %s: %s is not a Pruner: %w", name, s, errors.ErrUnsupported)
	}
	return p.Delete(ctx, name)
}

// wait sleeps, and returns early with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
