package remedy_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"holdfast/remedy"
)

func TestErrorSaysWhatHappenedAndTheCause(t *testing.T) {
	for _, c := range []struct {
		err  *remedy.Error
		want string
	}{
		{&remedy.Error{What: "no database", Fix: "correct db-address"}, "no database"},
		{&remedy.Error{Err: fs.ErrNotExist}, "file does not exist"},
		{
			&remedy.Error{What: "no database", Effect: "nothing was saved", Err: fs.ErrNotExist},
			"no database: file does not exist",
		},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestCauseStaysVisible(t *testing.T) {
	err := fmt.Errorf("open: %w", &remedy.Error{Kind: remedy.Source, What: "no database", Err: fs.ErrNotExist})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the cause is hidden")
	}
}

func TestOutermostErrorDecidesTheKind(t *testing.T) {
	inner := &remedy.Error{Kind: remedy.Unreachable, What: "bucket does not answer"}
	outer := fmt.Errorf("list media: %w", &remedy.Error{Kind: remedy.Source, What: "media", Err: inner})
	for kind, want := range map[remedy.Kind]bool{remedy.Source: true, remedy.Unreachable: false} {
		if remedy.Is(outer, kind) != want {
			t.Errorf("Is(%d) is %t", kind, !want)
		}
	}
	if remedy.Is(errors.New("plain"), remedy.Unexpected) {
		t.Error("an error without a kind has one")
	}
}

func TestDamageErrorIsDamage(t *testing.T) {
	damage := &remedy.DamageError{What: "the database is damaged", Findings: []string{"row 1", "row 2"}}
	err := fmt.Errorf("check: %w", damage)
	if !remedy.Is(err, remedy.Damage) || remedy.Is(err, remedy.Source) {
		t.Error("not of kind Damage")
	}
	if want := "check: the database is damaged: row 1; row 2"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
