package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"holdfast/remedy"
)

// script is pg_dump's output without the lines \restrict and \unrestrict, which psql of
// before August 2025 refuses. The script ends in io.EOF only if pg_dump wrote the line
// that ends each dump.
type script struct {
	lines  *bufio.Reader
	output io.ReadCloser
	rest   []byte // of the current line
	inside bool   // the next bytes continue a long line
	whole  bool   // the last line was read
	fix    string // if the script is not whole
}

// lastLine is in each dump of each version, near the end.
const lastLine = "-- PostgreSQL database dump complete"

func (s *script) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		line, err := s.lines.ReadSlice('\n')
		begins := !s.inside
		if s.inside = errors.Is(err, bufio.ErrBufferFull); s.inside {
			err = nil
		}
		if errors.Is(err, io.EOF) && !s.whole {
			err = &remedy.Error{Kind: remedy.Source, What: "dump database: pg_dump ended before the dump was complete",
				Fix: s.fix}
		}
		if err != nil {
			return 0, err
		}
		s.whole = s.whole || begins && bytes.HasPrefix(line, []byte(lastLine))
		restricts := bytes.HasPrefix(line, []byte(`\restrict `)) || bytes.HasPrefix(line, []byte(`\unrestrict `))
		if !begins || !restricts {
			s.rest = line
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// Close ends a pg_dump whose output is not read to the end.
func (s *script) Close() error { return s.output.Close() }
