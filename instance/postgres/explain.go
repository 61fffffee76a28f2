package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/postgres/psql"
	"holdfast/remedy"
)

// explain adds a fix to an error of PostgreSQL while Holdfast reads a database.
// explainLoad is for a database that Holdfast fills. Both leave out messages of the
// server with data, such as the row that breaks a rule.
func (d *Database) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if explained := (*remedy.Error)(nil); errors.As(err, &explained) {
		return err
	}
	what := &remedy.Error{Kind: remedy.Source, What: d.String(), Err: err, Fix: "look into PostgreSQL's log"}
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &server):
		d.explainCode(what, server)
	case untrusted(err):
		what.What += ": the server's certificate is not trusted"
		what.Fix = "name the authority that signed the certificate by db-tls-ca-cert, and by db-address a name in " +
			"the certificate; " +
			"in a connection string by sslrootcert and host"
	case errors.As(err, &connect):
		what.What += " can't be reached"
		what.Fix = "make sure that PostgreSQL runs there, and correct db-address, db-port and db-tls-mode"
	case disconnected(err):
		what.What += " went away"
		what.Fix = "find out why PostgreSQL or the network to it stopped, then run the command again"
	}
	what.Fix += d.standbyFix()
	return what
}

// standbyFix is a fix for all errors of a standby, or "".
func (d *Database) standbyFix() string {
	if !d.standby {
		return ""
	}
	return "; the server is a standby: back up from the primary server, " +
		"or set hot_standby_feedback = on on the standby"
}

// untrusted reports whether TLS failed because of the server's certificate.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &invalid)
}

// disconnected reports whether a connection broke.
func disconnected(err error) bool {
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// explainCode explains an error code. The codes are in appendix A of PostgreSQL's
// documentation.
func (d *Database) explainCode(what *remedy.Error, err *pgconn.PgError) {
	switch code := err.Code; {
	case strings.HasPrefix(code, "28"):
		what.What += fmt.Sprintf(" refused user %q", d.config.User)
		what.Fix = "correct " + d.login
		switch {
		case code == "28P01": // a wrong password
		case d.socket():
			what.Fix += "; if PostgreSQL asks the system for the user (peer), run Holdfast as root or as that user"
		case d.config.TLSConfig == nil:
			what.Fix += "; if pg_hba.conf demands TLS (hostssl), set db-tls-mode to enable or require"
		default:
			what.Fix += ", or let that user in from here by pg_hba.conf"
		}
	case code == "3D000":
		what.What += " does not exist"
		what.Fix = "correct db-database"
	case code == "42501":
		what.Fix = d.fixReading()
	case code == "42P01":
		what.What += " lost a table during the backup"
		what.Fix = "let GoToSocial finish its migrations, then run the command again"
	case code == "55P03":
		what.What += ": another session waits for an exclusive lock on a table, or holds the lock"
		what.Fix = "let GoToSocial finish its migrations, then run the command again; " +
			"instance.lock_wait sets how long a backup waits"
	case code == "40001" && d.standby:
		what.What += ": a change of the primary server ended the query"
		what.Fix = "run the command again"
	case code == "55006":
		what.What += " is in use"
		what.Fix = fixInUse
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"):
		what.What += " went away"
		what.Fix = "find out why PostgreSQL stopped, then run the command again"
	case strings.HasPrefix(code, "53"):
		what.Fix = "give PostgreSQL more room on its disk, memory or connections"
	case quotesRows(err):
		what.Err = fmt.Errorf("PostgreSQL refuses a row (%s)", code)
		what.Fix = "look into PostgreSQL's log, which names the row"
	case code == "XX001", code == "XX002":
		what.What += " is damaged"
		what.Fix = "keep a copy of PostgreSQL's data folder; pg_amcheck finds the damage"
	}
}

// quotesRows reports whether the server's words may quote a row: the row is no value of a type
// (22), breaks a rule (23), or makes a function of the database raise an exception (P0).
func quotesRows(err *pgconn.PgError) bool {
	return slices.Contains([]string{"22", "23", "P0"}, err.Code[:min(2, len(err.Code))])
}

const fixInUse = "stop GoToSocial and every other program that is connected to the database"

// fixReading tells how the user gets the right to read everything.
func (d *Database) fixReading() string {
	return fmt.Sprintf("as PostgreSQL's superuser: GRANT pg_read_all_data TO %s (since PostgreSQL 14); "+
		"better, use GoToSocial's own database user, who owns everything", psql.QuoteName(d.config.User))
}
