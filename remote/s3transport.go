package remote

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// stall is how long a connection may move no byte within a body.
	stall = time.Minute

	// replyWait is longer: what was sent still drains from the kernel's buffer,
	// and the server syncs its disks.
	replyWait = 3 * time.Minute
)

// newTransport keeps HTTP/1.1 connections of its own. No body has an overall
// time limit: a 16 MiB pack takes 20 minutes over a bad line, and arrives.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &stalling{Conn: conn}, nil
		},
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: replyWait,
		IdleConnTimeout:       stall / 2, // before the read of an idle connection stalls
		MaxIdleConnsPerHost:   16,
		WriteBufferSize:       32 << 10,
		ReadBufferSize:        32 << 10,
		DisableCompression:    true, // packs don't compress, and a proxy's gzip would hide the length
	}
}

// stalling fails reads and writes once no byte moved for a while.
type stalling struct {
	net.Conn
	body []byte // scratch of ReadFrom
}

func (c *stalling) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write puts off the read that waits for the reply, too.
func (c *stalling) Write(p []byte) (int, error) {
	now := time.Now()
	if err := c.SetWriteDeadline(now.Add(stall)); err != nil {
		return 0, err
	}
	if err := c.SetReadDeadline(now.Add(replyWait)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// listings refuses answers to a List that are no listing: an error inside a
// 200, a proxy's page. The client would read them as an empty bucket.
type listings struct{ http.RoundTripper }

func (l listings) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || !req.URL.Query().Has("list-type") {
		return resp, err
	}
	body := bufio.NewReader(resp.Body)
	head, err := body.Peek(512)
	if (err == nil || err == io.EOF) && !bytes.Contains(head, []byte("<ListBucketResult")) {
		err = fmt.Errorf("the answer is no listing: %.200q", head)
	}
	if err != nil && err != io.EOF {
		resp.Body.Close()
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{body, resp.Body}
	return resp, nil
}

// ReadFrom sends a body in pieces of 256 KiB. The client's own are of 32 KiB,
// and each costs a system call and two deadlines.
func (c *stalling) ReadFrom(r io.Reader) (int64, error) {
	if c.body == nil {
		c.body = make([]byte, 256<<10)
	}
	return io.CopyBuffer(struct{ io.Writer }{c}, r, c.body)
}
