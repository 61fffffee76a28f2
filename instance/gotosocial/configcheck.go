package gotosocial

import (
	"fmt"
	"strconv"
	"strings"

	"holdfast/remedy"
)

// Check returns an error if a setting is missing, contradictory or unsupported.
func (c *Config) Check() error {
	const nested = "write keys at the top level of the file: GoToSocial ignores nested keys"
	host, account := c.Domain(), strings.ToLower(c.Get("account-domain"))
	switch {
	case host == "":
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's configuration sets no host",
			Fix: "set host in the file, or GTS_HOST; " + nested}
	case host != remedy.Printable(host):
		// A record would refuse the domain, but only after the upload.
		return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("host %q is not a domain", host),
			Fix: "correct host"}
	case account != "" && account != host && !strings.HasSuffix(host, "."+account):
		return &remedy.Error{Kind: remedy.Setting,
			What: fmt.Sprintf("host %q is not a subdomain of account-domain %q", host, account),
			Fix:  "correct host and account-domain, or give Holdfast the configuration that the server reads"}
	}
	switch engine := c.Engine(); engine {
	case SQLite:
		// The address may be a URI of PostgreSQL, with a password: no error quotes the text.
		address := c.Get("db-address")
		if sqlitePath(address) == "" || strings.Contains(address, ":memory:") || strings.Contains(address, "://") {
			return &remedy.Error{Kind: remedy.Setting, What: "db-type is sqlite, but db-address names no file",
				Fix: "set db-address to the path of the database file"}
		}
	case Postgres:
		if err := c.CheckServer(); err != nil {
			return err
		}
	case "":
		return &remedy.Error{Kind: remedy.Setting, What: "GoToSocial's configuration sets no db-type",
			Fix: "set db-type in the file, or GTS_DB_TYPE; " + nested}
	default:
		return &remedy.Error{Kind: remedy.Setting, Fix: "set db-type to sqlite or postgres",
			What: fmt.Sprintf("db-type %q is neither sqlite nor postgres", engine)}
	}
	switch backend := c.Get("storage-backend"); backend {
	case "local":
		if c.Get("storage-local-base-path") == "" {
			return &remedy.Error{Kind: remedy.Setting, What: "storage-local-base-path is empty",
				Fix: "set storage-local-base-path to the media folder"}
		}
		return nil
	case "s3":
		return c.CheckBucket()
	default:
		return &remedy.Error{Kind: remedy.Setting, Fix: "set storage-backend to local or s3",
			What: fmt.Sprintf("storage-backend %q is neither local nor s3", backend)}
	}
}

// CheckServer returns an error if db-address is no address of a PostgreSQL server. The error
// does not quote the address: a URI holds a password.
func (c *Config) CheckServer() error {
	if address := c.Get("db-address"); strings.ContainsAny(address, "@=") || strings.Contains(address, "://") {
		return &remedy.Error{Kind: remedy.Setting,
			What: "db-address holds a connection string, and GoToSocial takes it for the name of a server",
			Fix: "set db-address to the server's name, address or socket folder; a connection string belongs into " +
				"db-postgres-connection-string"}
	}
	return nil
}

// CheckBucket returns an error if a setting of the bucket is missing or wrong.
func (c *Config) CheckBucket() error {
	for _, key := range []string{
		"storage-s3-endpoint", "storage-s3-bucket", "storage-s3-access-key", "storage-s3-secret-key",
	} {
		if c.Get(key) == "" {
			return &remedy.Error{Kind: remedy.Setting, What: "storage-backend is s3, but " + key + " is not set",
				Fix: "set the key in GoToSocial's file, or " + variable(key)}
		}
	}
	tls := c.Get("storage-s3-use-ssl")
	if _, err := strconv.ParseBool(tls); err != nil {
		return &remedy.Error{Kind: remedy.Setting, Fix: "set storage-s3-use-ssl to true or false",
			What: fmt.Sprintf("storage-s3-use-ssl %q is neither true nor false", tls)}
	}
	return nil
}
