package sample

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"path"
	"time"
)

// decorate adds the media of a fresh instance, ordinary and unusual.
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

	author := c.anyone(c.local)
	c.addSound(author)
	c.addUnfinished(author)
	if cfg.VideoBytes > 0 {
		c.addVideo(author, cfg.VideoBytes)
	}
	orphan := author.id + "/attachment/original/" + c.tick(time.Second) + ".png" // no row names this file
	c.write(orphan, encode(paint(c.rnd, 64, 64), "png"))
}

// illustrate adds a picture to each of the n newest statuses without a picture.
// which is "local" or "NOT local".
func (c *change) illustrate(which string, n int) {
	var pictured []status
	c.query(`SELECT s.id, a.id, a.username, coalesce(a.domain, ''), a.uri
			FROM statuses s JOIN accounts a ON a.id = s.account_id
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

// addPicture adds a picture with its files, and returns the identifier of the row.
// The picture belongs to a status, or has the role "avatar" or "header".
func (c *change) addPicture(author account, status, role string) string {
	id := c.tick(time.Second)
	kind := []string{"jpeg", "png"}[c.rnd.IntN(2)]
	width, height := dimensions(c.rnd, c.Config.MediaBytes, kind)
	img := paint(c.rnd, width, height)
	c.addMedia(author, id, kind, encode(img, kind), encode(shrink(img), "jpeg"), row{
		"type": 1, "status_id": null(status), "avatar": role == "avatar", "header": role == "header",
		"original_width": img.Rect.Dx(), "original_height": img.Rect.Dy(),
		"original_size":   img.Rect.Dx() * img.Rect.Dy(),
		"original_aspect": float64(img.Rect.Dx()) / float64(img.Rect.Dy()), "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
	})
	return id
}

// addVideo adds a file of size bytes with the outer boxes of an MP4 and random
// content.
func (c *change) addVideo(author account, size int64) {
	video := []byte("\x00\x00\x00\x14ftypisom\x00\x00\x02\x00mp42")
	payload := c.random(max(0, int(size)-len(video)-8))
	video = append(binary.BigEndian.AppendUint32(video, uint32(8+len(payload))), "mdat"...)
	id, thumbnail := c.tick(time.Second), encode(paint(c.rnd, 320, 240), "jpeg")
	c.addMedia(author, id, "mp4", append(video, payload...), thumbnail, row{"type": 3})
}

// addSound adds a file without a thumbnail, and with an empty thumbnail path.
func (c *change) addSound(author account) {
	id, sound := c.tick(time.Second), append([]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), c.random(30_000)...)
	c.addMedia(author, id, "mp3", sound, nil, row{"type": 2})
}

// addUnfinished adds a row that has no files yet: an upload caught on its way.
func (c *change) addUnfinished(author account) {
	c.insert("media_attachments", row{
		"id": c.tick(time.Second), "created_at": c.stamp(), "account_id": author.id, "cached": false, "processing": 0,
		"file_path": "", "file_content_type": "", "file_file_size": 0,
		"thumbnail_path": "", "thumbnail_content_type": "", "thumbnail_file_size": 0,
	})
}

var contentTypes = map[string]string{"jpeg": "image/jpeg", "png": "image/png", "mp3": "audio/mpeg", "mp4": "video/mp4"}

// addMedia writes the files and completes the row.
func (c *change) addMedia(author account, id, kind string, original, thumbnail []byte, r row) {
	write := c.writeLocal
	if author.domain != "" {
		write = c.write
		r["remote_url"] = fmt.Sprintf("https://%s/media/%s.%s", author.domain, id, kind)
	}
	key := path.Join(author.id, "attachment/original", id+"."+kind)
	write(key, original)
	r["id"], r["created_at"], r["account_id"], r["cached"] = id, c.stamp(), author.id, true
	r["url"], r["file_path"] = c.url(key), key
	r["file_content_type"], r["file_file_size"] = contentTypes[kind], len(original)
	r["thumbnail_path"], r["thumbnail_content_type"], r["thumbnail_file_size"] = "", "", len(thumbnail)
	if thumbnail != nil {
		key := path.Join(author.id, "attachment/small", id+".jpeg")
		write(key, thumbnail)
		r["thumbnail_url"], r["thumbnail_path"], r["thumbnail_content_type"] = c.url(key), key, "image/jpeg"
	}
	c.insert("media_attachments", r)
}

// addEmoji adds an emoji of a domain, "" for a local emoji. All emojis lie in the
// folder of the instance's account. Only the row tells the domain.
func (c *change) addEmoji(domain string) {
	id := c.tick(time.Second)
	image, still := encode(paint(c.rnd, 64, 64), "png"), encode(paint(c.rnd, 48, 48), "png")
	key := path.Join(c.self.id, "emoji/original", id+".png")
	static := path.Join(c.self.id, "emoji/static", id+".png")
	r := row{
		"id": id, "created_at": c.stamp(), "updated_at": c.stamp(), "image_updated_at": c.stamp(),
		"shortcode": c.sentence(1) + id[20:], "uri": "https://" + c.Domain() + "/emoji/" + id, "cached": true,
		"image_url": c.url(key), "image_path": key, "image_content_type": "image/png", "image_file_size": len(image),
		"image_static_url": c.url(static), "image_static_path": static,
		"image_static_content_type": "image/png", "image_static_file_size": len(still),
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

// uncache removes the files of the n oldest remote media and keeps the rows, as the
// server's cleaner does.
func (c *change) uncache(n int) {
	const oldest = `SELECT id FROM media_attachments WHERE remote_url <> '' AND cached ORDER BY id LIMIT ?`
	for _, id := range c.column(oldest, n) {
		c.query(`SELECT file_path, thumbnail_path FROM media_attachments WHERE id = ?`, c.removeFiles, id)
		c.exec(`UPDATE media_attachments SET cached = false WHERE id = ?`, id)
	}
}

// removeFiles removes the files of a row with file_path and thumbnail_path.
func (c *change) removeFiles(r *sql.Rows) error {
	var original, thumbnail string
	if err := r.Scan(&original, &thumbnail); err != nil {
		return err
	}
	c.remove(original)
	c.remove(thumbnail)
	return nil
}

func (c *change) url(key string) string { return "https://" + c.Domain() + "/fileserver/" + key }

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}
