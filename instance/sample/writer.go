package sample

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"
)

// Write plays a busy server. Write commits transactions as fast as possible until
// the end of ctx, and returns their number and no error. Each transaction adds up
// to three statuses of one local account and a fave of the last status. In another
// table the transaction adds the number of statuses to the statuses_count of the
// account. [CheckInvariant] compares both tables. Write needs only the database, so
// another process can call Write.
func Write(ctx context.Context, database string) (transactions int, err error) {
	db, err := open(database)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	rnd := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	c := &change{rnd: rnd, text: newText(rnd)}
	for ; ctx.Err() == nil; transactions++ {
		if err := c.writeOnce(db); err != nil {
			return transactions, fmt.Errorf("write to %q: %w", database, err)
		}
	}
	return transactions, nil
}

func (c *change) writeOnce(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing to undo after Commit
	c.tx, c.stmts, c.now = tx, map[string]*sql.Stmt{}, time.Now()
	if c.local == nil {
		c.meet()
	}
	author, n := c.anyone(c.local), 1+c.rnd.IntN(3)
	var last status
	for range n {
		last = c.addStatus(ulid(c.now, c.rnd), author, last)
	}
	c.addFave(author, last)
	c.exec(`UPDATE account_stats SET statuses_count = statuses_count + ?, last_status_at = ? WHERE account_id = ?`,
		n, c.stamp(), author.id)
	if c.err != nil {
		return c.err
	}
	return tx.Commit()
}

// CheckInvariant returns an error if the database is not the result of whole
// transactions: a local account has another number of statuses than its
// statuses_count, or the status of a fave or mention is missing. CheckInvariant
// reads one consistent view, so a server may use the database meanwhile.
func CheckInvariant(database string) error {
	db, err := open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	var broken sql.NullString
	err = db.QueryRow(`SELECT group_concat(what, '; ') FROM (
		SELECT a.username || ' counts ' || st.statuses_count || ' statuses and has ' || count(s.id) AS what
			FROM accounts a JOIN account_stats st ON st.account_id = a.id LEFT JOIN statuses s ON s.account_id = a.id
			WHERE a.domain IS NULL GROUP BY a.id HAVING count(s.id) <> st.statuses_count
		UNION ALL SELECT 'no status for fave ' || id FROM status_faves WHERE status_id NOT IN (SELECT id FROM statuses)
		UNION ALL SELECT 'no status for mention ' || id FROM mentions WHERE status_id NOT IN (SELECT id FROM statuses)
	)`).Scan(&broken)
	if err != nil {
		return fmt.Errorf("check %q: %w", database, err)
	}
	if broken.Valid {
		return fmt.Errorf("check %q: %s", database, broken.String)
	}
	return nil
}
