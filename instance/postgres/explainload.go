package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// explainLoad adds a fix to an error of PostgreSQL while Holdfast makes and fills a
// database.
func (d *Database) explainLoad(err error) error {
	var explained *remedy.Error
	var damage *remedy.DamageError
	var server *pgconn.PgError
	what := &remedy.Error{Kind: remedy.Source, What: d.String(), Err: err}
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &explained):
		return err
	case errors.As(err, &damage):
		what.Fix = fixDamage + "which shows where it stops"
	case errors.As(err, &server):
		d.explainLoadCode(what, server)
	case disconnected(err):
		what.What += wentAway
		what.Fix = fixWentAway
	default: // an error of our own files
		return err
	}
	return what
}

const (
	wentAway    = " went away during the restore"
	fixWentAway = "find out from PostgreSQL's log why PostgreSQL stopped, or check the network"
	fixDamage   = "restore an earlier snapshot; or restore this one into a folder by --to, and load " +
		"database/restore.sql there by psql, "
)

// explainLoadCode explains an error code. The codes are in appendix A of
// PostgreSQL's documentation. A person has nothing to clean up: the next run makes
// the temporary database again.
func (d *Database) explainLoadCode(what *remedy.Error, err *pgconn.PgError) {
	switch class := err.Code[:min(2, len(err.Code))]; {
	case err.Code == "42501":
		what.What += fmt.Sprintf(": user %q lacks a right", d.config.User)
		what.Fix = d.fixCreating()
	case err.Code == "53100":
		what.What += ": the disk of PostgreSQL is full"
		what.Err = diskFull{err}
		what.Fix = "make room on that disk"
	case class == "53":
		what.Fix = "give PostgreSQL more memory or connections"
	case class == "57" && err.Code != "57014", class == "08":
		what.What += wentAway
		what.Fix = fixWentAway
	case quotesRows(err):
		what.Err = gotosocial.Damaged(fmt.Sprintf("PostgreSQL refuses a row (%s)", err.Code))
		what.Fix = fixDamage + "which names the row"
	case err.Code == "42P04":
		what.What += " appeared during the restore"
		what.Fix = "find out who made the database: GoToSocial must not run yet; --replace renames the database"
	case err.Code == "55006":
		what.What += " is in use"
		what.Fix = fixInUse
	case class == "42", class == "0A", class == "3F":
		what.What += ": this server does not accept the schema of the snapshot"
		what.Fix = "use PostgreSQL of the version that the instance ran on; or restore into a folder by --to, " +
			"and load database/restore.sql there by psql, which shows where it stops"
	case strings.HasPrefix(err.Code, "XX"):
		what.Fix = "look into PostgreSQL's log, and check its disk"
	default:
		what.Fix = "look into PostgreSQL's log"
	}
}

// explainSchema adds a fix to an error of a script. The usual cause is an
// extension that the schema needs.
func (d *Database) explainSchema(err error) error {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return err
	}
	switch server.Code {
	case "42501":
		return &remedy.Error{
			Kind: remedy.Source, Err: err,
			What: fmt.Sprintf("PostgreSQL's user %q lacks the right to make objects of the schema", d.config.User),
			Fix: fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %[1]s SUPERUSER, run the restore again, then "+
				"ALTER ROLE %[1]s NOSUPERUSER; a superuser's restore takes extensions and tables, but no functions",
				psql.QuoteName(d.config.User)),
		}
	case "58P01", "0A000":
		return &remedy.Error{
			Kind: remedy.Source, What: "this PostgreSQL lacks software that the schema needs", Err: err,
			Fix: "install the named software on PostgreSQL's machine, then run the restore again; " +
				"apt install postgresql-contrib has PostgreSQL's own extensions",
		}
	}
	return err
}

// fixCreating tells how the user gets the right to make databases.
func (d *Database) fixCreating() string {
	return fmt.Sprintf("as PostgreSQL's superuser: ALTER ROLE %s CREATEDB, and NOCREATEDB afterwards; "+
		"or run Holdfast as root on PostgreSQL's machine", psql.QuoteName(d.config.User))
}

// diskFull is an error of a server whose disk is full. It is [syscall.ENOSPC] too.
type diskFull struct{ *pgconn.PgError }

func (diskFull) Is(target error) bool { return target == syscall.ENOSPC }
