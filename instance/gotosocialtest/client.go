package gotosocialtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// patient is a client that follows no redirection. Nobody waits for ever for a server
// that was killed.
var patient = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send sends a request to the server. The server believes that the request came by
// way of the domain.
func (i *Instance) send(
	ctx context.Context, method, path string, header http.Header, body io.Reader,
) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", i.Port, path), body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Host = Domain
	req.Header.Set("User-Agent", "holdfast-test") // GoToSocial refuses requests without a user agent
	return patient.Do(req)
}

// Client acts for an account. The zero token acts for a visitor.
type Client struct {
	Instance *Instance
	Account  Account
	token    string
}

// Account is a local account.
type Account struct {
	ID       string
	Username string
	Avatar   string // a URL, as Header
	Header   string
}

// do sends a request and returns the body of an answer without an error.
func (c *Client) do(
	ctx context.Context, method, path string, header http.Header, body io.Reader,
) ([]byte, error) {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.Instance.send(ctx, method, path, header, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.200s", method, path, resp.Status, text)
	}
	return text, err
}

// Get returns the answer of the server to a request for a path, in the given form,
// for example "application/json". A URL of the domain counts as its path.
func (c *Client) Get(ctx context.Context, path, form string) ([]byte, error) {
	path = strings.TrimPrefix(path, "https://"+Domain)
	return c.do(ctx, http.MethodGet, path, http.Header{"Accept": {form}}, nil)
}

// post sends a form and reads the answer into v, unless v is nil.
func (c *Client) post(ctx context.Context, path string, f *form, v any) error {
	return c.submit(ctx, http.MethodPost, path, f, v)
}

func (c *Client) submit(ctx context.Context, method, path string, f *form, v any) error {
	body, kind, err := f.encode()
	if err != nil {
		return err
	}
	text, err := c.do(ctx, method, path, http.Header{"Content-Type": {kind}}, body)
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
