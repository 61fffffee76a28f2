package gotosocialtest

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"slices"
)

// Status is a post.
type Status struct {
	ID      string
	Content string
	URI     string
	Media   []Attachment `json:"media_attachments"`
}

// Attachment is a picture with its small form.
type Attachment struct {
	ID         string
	URL        string
	PreviewURL string `json:"preview_url"`
}

// Post posts a text with pictures. A result without an error is the acknowledgement of
// the server.
func (c *Client) Post(ctx context.Context, text string, pictures ...[]byte) (s Status, err error) {
	post := new(form).set("status", text).set("visibility", "public")
	for _, p := range pictures {
		var a Attachment
		upload := new(form).attach("file", p).set("description", "a picture of "+text)
		if err := c.post(ctx, "/api/v1/media", upload, &a); err != nil {
			return s, err
		}
		post.set("media_ids[]", a.ID)
	}
	return s, c.post(ctx, "/api/v1/statuses", post, &s)
}

// Reply answers a post.
func (c *Client) Reply(ctx context.Context, to Status, text string) (s Status, err error) {
	return s, c.post(ctx, "/api/v1/statuses", new(form).set("status", text).set("in_reply_to_id", to.ID), &s)
}

// Mark does something to a post: "favourite", "bookmark" or "reblog".
func (c *Client) Mark(ctx context.Context, s Status, how string) error {
	return c.post(ctx, "/api/v1/statuses/"+s.ID+"/"+how, new(form), nil)
}

// Follow follows another account.
func (c *Client) Follow(ctx context.Context, other Account) error {
	return c.post(ctx, "/api/v1/accounts/"+other.ID+"/follow", new(form), nil)
}

// SetProfile sets the fields of the profile that people fill in.
func (c *Client) SetProfile(ctx context.Context, name string, avatar, header []byte) error {
	profile := new(form).set("display_name", name).set("note", "Likes *pictures*.").
		set("fields_attributes[0][name]", "home").set("fields_attributes[0][value]", "https://home.test").
		set("locked", "false").attach("avatar", avatar).attach("header", header)
	return c.submit(ctx, http.MethodPatch, "/api/v1/accounts/update_credentials", profile, &c.Account)
}

// AddEmoji adds an emoji to the instance. The account is an admin's.
func (c *Client) AddEmoji(ctx context.Context, shortcode string, image []byte) error {
	return c.post(ctx, "/api/v1/admin/custom_emojis", new(form).set("shortcode", shortcode).attach("image", image), nil)
}

// Picture returns a small PNG. Each number gives another picture.
func Picture(n int) []byte {
	const side = 64
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	for at := range side * side {
		x, y := at%side, at/side
		img.SetNRGBA(x, y, color.NRGBA{R: uint8(x*4 + n), G: uint8(y * n), B: uint8(n), A: 255})
	}
	var text bytes.Buffer
	if err := png.Encode(&text, img); err != nil {
		panic(err) // a buffer takes every byte
	}
	return slices.Clip(text.Bytes())
}
