package psql

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"golang.org/x/text/secure/precis"
)

// Verifier returns the form in which PostgreSQL stores a password (RFC 5803,
// scram_build_secret in src/common/scram-common.c). The verifier takes the place of
// the password in SQL, so that the server's log never holds the password.
func Verifier(password string) (string, error) {
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
