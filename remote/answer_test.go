package remote

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEndlessAnswersAreGivenUp(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusNotFound, http.StatusBadGateway} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		})
		if err := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1); status != http.StatusOK && err == nil {
			t.Errorf("a Put with an endless answer %d succeeds", status)
		}
		for _, err := range s.List(t.Context(), "") {
			if err == nil {
				t.Errorf("a List with an endless answer %d has objects", status)
			}
		}
		if status == http.StatusOK { // the stream belongs to the caller
			continue
		}
		if body, err := s.Get(t.Context(), name("x")); err == nil {
			body.Close()
			t.Errorf("a Get with an endless answer %d succeeds", status)
		}
	}
}

// drip is a body of single bytes.
type drip struct{ wait time.Duration }

func (d drip) Read(p []byte) (int, error) {
	time.Sleep(d.wait)
	return copy(p[:1], "x"), nil
}

func (drip) Close() error { return nil }

// A server that sends a byte now and then holds no run for ever. A slow line is served.
func TestServerOfSingleBytesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		slow := paced(drip{50 * time.Second})
		if _, err := io.Copy(io.Discard, slow); !errors.Is(err, errSlow) {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took > 5*time.Minute {
			t.Errorf("given up after %s", took)
		}
		fair := io.LimitReader(paced(drip{100 * time.Microsecond}), 8*pace) // 10 KB/s
		if _, err := io.Copy(io.Discard, fair); err != nil {
			t.Errorf("a slow line: %v", err)
		}
	})
}
