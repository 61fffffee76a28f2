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

// Request is what a Plan decides about.
type Request struct {
	Op   Op
	Name string // List: the prefix
	Nth  int    // of this Op, from 1
	Try  int    // of this Op with this Name, from 1
}

// Fault is what happens to a request. The zero Fault is none. Positions count
// from 1.
type Fault struct {
	Delay time.Duration // first of all
	Err   error         // the request is not carried out and fails so
	Lost  bool          // with Err: it is carried out, and only the reply is lost

	// With Err: the stream or listing fails with it at that point. Without: it
	// ends there as if it were whole.
	CutGet  int64 // Get ends before this byte
	EndList int   // List ends before this object

	FlipGet int64 // this byte of a Get has its lowest bit flipped
}

// A Plan says what happens to a request. It is called for one request at a time.
type Plan func(Request) Fault

// ErrInjected is a [remote.ErrUnreachable] for plans.
var ErrInjected = fmt.Errorf("injected: %w", remote.ErrUnreachable)

// On faults the nth request of a kind.
func On(op Op, nth int, fault Fault) Plan {
	return func(r Request) Fault {
		if r.Op == op && r.Nth == nth {
			return fault
		}
		return Fault{}
	}
}

// EveryPutTwice fails every object's first Put without storing it, and its
// second after storing it, with the reply lost.
func EveryPutTwice(r Request) Fault {
	if r.Op != Put || r.Try > 2 {
		return Fault{}
	}
	return Fault{Err: ErrInjected, Lost: r.Try == 2}
}

// Faulty wraps a store, counts its requests, and lets them go wrong as planned.
// It may be used concurrently. To have faults retried, wrap it in
// [remote.WithRetry].
type Faulty struct {
	remote.Store

	mu    sync.Mutex // guards all below
	plan  Plan
	count [ops]int
	tries map[tried]int
}

type tried struct {
	op   Op
	name string
}

// NewFaulty wraps a store. A nil plan only counts.
func NewFaulty(s remote.Store, plan Plan) *Faulty {
	f := &Faulty{Store: s, tries: map[tried]int{}}
	f.SetPlan(plan)
	return f
}

// SetPlan replaces the plan. Counts go on.
func (f *Faulty) SetPlan(plan Plan) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
}

// Count returns how many requests of a kind came, whatever became of them.
func (f *Faulty) Count(op Op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[op]
}

// Forget makes the store lose an object, without a request.
func (f *Faulty) Forget(name string) error {
	return remove(context.Background(), f.Store, name)
}

func (f *Faulty) Put(ctx context.Context, name string, body io.ReaderAt, size int64) error {
	fault, err := f.next(ctx, Put, name)
	if err != nil {
		return err
	}
	return f.do(fault, func() error { return f.Store.Put(ctx, name, body, size) })
}

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

func (f *Faulty) Delete(ctx context.Context, name string) error {
	fault, err := f.next(ctx, Delete, name)
	if err != nil {
		return err
	}
	return f.do(fault, func() error { return remove(ctx, f.Store, name) })
}

// next counts a request, asks the plan and waits as it says.
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

func (f *Faulty) do(fault Fault, request func() error) error {
	if fault.Err != nil && !fault.Lost {
		return fault.Err
	}
	if err := request(); err != nil {
		return err
	}
	return fault.Err
}

// bent is an object's stream that goes wrong.
type bent struct {
	io.ReadCloser
	left int64 // bytes until it ends
	flip int64 // bytes until one is flipped, itself included
	err  error // how it ends
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

// remove deletes an object of a store, which must be a [remote.Pruner].
func remove(ctx context.Context, s remote.Store, name string) error {
	p, ok := s.(remote.Pruner)
	if !ok {
		return fmt.Errorf("delete %s: %s is not a Pruner: %w", name, s, errors.ErrUnsupported)
	}
	return p.Delete(ctx, name)
}

// wait is a context-aware sleep.
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
