package sample

import (
	"errors"
	"fmt"
	"time"
)

// Night is the nth day of ordinary change: call it with 1, 2, 3, … in turn.
//
//   - 1 % more statuses, at least 20, and two of the new local ones with a
//     picture, one of the remote ones
//   - 1 % of the remote statuses fetched anew, a tenth of the accounts with
//     other counts, at scattered rows
//   - 0.5 % of the statuses deleted, at least 10, among the oldest remote ones
//   - the local status with the oldest picture deleted, files and all
//   - the two oldest remote pictures uncached: files gone, rows kept
//   - one local emoji more
//
// With Config.Media above 100 there are two new local pictures for each
// hundred. Afterwards sqlite.db is whole and has no write-ahead log, unless
// [Instance.Start] or someone else keeps the database open.
func (s *Instance) Night(n int) error {
	if err := s.night(n); err != nil {
		return fmt.Errorf("age sample in %q by day %d: %w", s.Dir, n, err)
	}
	return nil
}

func (s *Instance) night(n int) error {
	db, err := open(s.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	c, err := s.begin(db, dawn.Add(time.Duration(n-1)*day), uint64(n))
	if err != nil {
		return err
	}
	theirs := c.column(`SELECT id FROM statuses WHERE NOT local ORDER BY id`)
	oldest := theirs[:len(theirs)/3]

	c.post(max(20, s.Config.Statuses/100), day)
	c.illustrate("local", max(2, s.Config.Media/50))
	c.illustrate("NOT local", max(1, s.Config.Media/150))
	for _, i := range c.rnd.Perm(len(theirs))[:len(theirs)/100] {
		c.exec(`UPDATE statuses SET fetched_at = ? WHERE id = ?`, c.stamp(), theirs[i])
	}
	for _, i := range c.rnd.Perm(len(c.remote))[:len(c.remote)/10] {
		c.exec(`UPDATE account_stats SET followers_count = followers_count + 1, regenerated_at = ? WHERE account_id = ?`, c.stamp(), c.remote[i].id)
	}
	for _, i := range c.rnd.Perm(len(oldest))[:min(len(oldest), max(10, s.Config.Statuses/200))] {
		c.unpost(oldest[i])
	}
	for _, id := range c.column(`SELECT m.status_id FROM media_attachments m JOIN statuses s ON s.id = m.status_id WHERE s.local ORDER BY m.id LIMIT 1`) {
		c.unpost(id)
	}
	c.recount()
	c.uncache(2)
	c.addEmoji("")
	return errors.Join(c.commit(), db.Close())
}

// Start holds the database open like a running server, until stop: what
// changes meanwhile stays in sqlite.db-wal, beside sqlite.db-shm.
func (s *Instance) Start() (stop func() error, err error) {
	db, err := open(s.Database())
	if err != nil {
		return nil, err
	}
	// Reading is what maps the log; the pool keeps the connection from then on.
	if _, err := db.Exec(`SELECT count(*) FROM accounts`); err != nil {
		return nil, errors.Join(fmt.Errorf("start sample in %q: %w", s.Dir, err), db.Close())
	}
	return db.Close, nil
}
