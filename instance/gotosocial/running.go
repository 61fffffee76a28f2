package gotosocial

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// UnitsOf returns the paths of the systemd units of this machine that run the server of
// a domain, or a server with the configuration file.
func UnitsOf(domain, file string) (units []string) {
	for _, run := range services("/") {
		c, err := Server{Unit: run.unit.Path}.Config()
		if err == nil && c.Domain() == domain || file != "" && same(run.configFile(), file) {
			units = append(units, run.unit.Path)
		}
	}
	return units
}

// Port returns the TCP port on which the server listens.
func (c *Config) Port() int {
	port, err := strconv.Atoi(cmp.Or(c.Get("port"), "8080"))
	if err != nil {
		return 0
	}
	return port
}

// Answers asks the server's port on this machine. taken reports whether a program accepts
// connections there, ours whether that program is a GoToSocial server of the domain.
func (c *Config) Answers(ctx context.Context) (taken, ours bool) {
	host := c.Get("bind-address")
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	at := net.JoinHostPort(host, strconv.Itoa(c.Port()))
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", at)
	if err != nil {
		return false, false
	}
	conn.Close()
	return true, c.isOurs(ctx, "http://"+at) || c.isOurs(ctx, "https://"+at)
}

// isOurs reports whether a server on this machine calls itself by the domain.
func (c *Config) isOurs(ctx context.Context, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the answer is no secret
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/instance", nil)
	if err != nil {
		return false
	}
	req.Host = c.Domain()
	req.Header.Set("User-Agent", "holdfast") // GoToSocial refuses requests without a user agent
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var answer struct {
		URI string `json:"uri"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer) != nil {
		return false
	}
	u, err := url.Parse(answer.URI)
	return err == nil && (strings.EqualFold(u.Host, c.Domain()) || strings.EqualFold(answer.URI, c.Domain()))
}
