package sample

import "time"

type status struct {
	id, uri, thread string
	author          account
}

// post adds n statuses over about the time span. One in ten is local, half are
// replies, a third have a fave.
func (c *change) post(n int, span time.Duration) {
	var recent []status
	for range n {
		id := c.tick(span / time.Duration(n))
		author := c.anyone(c.remote)
		if c.rnd.IntN(10) == 0 {
			author = c.anyone(c.local)
		}
		var to status
		if len(recent) > 0 && c.rnd.IntN(2) == 0 {
			to = recent[c.rnd.IntN(len(recent))]
		}
		s := c.addStatus(id, author, to)
		if c.rnd.IntN(3) == 0 {
			c.addFave(c.anyone(c.remote), s)
		}
		if recent = append(recent, s); len(recent) > 100 {
			recent = recent[1:]
		}
	}
	c.recount()
}

func (c *change) anyone(of []account) account {
	if len(of) == 0 {
		return c.self
	}
	return of[c.rnd.IntN(len(of))]
}

// addStatus adds a status: a reply, unless to is the zero status.
func (c *change) addStatus(id string, author account, to status) status {
	s := status{id: id, uri: author.uri + "/statuses/" + id, thread: to.thread, author: author}
	words := c.sentence(4 + int(40*c.rnd.ExpFloat64()))
	r := row{
		"id": id, "created_at": c.stamp(), "uri": s.uri, "url": s.uri,
		"content": "<p>" + words + "</p>", "local": author.domain == "",
		"attachments": "null", "tags": "null", "mentions": "null", "emojis": "null", "edits": "null",
		"account_id": author.id, "account_uri": author.uri, "language": "en", "activity_streams_type": "Note",
		"federated": true, "visibility": 2,
	}
	if author.domain == "" {
		r["text"], r["content_type"] = words, 1
	} else {
		r["fetched_at"] = c.stamp()
	}
	if to == (status{}) {
		s.thread = id
		c.insert("threads", row{"id": s.thread})
	} else {
		r["in_reply_to_id"], r["in_reply_to_uri"], r["in_reply_to_account_id"] = to.id, to.uri, to.author.id
		r["mentions"] = `["` + id + `"]`
		c.insert("mentions", row{"id": id, "created_at": c.stamp(), "status_id": id, "origin_account_id": author.id,
			"origin_account_uri": author.uri, "target_account_id": to.author.id, "silent": false})
	}
	r["thread_id"] = s.thread
	c.insert("statuses", r)
	return s
}

func (c *change) addFave(by account, of status) {
	id := ulid(c.now, c.rnd)
	c.insert("status_faves", row{"id": id, "created_at": c.stamp(), "updated_at": c.stamp(), "account_id": by.id,
		"target_account_id": of.author.id, "status_id": of.id, "uri": by.uri + "/liked/" + id})
}

// recount updates the statistics of the local accounts.
func (c *change) recount() {
	c.exec(`UPDATE account_stats AS a SET
			statuses_count = (SELECT count(*) FROM statuses s WHERE s.account_id = a.account_id),
			last_status_at = (SELECT max(created_at) FROM statuses s WHERE s.account_id = a.account_id)
		WHERE account_id IN (SELECT id FROM accounts WHERE domain IS NULL)`)
}

// unpost deletes a status with its media, faves and mentions.
func (c *change) unpost(id string) {
	c.query(`SELECT file_path, thumbnail_path FROM media_attachments WHERE status_id = ? AND cached`, c.removeFiles, id)
	for _, table := range []string{"media_attachments", "status_faves", "mentions"} {
		c.exec(`DELETE FROM `+table+` WHERE status_id = ?`, id)
	}
	c.exec(`DELETE FROM statuses WHERE id = ?`, id)
}
