package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of an answer. Without bounds a lying server can hold a run for ever.
const (
	// maxAnswer bounds an answer other than an object or a listing, in bytes. minio-go
	// reads such an answer to the end.
	maxAnswer = 2 << 20

	// pace is the least number of bytes that arrive within replyWait, unless the body ends.
	pace = 256 << 10
)

// answers bounds the answers of a server.
type answers struct{ http.RoundTripper }

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body := paced(resp.Body)
	isContent := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent
	if req.Method != http.MethodGet || !isContent {
		body = bounded(body, maxAnswer)
	}
	resp.Body = stream{body, resp.Body}
	return resp, nil
}

// bounded returns a reader that fails after most bytes of an answer.
func bounded(r io.Reader, most int) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if most -= n; most < 0 {
			return 0, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
		}
		return n, err
	})
}

var errSlow = errors.New("the server sends almost nothing")

// paced returns a reader that gives up a server that sends single bytes. Only time within
// Read counts: the caller may be slow.
func paced(r io.Reader) io.Reader {
	var waited time.Duration
	got := 0
	return readerFunc(func(p []byte) (int, error) {
		start := time.Now()
		n, err := r.Read(p)
		waited += time.Since(start)
		if got += n; got >= pace {
			waited, got = 0, 0
		}
		if err == nil && waited > replyWait {
			err = fmt.Errorf("%w: %d bytes in %s", errSlow, got, waited.Round(time.Second))
		}
		return n, err
	})
}
