package gotosocial

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"holdfast/remedy"
)

// AskDomain requests the nodeinfo page of every fediverse server, and returns a name for
// the answering server. Any answer counts, so AskDomain checks no certificate. An error
// means that no fediverse server answers: the connection is refused, or a web server
// does not know the page. An overloaded, starting or protected server counts as alive.
func AskDomain(ctx context.Context, domain string) (server string, err error) {
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives: true,
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+domain+"/.well-known/nodeinfo", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "holdfast") // GoToSocial refuses requests without a user agent
	resp, err := client.Do(req)
	var name *net.DNSError
	var network *net.OpError
	switch {
	case errors.As(err, &name):
		return "", errors.New("DNS has no address for the name")
	case errors.As(err, &network) && network.Op == "dial":
		return "", network.Err
	case err != nil:
		return "a server that breaks off the connection", nil
	}
	resp.Body.Close()
	server = cmp.Or(remedy.Printable(resp.Header.Get("Server")), "a server")
	switch resp.StatusCode {
	case http.StatusOK:
		return server, nil
	case http.StatusNotFound, http.StatusGone:
		return "", fmt.Errorf("a web server answers %d: no server of the fediverse is behind it", resp.StatusCode)
	}
	return fmt.Sprintf("%s (status %d)", server, resp.StatusCode), nil
}
