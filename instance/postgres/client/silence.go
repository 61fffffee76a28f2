package client

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxSilence is how long a pg_dump may neither write nor speak with the server while
// Holdfast waits for its output. A dump of GoToSocial's schema takes a second or two, but a
// query of pg_dump took more than 30 seconds on a machine with 40 busy processes.
const maxSilence = 2 * time.Minute

// silence calls end once a program is silent for too long.
type silence struct {
	began time.Time    // with the monotonic clock: a step of the machine's clock is no silence
	last  atomic.Int64 // when the program was heard, in nanoseconds since began; 0: nobody listens
	over  atomic.Bool  // end was called
	mu    sync.Mutex
	timer *time.Timer // mu guards timer
}

// watchSilence begins without a listener. end is called at most once.
func watchSilence(limit time.Duration, end func()) *silence {
	s := &silence{began: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = time.AfterFunc(limit, func() {
		rest := limit
		if last := s.last.Load(); last != 0 {
			rest = limit - time.Duration(s.now()-last)
		}
		if rest <= 0 {
			s.over.Store(true)
			end()
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.timer.Reset(rest)
	})
	return s
}

// now is the time since the beginning of the watch, and never 0.
func (s *silence) now() int64 { return int64(time.Since(s.began)) + 1 }

// heard notes a sign of life.
func (s *silence) heard() {
	if s.last.Load() != 0 {
		s.last.Store(s.now())
	}
}

// listen says that somebody waits for the program from now on, ignore that nobody does.
func (s *silence) listen() { s.last.Store(s.now()) }
func (s *silence) ignore() { s.last.Store(0) }

// stop ends the watch, except for a call of end that has begun.
func (s *silence) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
}
