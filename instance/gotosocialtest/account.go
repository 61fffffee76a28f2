package gotosocialtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

// AddAccount makes an account by GoToSocial's commands, signs in, and returns a client
// with the account's token. The server runs, and the name is new to the server. Each
// command is a further one for the account, for example "promote".
func (i *Instance) AddAccount(t testing.TB, name string, commands ...string) *Client {
	t.Helper()
	password := rand.Text()
	i.Admin(t, "account", "create", "--username", name, "--email", name+"@"+Domain, "--password", password)
	for _, command := range commands {
		i.Admin(t, "account", command, "--username", name)
	}
	c := &Client{Instance: i}
	testkit.OK(t, c.signIn(t.Context(), name+"@"+Domain, password))
	text, err := c.Get(t.Context(), "/api/v1/accounts/verify_credentials", "application/json")
	testkit.OK(t, err)
	testkit.OK(t, json.Unmarshal(text, &c.Account))
	return c
}

// callback is the address to which the server sends the code of an authorization.
const callback = "http://localhost/callback"

// signIn gets a token in the way of an app: the app registers, the person signs in on
// a page and allows the app everything.
func (c *Client) signIn(ctx context.Context, email, password string) error {
	const scopes = "read write admin"
	var app struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	register := new(form).set("client_name", "test").set("redirect_uris", callback).set("scopes", scopes)
	if err := c.post(ctx, "/api/v1/apps", register, &app); err != nil {
		return err
	}
	wish := url.Values{
		"client_id": {app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {scopes},
	}
	page := browser{instance: c.Instance}
	page.visit(ctx, http.MethodGet, "/oauth/authorize?"+wish.Encode(), nil)
	page.visit(ctx, http.MethodPost, "/auth/sign_in", url.Values{"username": {email}, "password": {password}})
	page.visit(ctx, http.MethodPost, "/oauth/authorize", nil)
	if page.err != nil {
		return page.err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	ask := new(form).set("grant_type", "authorization_code").set("code", page.target.Query().Get("code")).
		set("client_id", app.ID).set("client_secret", app.Secret).set("redirect_uri", callback)
	err := c.post(ctx, "/oauth/token", ask, &answer)
	c.token = answer.Token
	return err
}

// browser visits pages with one cookie, and remembers the first error.
type browser struct {
	instance *Instance
	cookie   string
	target   *url.URL // the page to which the last answer leads
	err      error
}

// visit sends a form to a page. The answer must lead to another page.
func (b *browser) visit(ctx context.Context, method, path string, fields url.Values) {
	if b.err != nil {
		return
	}
	header := http.Header{"Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if b.cookie != "" {
		header.Set("Cookie", b.cookie)
	}
	resp, err := b.instance.send(ctx, method, path, header, strings.NewReader(fields.Encode()))
	if err != nil {
		b.err = err
		return
	}
	resp.Body.Close()
	for _, cookie := range resp.Cookies() {
		b.cookie = cookie.Name + "=" + cookie.Value
	}
	b.target, b.err = resp.Location()
	if errors.Is(b.err, http.ErrNoLocation) {
		b.err = fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
}
