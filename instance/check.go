package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// checkedMedia is how many media a check looks for.
const checkedMedia = 200

// Check looks whether the rebuilt instance is what the snapshot said: its local
// accounts, that each one's keys belong together, and a sample of the media. It
// starts no server.
func (r *Rebuild) Check(ctx context.Context) (notes []string, err error) {
	db, err := r.rebuilt(ctx)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	defer db.close()
	var accounts int64
	err = db.accounts(ctx, func(name, private, public string) error {
		if err := keysMatch(private, public); err != nil {
			return &DamageError{Findings: []string{fmt.Sprintf("account %s: %v", name, err)}}
		}
		if name != r.Domain {
			accounts++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	if r.Facts.Accounts != 0 && accounts != r.Facts.Accounts {
		return nil, &DamageError{Findings: []string{fmt.Sprintf("%d local accounts, the snapshot has %d", accounts, r.Facts.Accounts)}}
	}
	notes = append(notes, fmt.Sprintf("keys: those of %s belong together, and the instance's own", plural(int(accounts), "local account")))
	note, err := r.checkMedia(ctx, db)
	return append(notes, note), err
}

// checkMedia looks for media that rows name, chosen at random.
func (r *Rebuild) checkMedia(ctx context.Context, db rebuiltDatabase) (string, error) {
	var sample []string
	n := 0
	if err := db.localKeys(ctx, func(key string) {
		n++
		if len(sample) < checkedMedia {
			sample = append(sample, key)
		} else if i := rand.IntN(n); i < checkedMedia {
			sample[i] = key
		}
	}); err != nil {
		return "", fmt.Errorf("check media: %w", err)
	}
	missing := 0
	for _, key := range sample {
		if err := r.there(ctx, key); errors.Is(err, fs.ErrNotExist) {
			missing++
		} else if err != nil {
			return "", fmt.Errorf("check media: %w", err)
		}
	}
	note := fmt.Sprintf("media: %d of %d looked for, ", len(sample), n)
	if missing == 0 {
		return note + "all are there", nil
	}
	return note + fmt.Sprintf("%d are not there: the snapshot is without them", missing), nil
}

func (r *Rebuild) there(ctx context.Context, key string) error {
	if r.Config.InBucket() {
		_, err := r.Bucket.Stat(ctx, key)
		return err
	}
	_, err := os.Stat(filepath.Join(r.Config.Storage(), filepath.FromSlash(key)))
	return err
}

// rebuiltDatabase is a database that no server uses yet.
type rebuiltDatabase interface {
	// accounts tells the local accounts and their keys.
	accounts(ctx context.Context, account func(name, private, public string) error) error
	localKeys(ctx context.Context, key func(string)) error
	close()
}

func (r *Rebuild) rebuilt(ctx context.Context) (rebuiltDatabase, error) {
	if r.Config.Engine() == Postgres {
		p, err := openPostgres(r.Config)
		if err != nil {
			return nil, err
		}
		conn, err := p.connect(ctx)
		return &rebuiltPostgres{p, conn}, err
	}
	c, err := open(r.Config.Database(), readAlone)
	return &rebuiltSQLite{c}, err
}

const localAccounts = `SELECT username, private_key, public_key FROM accounts WHERE domain IS NULL ORDER BY id`

type rebuiltSQLite struct{ conn *conn }

func (d *rebuiltSQLite) accounts(ctx context.Context, account func(name, private, public string) error) error {
	return d.conn.each(ctx, localAccounts, nil, func(row *stmt) error { return account(row.text(0), row.text(1), row.text(2)) })
}

func (d *rebuiltSQLite) localKeys(ctx context.Context, key func(string)) error {
	return d.conn.each(ctx, localKeys, nil, func(row *stmt) error { key(row.text(0)); return nil })
}

func (d *rebuiltSQLite) close() { d.conn.close() }

type rebuiltPostgres struct {
	*postgres
	conn *pgx.Conn
}

func (d *rebuiltPostgres) accounts(ctx context.Context, account func(name, private, public string) error) error {
	rows, err := d.conn.Query(ctx, `SELECT username::text, private_key::text, public_key::text FROM (`+localAccounts+`) AS a`)
	if err != nil {
		return d.explain(err)
	}
	var name, private, public *string
	_, err = pgx.ForEachRow(rows, []any{&name, &private, &public}, func() error {
		return account(orEmpty(name), orEmpty(private), orEmpty(public))
	})
	return d.explain(err)
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (d *rebuiltPostgres) close() { d.conn.Close(context.Background()) }

// Rest is what a restore leaves to a person.
func (r *Rebuild) Rest() (rest []string) {
	if version := r.Facts.GoToSocial; version != "" {
		rest = append(rest, fmt.Sprintf("install GoToSocial %s or newer, if it is not there: %s", version, fetchBinary(version)))
	} else {
		rest = append(rest, fetchBinary(""))
	}
	rest = append(rest,
		fmt.Sprintf("let the name %s lead to this machine (DNS), and the web server or proxy in front of GoToSocial be as it was", r.Domain),
		"make sure that the old server never starts again",
		"start GoToSocial: "+r.start(),
		"set up Holdfast here: holdfast init with a new prefix in the bucket; the old snapshots stay restorable with the old kit",
	)
	return rest
}

func (r *Rebuild) start() string {
	for _, f := range r.Files {
		if dir, name := filepath.Split("/" + f.Path); dir == "/etc/systemd/system/" && filepath.Ext(name) == ".service" {
			return "systemctl daemon-reload && systemctl enable --now " + name
		}
	}
	return fmt.Sprintf("gotosocial --config-path %s server start, in %s, as its own user", r.Config.File, r.Config.WorkingDir)
}
