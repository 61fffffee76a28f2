// Package postgres reads the live PostgreSQL database of an instance, and makes and
// fills a restored one.
package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/instance/gotosocial"
	"holdfast/remedy"
)

// Database is a PostgreSQL database, reached as GoToSocial reaches it.
type Database struct {
	config *pgx.ConnConfig
	as     *syscall.Credential
}

// Open reads the settings as GoToSocial's internal/db/bundb does: a
// connection string makes all others void.
func Open(c *gotosocial.Config) (*Database, error) {
	if text := c.Get("db-postgres-connection-string"); text != "" {
		config, err := pgx.ParseConfig(text)
		if err != nil { // its words may hold the password
			return nil, &remedy.Error{Kind: remedy.Setting, What: "db-postgres-connection-string is none that PostgreSQL's clients read", Fix: "correct it, as in postgres://USER:PASSWORD@HOST/DATABASE"}
		}
		return newPostgres(config), nil
	}
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(c.Get("db-port"), 10, 16)
	if err != nil {
		return nil, &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-port %q is no port", c.Get("db-port")), Fix: "correct db-port"}
	}
	config.Port, config.Database = uint16(port), c.Get("db-database")
	for key, to := range map[string]*string{"db-address": &config.Host, "db-user": &config.User, "db-password": &config.Password} {
		if value := c.Get(key); value != "" {
			*to = value
		}
	}
	config.Fallbacks = nil // $PGHOST may name several
	if config.TLSConfig, err = tlsConfig(c); err != nil {
		return nil, err
	}
	return newPostgres(config), nil
}

// tlsConfig is what the TLS modes of GoToSocial mean.
func tlsConfig(c *gotosocial.Config) (*tls.Config, error) {
	switch mode := c.Get("db-tls-mode"); mode {
	case "", "disable":
		return nil, nil
	case "enable":
		return &tls.Config{InsecureSkipVerify: true}, nil
	case "require":
	default:
		return nil, &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("db-tls-mode %q is none of disable, enable, require", mode), Fix: "correct db-tls-mode"}
	}
	config := &tls.Config{ServerName: c.Get("db-address"), MinVersion: tls.VersionTLS12}
	file := c.Absolute(c.Get("db-tls-ca-cert"))
	if file == "" {
		return config, nil
	}
	wrong := func(kind remedy.Kind, err error) error {
		return &remedy.Error{Kind: kind, What: "no certificate authority in " + file, Err: err, Fix: "correct db-tls-ca-cert"}
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, wrong(remedy.Source, err)
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool()
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, wrong(remedy.Setting, nil)
	}
	return config, nil
}

func newPostgres(config *pgx.ConnConfig) *Database {
	config.Database = cmp.Or(config.Database, config.User) // as PostgreSQL's clients do
	p := &Database{config: config}
	config.RuntimeParams["application_name"] = "holdfast"
	if p.socket() && os.Geteuid() == 0 {
		p.as = account(config.User)
	}
	if p.as != nil {
		config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialAs(ctx, network, addr, p.as)
		}
	}
	return p
}

// socket reports whether the server is reached by a socket on this machine.
func (p *Database) socket() bool { return filepath.IsAbs(p.config.Host) }

// account is the system's user of a name, or nil.
func account(name string) *syscall.Credential {
	u, err := user.Lookup(name)
	if err != nil {
		return nil
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (p *Database) String() string {
	if p.socket() {
		return fmt.Sprintf("database %q by the socket in %s", p.config.Database, p.config.Host)
	}
	return fmt.Sprintf("database %q at %s", p.config.Database, net.JoinHostPort(p.config.Host, strconv.Itoa(int(p.config.Port))))
}

// File is "": the server has its files where it wants.
func (p *Database) File() string { return "" }

// Holds is false: the server keeps its files where no backup looks.
func (p *Database) Holds(fs.FileInfo) bool { return false }

// explain adds to an error of PostgreSQL what can be done about it. Where the
// server's own words hold data, such as a row that breaks a rule, they are not
// in the error.
func (p *Database) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if problem := (*remedy.Error)(nil); errors.As(err, &problem) {
		return err
	}
	what := &remedy.Error{Kind: remedy.Source, What: p.String(), Err: err, Fix: "see what PostgreSQL's log says about it"}
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &server):
		p.explainCode(what, server)
	case untrusted(err):
		what.What += " shows a certificate that can't be trusted"
		what.Fix = "name the authority that signed it by db-tls-ca-cert, and the server by a name that stands in it (db-address); in a connection string by sslrootcert and host"
	case errors.As(err, &connect):
		what.What += " can't be reached"
		what.Fix = "see that PostgreSQL runs there, and correct db-address, db-port and db-tls-mode"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		what.What += " went away"
		what.Fix = "see why PostgreSQL stopped, or the network to it, then run it again"
	}
	return what
}

// untrusted reports whether TLS ended over the server's certificate.
func untrusted(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &invalid)
}

// explainCode goes by the codes of PostgreSQL's documentation, appendix A.
func (p *Database) explainCode(what *remedy.Error, err *pgconn.PgError) {
	switch code := err.Code; {
	case strings.HasPrefix(code, "28"):
		what.What += fmt.Sprintf(" refused user %q", p.config.User)
		what.Fix = "correct db-user and db-password"
		switch {
		case code == "28P01": // a wrong password
		case p.socket():
			what.Fix += "; where PostgreSQL asks the system who it is (peer), run Holdfast as root or as that user"
		case p.config.TLSConfig == nil:
			what.Fix += "; where pg_hba.conf takes none without TLS (hostssl), set db-tls-mode to enable or require"
		default:
			what.Fix += ", or have pg_hba.conf let that user in from here"
		}
	case code == "3D000":
		what.What += " does not exist"
		what.Fix = "correct db-database"
	case code == "42501":
		what.Fix = p.readFix()
	case code == "42P01":
		what.What += " lost a table while it was read"
		what.Fix = "let GoToSocial finish its migrations, then run it again"
	case code == "55006":
		what.What += " is in use"
		what.Fix = "stop GoToSocial, and whoever else is connected to it"
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"):
		what.What += " went away"
		what.Fix = "see why PostgreSQL stopped, then run it again"
	case strings.HasPrefix(code, "53"):
		what.Fix = "give PostgreSQL what it lacks: room on its disk, memory or connections"
	case code == "XX001", code == "XX002":
		what.What += " is damaged"
		what.Fix = "keep a copy of PostgreSQL's data folder; pg_amcheck finds what is broken"
	}
}

// quoteName quotes a name for SQL.
func quoteName(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
