package sample

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"path"
	"time"
)

// decorate adds the media of a fresh instance, ordinary and odd.
func (c *change) decorate(cfg Config) {
	for _, a := range c.local {
		c.exec(`UPDATE accounts SET avatar_media_attachment_id = ?, header_media_attachment_id = ? WHERE id = ?`,
			c.addPicture(a, "", "avatar"), c.addPicture(a, "", "header"), a.id)
	}
	c.illustrate("local", cfg.Media)
	c.illustrate("NOT local", (cfg.Media+2)/3)
	for range 4 {
		c.addEmoji("")
		c.addEmoji("s1.example")
	}
	c.uncache(1)

	owner := c.anyone(c.local)
	c.addSound(owner)
	c.addUnfinished(owner)
	if cfg.VideoBytes > 0 {
		c.addVideo(owner, cfg.VideoBytes)
	}
	c.write(owner.id+"/attachment/original/"+c.tick(time.Second)+".png", encode(paint(c.rnd, 64, 64), "png")) // an orphan: no row names it
}

// illustrate gives pictures to the n newest statuses that have none and are
// which: "local" or "NOT local".
func (c *change) illustrate(which string, n int) {
	var pictured []status
	c.query(`SELECT s.id, a.id, a.username, coalesce(a.domain, ''), a.uri FROM statuses s JOIN accounts a ON a.id = s.account_id
			WHERE attachments = 'null' AND `+which+` ORDER BY s.id DESC LIMIT ?`, func(r *sql.Rows) error {
		var s status
		err := r.Scan(&s.id, &s.author.id, &s.author.name, &s.author.domain, &s.author.uri)
		pictured = append(pictured, s)
		return err
	}, n)
	for _, s := range pictured {
		c.exec(`UPDATE statuses SET attachments = json_array(?) WHERE id = ?`, c.addPicture(s.author, s.id, ""), s.id)
	}
}

// addPicture adds a picture with its files, of a status or in a role: as
// "avatar" or "header". It returns the row's identifier.
func (c *change) addPicture(owner account, status, role string) string {
	id := c.tick(time.Second)
	kind := []string{"jpeg", "png"}[c.rnd.IntN(2)]
	width, height := dimensions(c.rnd, c.Config.MediaBytes, kind)
	img := paint(c.rnd, width, height)
	c.addMedia(owner, id, kind, encode(img, kind), encode(shrink(img), "jpeg"), row{
		"type": 1, "status_id": null(status), "avatar": role == "avatar", "header": role == "header",
		"original_width": img.Rect.Dx(), "original_height": img.Rect.Dy(), "original_size": img.Rect.Dx() * img.Rect.Dy(),
		"original_aspect": float64(img.Rect.Dx()) / float64(img.Rect.Dy()), "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
	})
	return id
}

// addVideo adds a file of size bytes that has an MP4's outer boxes and nothing
// to see.
func (c *change) addVideo(owner account, size int64) {
	video := []byte("\x00\x00\x00\x14ftypisom\x00\x00\x02\x00mp42")
	payload := c.random(max(0, int(size)-len(video)-8))
	video = append(binary.BigEndian.AppendUint32(video, uint32(8+len(payload))), "mdat"...)
	c.addMedia(owner, c.tick(time.Second), "mp4", append(video, payload...), encode(paint(c.rnd, 320, 240), "jpeg"), row{"type": 3})
}

// addSound adds what has no thumbnail, and an empty thumbnail path.
func (c *change) addSound(owner account) {
	c.addMedia(owner, c.tick(time.Second), "mp3", append([]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), c.random(30_000)...), nil, row{"type": 2})
}

// addUnfinished adds a row that has no files yet: an upload caught on its way.
func (c *change) addUnfinished(owner account) {
	c.insert("media_attachments", row{"id": c.tick(time.Second), "created_at": c.stamp(), "account_id": owner.id, "cached": false, "processing": 0,
		"file_path": "", "file_content_type": "", "file_file_size": 0, "thumbnail_path": "", "thumbnail_content_type": "", "thumbnail_file_size": 0})
}

var contentTypes = map[string]string{"jpeg": "image/jpeg", "png": "image/png", "mp3": "audio/mpeg", "mp4": "video/mp4"}

// addMedia writes the files and completes the row.
func (c *change) addMedia(owner account, id, kind string, original, thumbnail []byte, r row) {
	write := c.writeLocal
	if owner.domain != "" {
		write = c.write
		r["remote_url"] = fmt.Sprintf("https://%s/media/%s.%s", owner.domain, id, kind)
	}
	key := path.Join(owner.id, "attachment/original", id+"."+kind)
	write(key, original)
	r["id"], r["created_at"], r["account_id"], r["cached"] = id, c.stamp(), owner.id, true
	r["url"], r["file_path"], r["file_content_type"], r["file_file_size"] = c.url(key), key, contentTypes[kind], len(original)
	r["thumbnail_path"], r["thumbnail_content_type"], r["thumbnail_file_size"] = "", "", len(thumbnail)
	if thumbnail != nil {
		key := path.Join(owner.id, "attachment/small", id+".jpeg")
		write(key, thumbnail)
		r["thumbnail_url"], r["thumbnail_path"], r["thumbnail_content_type"] = c.url(key), key, "image/jpeg"
	}
	c.insert("media_attachments", r)
}

// addEmoji adds one of the domain's: "" for our own. All of them lie in the
// instance account's folder, so only the row tells whose they are.
func (c *change) addEmoji(domain string) {
	id := c.tick(time.Second)
	image, still := encode(paint(c.rnd, 64, 64), "png"), encode(paint(c.rnd, 48, 48), "png")
	key := path.Join(c.self.id, "emoji/original", id+".png")
	static := path.Join(c.self.id, "emoji/static", id+".png")
	r := row{
		"id": id, "created_at": c.stamp(), "updated_at": c.stamp(), "image_updated_at": c.stamp(), "shortcode": c.sentence(1) + id[20:],
		"uri": "https://" + c.Host() + "/emoji/" + id, "cached": true,
		"image_url": c.url(key), "image_path": key, "image_content_type": "image/png", "image_file_size": len(image),
		"image_static_url": c.url(static), "image_static_path": static, "image_static_content_type": "image/png", "image_static_file_size": len(still),
	}
	write := c.writeLocal
	if domain != "" {
		write = c.write
		r["domain"], r["uri"] = domain, "https://"+domain+"/emoji/"+id
		r["image_remote_url"], r["image_static_remote_url"] = r["uri"].(string)+".png", r["uri"].(string)+"-static.png"
	}
	write(key, image)
	write(static, still)
	c.insert("emojis", r)
}

// uncache does what the server's cleaner does to old remote media, here to the
// n oldest: the files go, the rows stay.
func (c *change) uncache(n int) {
	for _, id := range c.column(`SELECT id FROM media_attachments WHERE remote_url <> '' AND cached ORDER BY id LIMIT ?`, n) {
		c.query(`SELECT file_path, thumbnail_path FROM media_attachments WHERE id = ?`, c.removeFiles, id)
		c.exec(`UPDATE media_attachments SET cached = false WHERE id = ?`, id)
	}
}

// removeFiles is for a query of file_path, thumbnail_path.
func (c *change) removeFiles(r *sql.Rows) error {
	var original, thumbnail string
	if err := r.Scan(&original, &thumbnail); err != nil {
		return err
	}
	c.remove(original)
	c.remove(thumbnail)
	return nil
}

func (c *change) url(key string) string { return "https://" + c.Host() + "/fileserver/" + key }

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}
