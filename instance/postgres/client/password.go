package client

import (
	"net/url"
	"strings"

	"holdfast/instance/gotosocial"
)

// NamesPassword reports whether GoToSocial's configuration has a password of the database.
func NamesPassword(c *gotosocial.Config) bool {
	text := c.Get("db-postgres-connection-string")
	if text == "" {
		return c.Get("db-password") != ""
	}
	if u, err := url.Parse(text); err == nil && u.Scheme != "" {
		_, known := u.User.Password()
		return known || u.Query().Has("password")
	}
	return strings.Contains(text, "password")
}
