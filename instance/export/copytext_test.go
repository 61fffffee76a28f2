package export

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// printed is a value as PostgreSQL's COPY prints it.
func printed(v *string) string {
	if v == nil {
		return `\N`
	}
	return strings.NewReplacer(`\`, `\\`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v",
		`\v`).Replace(*v)
}

func FuzzCopiedValuesComeBack(f *testing.F) {
	for _, text := range []string{"", `\N`, "N", "a\tb\nc\\d", "\\.", "\x00\xff", `\\\`, "\r\n"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		// Two values of a row, and a NULL between.
		line := printed(&a) + "\t" + printed(nil) + "\t" + printed(&b) + "\n"
		rows := 0
		err := eachCopied(strings.NewReader(line), 3, func(fields [][]byte) error {
			rows++
			for i, want := range []*string{&a, nil, &b} {
				got, err := copiedValue(fields[i])
				if err != nil || (got == nil) != (want == nil) || got != nil && *got != *want {
					t.Errorf("column %d of %q is %v, %v", i, line, got, err)
				}
			}
			return nil
		})
		if err != nil || rows != 1 {
			t.Errorf("%q: %d rows, %v", line, rows, err)
		}
		// Whatever lies in a file is read or refused, and no byte twice.
		err = eachCopied(strings.NewReader(a), 1, func(fields [][]byte) error {
			v, err := copiedValue(fields[0])
			if v != nil && len(*v) > len(fields[0]) {
				t.Errorf("%q became %q", fields[0], *v)
			}
			return err
		})
		if cut := a != "" && !strings.HasSuffix(a, "\n"); cut && err == nil {
			t.Errorf("%q was cut off, and nobody noticed", a)
		}
	})
}

func TestBrokenRowsAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"cut off":        {"a\tb\nc\td", "row 2: the table is cut off"},
		"columns lost":   {"a\tb\nc\n", "row 2: the row has 1 columns instead of 2"},
		"columns more":   {"a\tb\tc\n", "row 1: the row has 3 columns"},
		"open backslash": {"a\tb\\\n", "row 1: a column ends in a backslash"},
		"endless":        {"a\tb\n" + strings.Repeat("x", maxCopied+1), "row 2: the row is longer than 16777216 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := eachCopied(strings.NewReader(c.text), 2, func(fields [][]byte) error {
				_, err := copiedValue(fields[1])
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.200v", err)
			}
		})
	}
	if err := eachCopied(io.MultiReader(strings.NewReader("a\n"), broken{}), 1,
		func([][]byte) error { return nil }); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a disk that fails: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
