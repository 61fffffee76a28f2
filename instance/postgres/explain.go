package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// explain adds to an error what can be done about it while a database is made
// and filled. postgres.explain has the words for one that is read.
func (l *load) explain(err error) error {
	var said *remedy.Error
	var damage *remedy.DamageError
	var server *pgconn.PgError
	var network net.Error
	what := &remedy.Error{Kind: remedy.Source, What: l.db.String(), Err: err}
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &said):
		return err
	case errors.As(err, &damage):
		what.Fix = "restore an earlier snapshot; or this one into a folder by --to, and load database/restore.sql there by psql, which says where it stops"
	case errors.As(err, &server):
		l.explainCode(what, server)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		what.What += wentAway
		what.Fix = seeWhy
	default: // of our own files
		return err
	}
	return what
}

const (
	wentAway = " went away while it was filled"
	seeWhy   = "see why PostgreSQL stopped (its log tells), or the network to it"
)

// explainCode goes by the codes of PostgreSQL's documentation, appendix A. What is
// made under the temporary name is made anew by the next run, so that nothing has
// to be cleared away.
func (l *load) explainCode(what *remedy.Error, err *pgconn.PgError) {
	switch class := err.Code[:min(2, len(err.Code))]; {
	case err.Code == "42501":
		what.What += fmt.Sprintf(": user %q lacks a right", l.db.config.User)
		what.Fix = l.db.mayCreate()
	case err.Code == "53100":
		what.What += ": the disk of PostgreSQL is full"
		what.Err = diskFull{err}
		what.Fix = "make room on that disk"
	case class == "53":
		what.Fix = "give PostgreSQL what it lacks: memory or connections"
	case class == "57" && err.Code != "57014", class == "08":
		what.What += wentAway
		what.Fix = seeWhy
	case class == "22", class == "23":
		// The server's words hold what stands in the row.
		what.Err = gotosocial.Damaged(fmt.Sprintf("PostgreSQL refuses a row of it (%s)", err.Code))
		what.Fix = "restore an earlier snapshot; or this one into a folder by --to, and load database/restore.sql there by psql, which names the row"
	case err.Code == "42P04":
		what.What += " was made meanwhile"
		what.Fix = "see who made it: GoToSocial must not run yet; --replace renames it aside"
	case err.Code == "55006":
		what.What += " is in use"
		what.Fix = "stop GoToSocial, and whoever else is connected to it"
	case class == "42", class == "0A", class == "3F":
		what.What += ": this server does not take the schema of the snapshot"
		what.Fix = "use PostgreSQL of the version that the instance ran on; or restore into a folder by --to, and load database/restore.sql there by psql, which says where it stops"
	case strings.HasPrefix(err.Code, "XX"):
		what.Fix = "see what PostgreSQL's log says about it, and look after its disk"
	default:
		what.Fix = "see what PostgreSQL's log says about it"
	}
}

// mayCreate is how the instance's user gets to make databases.
func (p *Database) mayCreate() string {
	return fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %s CREATEDB, and NOCREATEDB afterwards; or run Holdfast as root on the machine of PostgreSQL", quoteName(p.config.User))
}

// diskFull is the error of a server whose disk is full. It is syscall.ENOSPC, too.
type diskFull struct{ *pgconn.PgError }

func (diskFull) Is(target error) bool { return target == syscall.ENOSPC }
