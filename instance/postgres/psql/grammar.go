package psql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// statement is one statement of a script, without its semicolon.
type statement []token

// String returns the first words, for an error.
func (s statement) String() string {
	var words []string
	for _, t := range s[:min(len(s), 4)] {
		words = append(words, fmt.Sprintf("%.40s", t.text))
	}
	return strings.Join(words, " ")
}

// begins reports whether the first words of the statement are those of the line.
func (s statement) begins(line string) bool {
	words := strings.Fields(line)
	if len(s) < len(words) {
		return false
	}
	for i, want := range words {
		if s[i] != (token{word, want}) {
			return false
		}
	}
	return true
}

// has reports whether the statement consists of a pattern's tokens. In the pattern, ? stands
// for any token that is not a sign.
func (s statement) has(pattern ...string) bool {
	return slices.EqualFunc(s, pattern, func(t token, want string) bool {
		return t.text == want && t.kind != name || want == "?" && t.kind != sign
	})
}

// statements splits a script, and calls check with each statement.
func statements(script string, check func(statement) error) error {
	if strings.Contains(script, "\x00") {
		return errors.New("a NUL is in the script")
	}
	var current statement
	l := lexer{text: script}
	for depth := 0; ; {
		t, ok, err := l.next()
		if err != nil {
			return err
		}
		if ok {
			depth = max(0, depth+nesting(t))
		}
		ends := ok && t == token{sign, ";"} && depth == 0
		if ok && !ends {
			current = append(current, t)
		}
		if ends && current.isOpen() {
			current = append(current, t)
			continue
		}
		if (ends || !ok) && len(current) > 0 {
			if err := check(current); err != nil {
				line := 1 + strings.Count(script[:l.at], "\n")
				return fmt.Errorf("the statement before line %d (%s …): %w", line, current, err)
			}
			current = nil
		}
		if !ok {
			return nil
		}
	}
}

func nesting(t token) int {
	switch t {
	case token{sign, "("}:
		return 1
	case token{sign, ")"}:
		return -1
	}
	return 0
}

// body returns what follows BEGIN ATOMIC in a statement that makes a function, or nil.
func (s statement) body() statement {
	if !s.makesFunction() {
		return nil
	}
	depth := 0
	for i, t := range s {
		depth += nesting(t)
		if depth == 0 && t == (token{word, "begin"}) && i+1 < len(s) && s[i+1] == (token{word, "atomic"}) {
			return s[i+2:]
		}
	}
	return nil
}

// isOpen reports whether a function's body lacks its END. CASE has an END of its own.
func (s statement) isOpen() bool {
	open := 0
	if body := s.body(); body != nil {
		open = 1
		for _, t := range body {
			switch t {
			case token{word, "case"}:
				open++
			case token{word, "end"}:
				open--
			}
		}
	}
	return open > 0
}

// checkBody refuses all but queries in the body of a function.
func (s statement) checkBody() error {
	begins := true
	for _, t := range s.body() {
		queries := []string{"select", "insert", "update", "delete", "merge", "with", "return", "values", "end", ";"}
		if begins && !slices.Contains(queries, t.text) {
			return fmt.Errorf("%q in the body of a function", t.text)
		}
		begins = t == token{sign, ";"}
	}
	return nil
}
