// Package postgres reads the live PostgreSQL database of an instance, and makes
// and fills a restored one.
package postgres

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/client"
	"holdfast/instance/postgres/peer"
	"holdfast/remedy"
)

// Database is a PostgreSQL database. Holdfast connects to the database in the
// same way as GoToSocial.
type Database struct {
	config *pgx.ConnConfig
	as     *syscall.Credential // the Unix user that connects to a socket, or nil
	// lockWait is how long a backup waits for the locks of other sessions.
	lockWait time.Duration
	owner    string // GoToSocial's user, if a user of Holdfast's own reads the database; else ""
	login    string // names the settings of user and password, for a fix
	standby  bool   // the server follows a primary server; known once a view exists
}

// Open reads the settings of the database. Open makes no connection. Root refuses some
// settings of a configuration that another user can change.
func Open(c *gotosocial.Config) (*Database, error) {
	config, err := parse(c)
	if err != nil {
		return nil, err
	}
	d, err := configured(config, c)
	if err == nil {
		err = d.checkForeign(c)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parse returns the connection of GoToSocial. As in GoToSocial's internal/db/bundb, a
// connection string replaces all other settings.
func parse(c *gotosocial.Config) (*pgx.ConnConfig, error) {
	if text := c.Get("db-postgres-connection-string"); text != "" {
		if err := client.CheckFiles(text); err != nil {
			return nil, err
		}
		config, err := pgx.ParseConfig(text)
		if err != nil { // the error may quote the password
			return nil, &remedy.Error{
				Kind: remedy.Setting,
				What: "db-postgres-connection-string is not a connection string of PostgreSQL",
				Fix:  "correct the setting, as in postgres://USER:PASSWORD@HOST/DATABASE",
			}
		}
		return config, nil
	}
	if err := c.CheckServer(); err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(c.Get("db-port"), 10, 16)
	if err != nil {
		return nil, &remedy.Error{
			Kind: remedy.Setting, What: fmt.Sprintf("db-port: %q is not a port", c.Get("db-port")),
			Fix: "correct db-port",
		}
	}
	config.Port, config.Database = uint16(port), c.Get("db-database")
	for key, to := range map[string]*string{
		"db-address": &config.Host, "db-user": &config.User, "db-password": &config.Password,
	} {
		if value := c.Get(key); value != "" {
			*to = value
		}
	}
	config.Fallbacks = nil // $PGHOST may name several servers
	config.TLSConfig, err = client.TLS(c)
	return config, err
}

// configured applies Holdfast's own settings to a connection of GoToSocial: another user,
// and the server itself in place of a pooler.
func configured(config *pgx.ConnConfig, c *gotosocial.Config) (*Database, error) {
	config.Database = cmp.Or(config.Database, config.User) // as PostgreSQL's clients do
	login := "db-user and db-password"
	owner := ""
	if c.PostgresUser != "" {
		owner = config.User
		// Holdfast's user never sends the password of GoToSocial's.
		config.User, config.Password = c.PostgresUser, c.PostgresPassword
		login = "instance.postgres_user and instance.postgres_password"
	}
	if c.PostgresServer != "" {
		if err := setServer(config, c.PostgresServer); err != nil {
			return nil, err
		}
	}
	d := newDatabase(config)
	d.owner, d.login, d.lockWait = owner, login, cmp.Or(c.LockWait, defaultLockWait)
	return d, nil
}

// setServer replaces the server of a connection by HOST:PORT.
func setServer(config *pgx.ConnConfig, server string) error {
	host, port, err := net.SplitHostPort(server)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || host == "" {
		return &remedy.Error{
			Kind: remedy.Setting, What: fmt.Sprintf("instance.postgres: %q is not HOST:PORT", server),
			Fix: `write "127.0.0.1:5432", or "/run/postgresql:5432" for a socket`,
		}
	}
	config.Host, config.Port, config.Fallbacks = host, uint16(number), nil
	if config.TLSConfig != nil {
		config.TLSConfig = config.TLSConfig.Clone()
		config.TLSConfig.ServerName = host
	}
	return nil
}

// defaultLockWait is enough for a VACUUM FULL of a small table. A migration may take
// longer: then the next backup gets the tables.
const defaultLockWait = 5 * time.Minute

// applicationName names the connections of Holdfast to the server. By this name,
// [Database.vacate] tells Holdfast's own connections from those of other programs.
const applicationName = "holdfast"

func newDatabase(config *pgx.ConnConfig) *Database {
	d := &Database{config: config}
	config.RuntimeParams["application_name"] = applicationName
	if d.socket() && os.Geteuid() == 0 {
		d.as = account(config.User)
	}
	if d.as != nil {
		config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			return peer.DialAs(ctx, network, addr, d.as)
		}
	}
	return d
}

// with returns another database on the same server, for another user.
func (d *Database) with(database, user string) *Database {
	config := d.config.Copy()
	config.Database, config.User = database, user
	other := newDatabase(config)
	other.login = d.login
	return other
}

// maintenance returns the database that every server has, for the same user.
func (d *Database) maintenance() *Database {
	m := d.with("postgres", d.config.User)
	delete(m.config.RuntimeParams, "search_path")
	return m
}

// socket reports whether clients reach the server by a socket on this machine.
func (d *Database) socket() bool { return filepath.IsAbs(d.config.Host) }

// isLocal reports whether the server runs on this machine.
func (d *Database) isLocal() bool {
	return d.socket() || slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, d.config.Host)
}

// account returns the Unix user of a name, or nil.
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

// String names the database and its server.
func (d *Database) String() string {
	if d.socket() {
		return fmt.Sprintf("database %q by the socket in %s", d.config.Database, d.config.Host)
	}
	server := net.JoinHostPort(d.config.Host, strconv.Itoa(int(d.config.Port)))
	return fmt.Sprintf("database %q at %s", d.config.Database, server)
}

// Holds returns false: no backup looks where the server keeps its files.
func (d *Database) Holds(fs.FileInfo) bool { return false }
