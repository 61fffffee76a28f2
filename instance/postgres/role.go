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
func (p *Database) hasRole(ctx context.Context, admin *pgx.Conn) (there bool, err error) {
	err = admin.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, p.config.User).Scan(&there)
	return there, err
}

// makeRole makes GoToSocial's user, with its password and no right but to log in,
// where the server doesn't know it. Only a superuser gets here without it.
func (p *Database) makeRole(ctx context.Context, admin *pgx.Conn) (made bool, err error) {
	if there, err := p.hasRole(ctx, admin); err != nil || there {
		return false, err
	}
	statement := "CREATE ROLE " + quoteName(p.config.User) + " LOGIN"
	if p.config.Password != "" {
		verifier, err := scramVerifier(p.config.Password)
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

// scramVerifier is what PostgreSQL keeps of a password (RFC 5803, as in
// scram_build_secret of its src/common/scram-common.c). Sent in the password's
// place, it keeps that out of the server's log.
func scramVerifier(password string) (string, error) {
	const iterations = 4096 // PostgreSQL's own default
	if normal, err := precis.OpaqueString.String(password); err == nil {
		password = normal // as pgx does, by which GoToSocial logs in
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
	in64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, in64(salt), in64(stored[:]), in64(sign("Server Key"))), nil
}

// logIn tries GoToSocial's user and password, which the server looks at before it
// looks for a database.
func (p *Database) logIn(ctx context.Context) error {
	if p.socket() && os.Geteuid() == 0 && p.as == nil {
		return nil // it goes by the system's user of that name, which is made later
	}
	conn, err := p.maintenance().connect(ctx)
	if err == nil {
		return conn.Close(ctx)
	}
	var server *pgconn.PgError
	if !errors.As(err, &server) || !strings.HasPrefix(server.Code, "28") {
		return nil // it got past that
	}
	refused := &remedy.Error{Kind: remedy.Source, What: fmt.Sprintf("PostgreSQL refuses its user %q", p.config.User), Err: server}
	if server.Code == "28P01" {
		refused.Fix = fmt.Sprintf(`give it the password of GoToSocial's configuration: sudo -u postgres psql -c '\password %s'; or give a configuration with its own by --gotosocial`, quoteName(p.config.User))
	} else {
		refused.Fix = fmt.Sprintf("let PostgreSQL's pg_hba.conf allow user %s every database, at least while it is restored", p.config.User)
	}
	return refused
}
