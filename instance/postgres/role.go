package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/text/secure/precis"

	"holdfast/remedy"
)

// hasRole reports whether the server knows GoToSocial's user.
func (d *Database) hasRole(ctx context.Context, admin *pgx.Conn) (exists bool, err error) {
	err = admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, d.config.User).Scan(&exists)
	return exists, err
}

// makeRole makes GoToSocial's user with its password and the right to log in,
// unless the server knows the user. Only a superuser can connect without the user.
func (d *Database) makeRole(ctx context.Context, admin *pgx.Conn) (made bool, err error) {
	if exists, err := d.hasRole(ctx, admin); err != nil || exists {
		return false, err
	}
	statement := "CREATE ROLE " + quoteName(d.config.User) + " LOGIN"
	if d.config.Password != "" {
		verifier, err := scramVerifier(d.config.Password)
		if err != nil {
			return false, fmt.Errorf("make PostgreSQL's user: %w", err)
		}
		statement += " PASSWORD '" + verifier + "'"
	}
	if _, err := admin.Exec(ctx, statement); err != nil {
		return false, fmt.Errorf("make PostgreSQL's user: %w", err)
	}
	return true, nil
}

// scramVerifier returns the form in which PostgreSQL stores a password (RFC 5803,
// scram_build_secret in src/common/scram-common.c). The verifier takes the place of
// the password in SQL, so that the server's log never holds the password.
func scramVerifier(password string) (string, error) {
	const iterations = 4096 // PostgreSQL's own default
	if normal, err := precis.OpaqueString.String(password); err == nil {
		password = normal // as in pgx, GoToSocial's client
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]),
		encode(sign("Server Key"))), nil
}

// logIn checks GoToSocial's user and password. The server checks them before it
// looks for a database.
func (d *Database) logIn(ctx context.Context) error {
	if d.socket() && os.Geteuid() == 0 && d.as == nil {
		return nil // a later step of the restore makes the Unix user
	}
	conn, err := d.maintenance().connect(ctx)
	if err == nil {
		return conn.Close(ctx)
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) || !strings.HasPrefix(server.Code, "28") {
		return nil // the server accepted the user
	}
	refused := &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("PostgreSQL refuses its user %q", d.config.User),
		Err: server}
	if server.Code == "28P01" {
		refused.Fix = fmt.Sprintf(`give the user the password of GoToSocial's configuration: `+
			`sudo -u postgres psql -c '\password %s'; `+
			`or give a configuration with the user's password by --gotosocial`, quoteName(d.config.User))
	} else {
		refused.Fix = fmt.Sprintf("let user %s connect to every database by pg_hba.conf, at least during the "+
			"restore", d.config.User)
	}
	return refused
}
