package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/testkit"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

var fault = remotetest.Fault{Err: remotetest.ErrInjected}

func TestEveryPutMayFailTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := remotetest.NewFaulty(&remotetest.Memory{}, remotetest.EveryPutTwice)
		name := put(t, remote.WithRetry(faulty, 0), "pack")
		if n := faulty.Count(remotetest.Put); n != 3 {
			t.Errorf("%d Puts, want 3", n)
		}
		if _, err := faulty.Get(t.Context(), name); err != nil {
			t.Error(err)
		}
	})
}

func TestRetriesEndAfterTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faulty := remotetest.NewFaulty(&remotetest.Memory{}, func(remotetest.Request) remotetest.Fault { return fault })
		s := remote.WithRetry(faulty, 0)
		start := time.Now()
		_, getErr := s.Get(t.Context(), remotetest.Name("packs", nil))
		if took := time.Since(start); took < time.Second || took > 126*time.Second {
			t.Errorf("gave up after %v", took)
		}
		for op, err := range map[remotetest.Op]error{
			remotetest.Put: s.Put(t.Context(), remotetest.Name("packs", nil), bytes.NewReader(nil), 0),
			remotetest.Get: getErr, remotetest.List: listErr(t.Context(), s),
			remotetest.Delete: s.(remote.Pruner).Delete(t.Context(), remotetest.Name("packs", nil)),
		} {
			if n := faulty.Count(op); n != 7 || !errors.Is(err, remote.ErrUnreachable) {
				t.Errorf("%v: %d tries, %v", op, n, err)
			}
		}
	})
}

// Config.Patience is for commands in front of a person.
func TestPatienceEndsRetriesEarlier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := remote.OpenBucket(remote.BucketConfig{
			Endpoint: "127.0.0.1:1", Name: "bucket", Region: "r", AccessKey: "a", SecretKey: "s", Plain: true,
		}, 5*time.Second)
		testkit.OK(t, err)
		defer b.Close()
		start := time.Now()
		_, err = b.Stat(t.Context(), "key")
		took := time.Since(start)
		if !errors.Is(err, remote.ErrUnreachable) || took < time.Second || took > 6*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestFinalErrorsAreNotRetried(t *testing.T) {
	for _, final := range []error{
		remote.ErrCredentials, remote.ErrFull, fs.ErrNotExist, fs.ErrInvalid, context.DeadlineExceeded,
		errors.New("unknown"),
	} {
		synctest.Test(t, func(t *testing.T) {
			faulty := remotetest.NewFaulty(&remotetest.Memory{}, func(remotetest.Request) remotetest.Fault {
				return remotetest.Fault{Err: fmt.Errorf("request: %w", final)}
			})
			start := time.Now()
			_, err := remote.WithRetry(faulty, 0).Get(t.Context(), remotetest.Name("packs", nil))
			if n := faulty.Count(remotetest.Get); !errors.Is(err, final) || n != 1 || time.Since(start) != 0 {
				t.Errorf("Get = %v after %d tries and %v, want %v at once", err, n, time.Since(start), final)
			}
		})
	}
}

func TestCancelEndsTheWaitForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		faulty := remotetest.NewFaulty(&remotetest.Memory{}, func(remotetest.Request) remotetest.Fault { return fault })
		start := time.Now()
		_, err := remote.WithRetry(faulty, 0).Get(ctx, remotetest.Name("packs", nil))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Millisecond {
			t.Errorf("Get = %v after %v", err, time.Since(start))
		}
	})
}

func TestGetIsRepeatedOnlyBeforeTheFirstByte(t *testing.T) {
	for cut, want := range map[int64]struct {
		tries int
		data  string
	}{1: {2, "abcdef"}, 2: {1, "a"}, 4: {1, "abc"}} {
		synctest.Test(t, func(t *testing.T) {
			fault := remotetest.Fault{CutGet: cut, Err: remotetest.ErrInjected}
			faulty := remotetest.NewFaulty(&remotetest.Memory{}, remotetest.On(remotetest.Get, 1, fault))
			s := remote.WithRetry(faulty, 0)
			body, err := s.Get(t.Context(), put(t, s, "abcdef"))
			testkit.OK(t, err)
			defer body.Close()
			data, err := io.ReadAll(body)
			n := faulty.Count(remotetest.Get)
			if n != want.tries || string(data) != want.data || (err == nil) != (want.tries == 2) {
				t.Errorf("cut before byte %d: %d tries, %q, %v", cut, n, data, err)
			}
		})
	}
}

func TestListIsRepeatedOnlyBeforeTheFirstObject(t *testing.T) {
	for end, want := range map[int]struct{ tries, objects int }{1: {2, 3}, 2: {1, 1}} {
		synctest.Test(t, func(t *testing.T) {
			fault := remotetest.Fault{EndList: end, Err: remotetest.ErrInjected}
			faulty := remotetest.NewFaulty(&remotetest.Memory{}, remotetest.On(remotetest.List, 1, fault))
			s := remote.WithRetry(faulty, 0)
			for _, data := range []string{"a", "b", "c"} {
				put(t, s, data)
			}
			objects, failed := 0, false
			for _, err := range s.List(t.Context(), "") {
				if err != nil {
					failed = true
				} else {
					objects++
				}
			}
			n := faulty.Count(remotetest.List)
			if n != want.tries || objects != want.objects || failed != (want.tries == 1) {
				t.Errorf("end before object %d: %d tries, %d objects, failed %v", end, n, objects, failed)
			}
		})
	}
}

func put(t *testing.T, s remote.Store, data string) string {
	t.Helper()
	name := remotetest.Name("packs", []byte(data))
	testkit.OK(t, s.Put(t.Context(), name, bytes.NewReader([]byte(data)), int64(len(data))))
	return name
}

func listErr(ctx context.Context, s remote.Store) error {
	for _, err := range s.List(ctx, "") {
		if err != nil {
			return err
		}
	}
	return nil
}
