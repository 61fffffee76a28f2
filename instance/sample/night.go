package sample

import (
	"errors"
	"fmt"
	"time"
)

// Night makes the ordinary changes of the nth day. Call Night with 1, 2, 3, … in
// turn. A night
//
//   - adds 1 % of statuses, at least 20: two new local statuses and one new remote
//     status have a picture
//   - fetches 1 % of the remote statuses again, and changes the counts of a tenth of
//     the accounts, in scattered rows
//   - deletes 0.5 % of the statuses, at least 10, among the oldest remote statuses
//   - deletes the local status with the oldest picture, together with its files
//   - removes the files of the two oldest remote pictures, and keeps their rows
//   - adds a local emoji
//
// With Config.Media above 100 a night adds two local pictures for each hundred.
// Afterwards sqlite.db has no write-ahead log, unless [Instance.Start] or another
// program keeps the database open.
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
		c.exec(`UPDATE account_stats SET followers_count = followers_count + 1, regenerated_at = ?
			WHERE account_id = ?`, c.stamp(), c.remote[i].id)
	}
	for _, i := range c.rnd.Perm(len(oldest))[:min(len(oldest), max(10, s.Config.Statuses/200))] {
		c.unpost(oldest[i])
	}
	for _, id := range c.column(`SELECT m.status_id FROM media_attachments m JOIN statuses s ON s.id = m.status_id
			WHERE s.local ORDER BY m.id LIMIT 1`) {
		c.unpost(id)
	}
	c.recount()
	c.uncache(2)
	c.addEmoji("")
	return errors.Join(c.commit(), db.Close())
}

// Start keeps the database open like a running server, until stop. Until then all
// changes stay in sqlite.db-wal, beside sqlite.db-shm.
func (s *Instance) Start() (stop func() error, err error) {
	db, err := open(s.Database())
	if err != nil {
		return nil, err
	}
	// The first query maps the log. The pool keeps the connection after the query.
	if _, err := db.Exec(`SELECT count(*) FROM accounts`); err != nil {
		return nil, errors.Join(fmt.Errorf("start sample in %q: %w", s.Dir, err), db.Close())
	}
	return db.Close, nil
}
