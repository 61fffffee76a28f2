package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestErrorQuotesNoRow(t *testing.T) {
	c, err := gotosocial.Load("", []string{"GTS_DB_ADDRESS=127.0.0.1", "GTS_DB_PORT=1", "GTS_DB_USER=gotosocial"})
	testkit.OK(t, err)
	d, err := Open(c)
	testkit.OK(t, err)
	for name, explain := range map[string]func(error) error{"read": d.explain, "load": d.explainLoad} {
		for _, code := range []string{"22P02", "22001", "23505", "23514", "P0001"} {
			err := explain(fmt.Errorf("table statuses: %w", &pgconn.PgError{Code: code,
				Message: `a row has "a private post"`, Detail: "private", Hint: "private", Where: "private"}))
			var said *remedy.Error
			if !errors.As(err, &said) || !strings.Contains(err.Error(), code) || said.Fix == "" ||
				strings.Contains(err.Error()+said.Fix+said.Effect, "private") {
				t.Errorf("%s, %s: %v", name, code, err)
			}
		}
	}
}
