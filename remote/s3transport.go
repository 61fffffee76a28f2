package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// stall bounds the time without a byte within a body.
	stall = time.Minute

	// replyWait bounds the wait for an answer. Sent bytes still drain from the
	// kernel's buffer, and the server syncs to disk.
	replyWait = 3 * time.Minute
)

// newTransport returns a transport for HTTP/1.1. A body has no overall time limit:
// a pack of 16 MiB may take 20 minutes over a bad line.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second}
	return &http.Transport{
		Proxy: silent(http.ProxyFromEnvironment),
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
		DisableCompression:    true, // packs do not compress, and gzip from a proxy would hide the length
	}
}

// silent returns a finder of proxies whose error does not quote the variable: the address
// of a proxy may hold a password.
func silent(find func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		proxy, err := find(req)
		if err != nil {
			return nil, errors.New("HTTPS_PROXY or HTTP_PROXY holds no valid address of a proxy: write " +
				"http://HOST:PORT, and % with two digits for other signs in a password")
		}
		return proxy, nil
	}
}

// stalling is a connection whose reads and writes fail if no byte moves for a
// while: stall in a read or a write, replyWait between a write and a read.
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

// Write also extends the deadline of a concurrent Read, the wait for the reply.
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

// ReadFrom sends a body in pieces of 256 KiB. net/http would send pieces of 32
// KiB, each at the cost of a system call and two deadlines.
func (c *stalling) ReadFrom(r io.Reader) (int64, error) {
	if c.body == nil {
		c.body = make([]byte, 256<<10)
	}
	return io.CopyBuffer(struct{ io.Writer }{c}, r, c.body)
}

// listings refuses an answer 200 to a List without a listing: an error, or a page
// of a proxy. minio-go would take such an answer for an empty bucket.
type listings struct{ http.RoundTripper }

// A server may also send pages without end, or a page without end: both are
// [ErrEndless].
func (l listings) RoundTrip(req *http.Request) (*http.Response, error) {
	if p, ok := req.Context().Value(pagesKey{}).(*pages); ok {
		if p.n++; p.n > p.most {
			return nil, fmt.Errorf("%w: more than %d pages", ErrEndless, p.most)
		}
	}
	resp, err := l.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || !req.URL.Query().Has("list-type") {
		return resp, err
	}
	body := bufio.NewReader(resp.Body)
	head, err := body.Peek(512)
	if (err == nil || err == io.EOF) && !bytes.Contains(head, []byte("<ListBucketResult")) {
		err = fmt.Errorf("the answer is not a listing: %.200q", head)
	}
	if err != nil && err != io.EOF {
		resp.Body.Close()
		return nil, err
	}
	resp.Body = stream{pageReader(body), resp.Body}
	return resp, nil
}

// Bounds of a page of a List: 1,000 objects with names of at most 1 KiB. minio-go
// allocates about 3 KiB for each object, even without a name: "<Contents/>".
const (
	maxPage     = 4 << 20 // bytes
	maxContents = 20_000  // times the word, in tags and names
)

// pages counts the pages of one List. The context of the List holds the count,
// because minio-go asks for the pages, even for pages without an object.
type pages struct{ n, most int }

// pagesKey is the key of pages in a context.
type pagesKey struct{}

// pageReader returns a reader that ends a page without end.
func pageReader(r io.Reader) io.Reader {
	const word = "Contents"
	left, seen := maxPage, 0
	var end []byte // of the text so far, as long as a part of the word can be
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		end = append(end, p[:n]...)
		seen += bytes.Count(end, []byte(word))
		end = append(end[:0], end[max(0, len(end)-len(word)+1):]...)
		if left -= n; left < 0 || seen > maxContents {
			return 0, fmt.Errorf("%w: a page of more than %d bytes or 1,000 objects", ErrEndless, maxPage)
		}
		return n, err
	})
}
