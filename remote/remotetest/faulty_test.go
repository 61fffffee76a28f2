package remotetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

func TestGetGoesWrongAsPlanned(t *testing.T) {
	for fault, want := range map[Fault]struct {
		data string
		err  error
	}{
		{}:                            {"abcdef", nil},
		{Err: ErrInjected}:            {"", ErrInjected},
		{CutGet: 1}:                   {"", nil},
		{CutGet: 4}:                   {"abc", nil},
		{CutGet: 4, Err: ErrInjected}: {"abc", ErrInjected},
		{FlipGet: 1}:                  {"`bcdef", nil},
		{FlipGet: 6}:                  {"abcdeg", nil},
		{FlipGet: 7}:                  {"abcdef", nil},
	} {
		f := NewFaulty(&Memory{}, On(Get, 1, fault))
		name := put(t, f, "packs", []byte("abcdef"))
		var data []byte
		body, err := f.Get(t.Context(), name)
		if err == nil {
			data, err = io.ReadAll(iotest.OneByteReader(body))
		}
		if string(data) != want.data || !errors.Is(err, want.err) {
			t.Errorf("%+v: %q, %v; want %+v", fault, data, err, want)
		}
		if got := get(t, f, name); string(got) != "abcdef" {
			t.Errorf("%+v: the second Get shows %q", fault, got)
		}
	}
}

func TestPutGoesWrongAsPlanned(t *testing.T) {
	f := NewFaulty(&Memory{}, EveryPutTwice)
	name := Name("packs", nil)
	for try, stored := range []bool{false, true, true} {
		err := f.Put(t.Context(), name, bytes.NewReader(nil), 0)
		if (err == nil) != (try == 2) {
			t.Errorf("try %d = %v", try, err)
		}
		if _, err := f.Store.Get(t.Context(), name); (err == nil) != stored {
			t.Errorf("after try %d: Get = %v", try, err)
		}
	}
	if n := f.Count(Put); n != 3 {
		t.Errorf("counted %d Puts, want 3", n)
	}
}

func TestListEndsAsPlanned(t *testing.T) {
	f := NewFaulty(&Memory{}, On(List, 1, Fault{EndList: 2}))
	for _, data := range []string{"a", "b", "c"} {
		put(t, f, "packs", []byte(data))
	}
	if got := list(t, f, ""); len(got) != 1 {
		t.Errorf("List shows %d objects, want 1", len(got))
	}
	if got := list(t, f, ""); len(got) != 3 {
		t.Errorf("List shows %d objects, want 3", len(got))
	}
}

func TestForgetIsNoRequest(t *testing.T) {
	f := NewFaulty(&Memory{}, nil)
	name := put(t, f, "packs", nil)
	if err := f.Forget(name); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get(t.Context(), name); !errors.Is(err, fs.ErrNotExist) || f.Count(Delete) != 0 {
		t.Errorf("Get = %v, %d Deletes", err, f.Count(Delete))
	}
}

func TestDelayEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFaulty(&Memory{}, func(Request) Fault { return Fault{Delay: time.Hour} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := f.Get(ctx, Name("packs", nil))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("Get = %v after %v", err, time.Since(start))
		}
		put(t, f, "packs", nil)
		if took := time.Since(start); took != time.Hour+time.Minute {
			t.Errorf("Put took until %v", took)
		}
	})
}

func TestSlowLineIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Slow{Store: &Memory{}, BytesPerSecond: 1_000_000}
		start := time.Now()
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() { put(t, s, "packs", append(make([]byte, 999_999), byte(i))) })
		}
		group.Wait()
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("4 MB took %v over a line of 1 MB/s", took)
		}
		get(t, s, Name("packs", append(make([]byte, 999_999), 0)))
		if took := time.Since(start); took < 5*time.Second || took > 5*time.Second+time.Millisecond {
			t.Errorf("5 MB took %v over a line of 1 MB/s", took)
		}
	})
}
