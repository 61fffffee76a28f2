package rebuild

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

// inspectDomain asks who answers for the domain now. Two servers under one name lose
// what others send to the wrong one.
func (m *Machine) inspectDomain(ctx context.Context, oldIsDead bool) Finding {
	f := Finding{Subject: DomainSubject}
	server, err := askDomain(ctx, m.Domain)
	switch {
	case err != nil:
		f.Detail = fmt.Sprintf("nobody answers for %s (%v)", m.Domain, err)
	case oldIsDead:
		f.Detail = fmt.Sprintf("%s answers for %s; by --old-is-dead, this is not the old server", server, m.Domain)
	default:
		f.Detail = fmt.Sprintf("%s answers for %s", server, m.Domain)
		f.Fix = "stop that server for good; if it is not the old instance's server, say so by --old-is-dead"
		f.Refused = true
	}
	return f
}

// askDomain requests the page by which every server of the fediverse describes itself,
// and returns a name for the server that answers. Any answer counts, so no certificate
// is checked. An error means that no server of the fediverse is there: nobody takes the
// connection, or a web server does not know the page. A server that is overloaded,
// about to start, or protected from robots is there.
func askDomain(ctx context.Context, domain string) (server string, err error) {
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
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
		return "", errors.New("the name leads nowhere")
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
