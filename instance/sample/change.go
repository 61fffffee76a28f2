package sample

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// change is one transaction with its new and its removed files. The methods keep
// the first error for commit. After an error the methods do nothing.
type change struct {
	*Instance
	tx    *sql.Tx
	stmts map[string]*sql.Stmt // by SQL
	err   error

	rnd *rand.Rand
	now time.Time // of the invented clock
	*text

	self   account // of the instance itself
	local  []account
	remote []account

	media map[string]string // LocalMedia after the commit
	gone  []string          // keys of files to remove after the commit
}

type account struct {
	id, name, domain string // domain is empty for local accounts
	uri              string
}

type row map[string]any

// begin starts a change at the time now. Each change needs another stream, the
// number of a sequence of random numbers.
func (s *Instance) begin(db *sql.DB, now time.Time, stream uint64) (*change, error) {
	media, err := s.LocalMedia()
	if errors.Is(err, fs.ErrNotExist) {
		media, err = map[string]string{}, nil // the instance is new
	}
	if err != nil {
		return nil, err
	}
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	rnd := rand.New(rand.NewPCG(s.Config.Seed, stream))
	c := &change{
		Instance: s, tx: tx, stmts: map[string]*sql.Stmt{}, rnd: rnd, now: now, text: newText(rnd), media: media,
	}
	c.meet()
	return c, nil
}

// meet reads the accounts.
func (c *change) meet() {
	c.self, c.local, c.remote = account{}, nil, nil
	c.query(`SELECT id, username, coalesce(domain, ''), uri FROM accounts ORDER BY id`, func(r *sql.Rows) error {
		var a account
		if err := r.Scan(&a.id, &a.name, &a.domain, &a.uri); err != nil {
			return err
		}
		switch {
		case a.domain != "":
			c.remote = append(c.remote, a)
		case a.name == strings.Split(a.uri, "/")[2]: // the host
			c.self = a
		default:
			c.local = append(c.local, a)
		}
		return nil
	})
}

// insert adds a row. Missing columns get their defaults.
func (c *change) insert(table string, r row) {
	columns := slices.Sorted(maps.Keys(r))
	values := make([]any, len(columns))
	for i, column := range columns {
		values[i] = r[column]
	}
	c.exec(fmt.Sprintf(`INSERT INTO %q ("%s") VALUES (?%s)`,
		table, strings.Join(columns, `", "`), strings.Repeat(", ?", len(columns)-1)), values...)
}

func (c *change) exec(query string, args ...any) {
	if c.err != nil {
		return
	}
	stmt, ok := c.stmts[query]
	if !ok {
		if stmt, c.err = c.tx.Prepare(query); c.err != nil {
			return
		}
		c.stmts[query] = stmt // closed by the transaction's end
	}
	if _, err := stmt.Exec(args...); err != nil {
		c.err = fmt.Errorf("%s: %w", query, err)
	}
}

// query calls scan for each row.
func (c *change) query(query string, scan func(*sql.Rows) error, args ...any) {
	if c.err != nil {
		return
	}
	rows, err := c.tx.Query(query, args...)
	if err != nil {
		c.err = fmt.Errorf("%s: %w", query, err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		if c.err = scan(rows); c.err != nil {
			return
		}
	}
	c.err = rows.Err()
}

// column returns the only column of a query, as text.
func (c *change) column(query string, args ...any) []string {
	var all []string
	c.query(query, func(r *sql.Rows) error {
		var s string
		err := r.Scan(&s)
		all = append(all, s)
		return err
	}, args...)
	return all
}

// tick moves the clock by about step and returns an identifier of the new moment.
func (c *change) tick(step time.Duration) string {
	c.now = c.now.Add(step/2 + c.within(step))
	return ulid(c.now, c.rnd)
}

func (c *change) within(d time.Duration) time.Duration { return time.Duration(c.rnd.Int64N(int64(d))) }

func (c *change) stamp() string { return stamp(c.now) }

// write makes the file of a storage key. As with GoToSocial, the file is complete
// before the commit of the row.
func (c *change) write(key string, data []byte) {
	if c.err != nil {
		return
	}
	path := filepath.Join(c.Storage(), filepath.FromSlash(key))
	if c.err = os.MkdirAll(filepath.Dir(path), 0o755); c.err == nil {
		c.err = os.WriteFile(path, data, 0o644)
	}
}

// writeLocal writes a file that a backup must hold.
func (c *change) writeLocal(key string, data []byte) {
	c.write(key, data)
	sum := sha256.Sum256(data)
	c.media[key] = hex.EncodeToString(sum[:])
}

// remove removes a file after the commit.
func (c *change) remove(key string) {
	if key == "" { // a sound has no thumbnail
		return
	}
	delete(c.media, key)
	c.gone = append(c.gone, key)
}

func (c *change) commit() error {
	defer c.tx.Rollback() // nothing to undo after Commit
	if c.err != nil {
		return c.err
	}
	if err := c.tx.Commit(); err != nil {
		return err
	}
	for _, key := range c.gone {
		if err := os.Remove(filepath.Join(c.Storage(), filepath.FromSlash(key))); err != nil {
			return err
		}
	}
	var sums strings.Builder
	for _, key := range slices.Sorted(maps.Keys(c.media)) {
		fmt.Fprintf(&sums, "%s  storage/%s\n", c.media[key], key)
	}
	return os.WriteFile(c.ledger(), []byte(sums.String()), 0o644)
}
