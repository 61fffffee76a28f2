package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// script is pg_dump's output with four changes:
//   - The lines \restrict and \unrestrict are left out: psql of before August 2025
//     refuses them.
//   - Timeouts that an older server refuses are left out, as [psql.DropNewTimeouts] says.
//   - Event triggers are left out: only a superuser may make them.
//   - The search path is the instance's. pg_dump sets an empty one, and then a check
//     constraint, an index or a materialized view fails if its function names another
//     object without a schema.
//
// The script ends in io.EOF only if pg_dump wrote the line that ends each dump.
type script struct {
	lines  *bufio.Reader
	output io.ReadCloser
	path   []byte // the line that sets the search path
	rest   []byte // of the current line
	inside bool   // the next bytes continue a long line
	skips  bool   // the next bytes continue a statement about an event trigger
	quote  byte   // the next bytes of that statement are between two of it: ' or "
	whole  bool   // the last line was read
	headed bool   // all timeouts were read
	fix    string // if the script is not whole
}

// emptyPath is pg_dump's line that sets the search path.
const emptyPath = "SELECT pg_catalog.set_config('search_path', '', false);\n"

// setPath returns the line that sets a search path of quoted schemas.
func setPath(path string) []byte {
	return []byte(strings.Replace(emptyPath, "''", "'"+strings.ReplaceAll(path, "'", "''")+"'", 1))
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
		switch {
		case begins && string(line) == emptyPath:
			s.rest = s.path
		case !s.leavesOut(line, begins):
			s.rest = line
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// leftOut are the beginnings of the lines that the script lacks.
var leftOut = [][]byte{[]byte(`\restrict `), []byte(`\unrestrict `)}

// eventTriggers are the beginnings of statements about event triggers.
var eventTriggers = [][]byte{
	[]byte("CREATE EVENT TRIGGER "), []byte("ALTER EVENT TRIGGER "), []byte("COMMENT ON EVENT TRIGGER "),
}

// leavesOut reports whether the script lacks the bytes: a line or a part of one.
func (s *script) leavesOut(line []byte, begins bool) bool {
	is := func(prefix []byte) bool { return bytes.HasPrefix(line, prefix) }
	if begins && !s.skips {
		s.skips = slices.ContainsFunc(eventTriggers, is)
	}
	if !s.skips {
		s.headed = s.headed || begins && is([]byte(psql.AfterTimeouts))
		return begins && (slices.ContainsFunc(leftOut, is) || !s.headed && psql.IsNewTimeout(string(line)))
	}
	// A comment may have a semicolon at the end of a line. A quote between quotes stands
	// twice.
	for _, c := range line {
		switch {
		case c == s.quote:
			s.quote = 0
		case s.quote == 0 && (c == '\'' || c == '"'):
			s.quote = c
		}
	}
	s.skips = s.quote != 0 || !bytes.HasSuffix(line, []byte(";\n"))
	return true
}

// Close ends a pg_dump whose output is not read to the end.
func (s *script) Close() error { return s.output.Close() }
