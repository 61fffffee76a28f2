package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/testkit"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

// somebodys is a bucket on a real server. A proxy before the server keeps the
// requests and may answer instead of the server.
type somebodys struct {
	*remote.Bucket
	cfg remote.BucketConfig

	mu       sync.Mutex // guards all below
	requests []*http.Request
	instead  func(w http.ResponseWriter, r *http.Request) (done bool)
}

func newSomebodys(t *testing.T, prefix string) *somebodys {
	t.Helper()
	b := remotetest.NewBucket(t)
	s := &somebodys{}
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: b.Endpoint})
		r.Out.Host = r.In.Host // part of the signature
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		instead := s.instead
		s.mu.Unlock()
		if instead == nil || !instead(w, r) {
			behind.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	s.cfg = remote.BucketConfig{
		Endpoint: front.Listener.Addr().String(), Name: b.Name, Prefix: prefix,
		AccessKey: b.AccessKey, SecretKey: b.SecretKey, Plain: true,
	}
	s.Bucket = openBucket(t, s.cfg)
	return s
}

func openBucket(t *testing.T, cfg remote.BucketConfig) *remote.Bucket {
	t.Helper()
	b, err := remote.OpenBucket(cfg, 0)
	testkit.OK(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

// take returns the requests since the last call, as "METHOD PATH".
func (s *somebodys) take() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		all = append(all, r.Method+" "+r.URL.Path)
	}
	s.requests = nil
	return all
}

func (s *somebodys) answer(instead func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = instead
}

func (s *somebodys) fill(t *testing.T, name, data string) {
	t.Helper()
	testkit.OK(t, s.Put(t.Context(), name, strings.NewReader(data), int64(len(data)), "image/png"))
}

func (s *somebodys) names(t *testing.T, after string) (names []string) {
	t.Helper()
	for o, err := range s.List(t.Context(), after) {
		testkit.OK(t, err)
		names = append(names, o.Name)
	}
	return names
}

func TestBucketHasObjectsOfAnyNameBelowItsPrefix(t *testing.T) {
	s := newSomebodys(t, "gts-") // a prefix without a slash
	whole := s.cfg
	whole.Endpoint, whole.Prefix = "http://"+s.cfg.Endpoint, ""
	other := openBucket(t, whole)
	testkit.OK(t, other.Put(t.Context(), "gt", strings.NewReader("x"), 1, ""))
	for _, name := range []string{"a/b c.png", "a/ü+%.png", "empty", "b"} {
		s.fill(t, name, strings.Repeat(name, 3)[:3*len(name)*min(1, len(name)-1)])
	}
	if got, want := s.names(t, ""), []string{"a/b c.png", "a/ü+%.png", "b", "empty"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if got, want := s.names(t, "a/b c.png"), []string{"a/ü+%.png", "b", "empty"}; !slices.Equal(got, want) {
		t.Errorf("names after one %q, want %q", got, want)
	}
	for o, err := range s.List(t.Context(), "") {
		testkit.OK(t, err)
		alone, err := s.Stat(t.Context(), o.Name)
		same := alone.Size == o.Size && alone.ETag == o.ETag && alone.Modified.Equal(o.Modified)
		if err != nil || !same || o.ETag == "" || time.Since(o.Modified) > time.Minute {
			t.Errorf("List says %+v, Stat %+v, %v", o, alone, err)
		}
		body, err := s.Open(t.Context(), o.Name)
		testkit.OK(t, err)
		data, err := io.ReadAll(body)
		body.Close()
		if err != nil || int64(len(data)) != o.Size {
			t.Errorf("%d bytes of %+v, %v", len(data), o, err)
		}
	}
	if _, err := s.Stat(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of none = %v", err)
	}
	if _, err := s.Open(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of none = %v", err)
	}
}

func TestBucketPutIsOnePlainRequestOfItsType(t *testing.T) {
	s := newSomebodys(t, "")
	s.names(t, "") // asks for the region
	s.take()
	var sent *http.Request
	s.answer(func(w http.ResponseWriter, r *http.Request) bool { sent = r; return false })
	data := strings.Repeat("x", 20<<20)
	s.fill(t, "one.png", data)
	if got := s.take(); !slices.Equal(got, []string{"PUT /" + s.cfg.Name + "/one.png"}) {
		t.Errorf("requests %q", got)
	}
	plain := sent.ContentLength == int64(len(data)) && sent.Header.Get("Content-Encoding") == ""
	if !plain || sent.Header.Get("Content-Type") != "image/png" || len(sent.Header.Get("X-Amz-Content-Sha256")) != 64 {
		t.Errorf("%d bytes, headers %v", sent.ContentLength, sent.Header)
	}
}

// changing is a file with other bytes at each read.
type changing struct{ reads int }

func (c *changing) ReadAt(p []byte, _ int64) (int, error) {
	c.reads++
	for i := range p {
		p[i] = byte(c.reads)
	}
	return len(p), nil
}

func TestBucketPutOfAChangingFileFails(t *testing.T) {
	s := newSomebodys(t, "")
	if err := s.Put(t.Context(), "x", &changing{}, 100, ""); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("Put = %v", err)
	}
	if _, err := s.Stat(t.Context(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat = %v", err)
	}
}

// cut lets through n bytes of an answer, then ends the connection.
func cut(n int, data string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/x") {
			return false
		}
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(data)-from))
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("ETag", `"e"`)
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		if len(data)-from > n {
			io.WriteString(w, data[from:from+n])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, data[from:])
		return true
	}
}

func TestBrokenBucketStreamContinues(t *testing.T) {
	s := newSomebodys(t, "")
	data := strings.Repeat("0123456789", 1000)
	s.names(t, "")
	s.take()
	s.answer(cut(4000, data))
	body, err := s.Open(t.Context(), "x")
	testkit.OK(t, err)
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil || string(got) != data {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if n := len(s.take()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestBucketStreamNeverMixesTwoObjects(t *testing.T) {
	s := newSomebodys(t, "")
	for name, other := range map[string]func(w http.ResponseWriter){
		"other bytes":  func(w http.ResponseWriter) { w.Header().Set("ETag", `"f"`) },
		"other length": func(w http.ResponseWriter) { w.Header().Set("Content-Length", "9") },
	} {
		data := strings.Repeat("0123456789", 1000)
		s.answer(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return cut(4000, data)(w, r)
			}
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Content-Length", fmt.Sprint(len(data)-4000))
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			other(w)
			w.WriteHeader(http.StatusPartialContent)
			return true
		})
		body, err := s.Open(t.Context(), "x")
		testkit.OK(t, err)
		if _, err := io.ReadAll(body); err == nil || !strings.Contains(err.Error(), "changed") {
			t.Errorf("%s: %v", name, err)
		}
		body.Close()
	}
}

func TestBucketListFromAServerThatIgnoresTheStart(t *testing.T) {
	s := newSomebodys(t, "")
	for _, name := range []string{"a", "b", "c"} {
		s.fill(t, name, "x")
	}
	s.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("list-type") {
			return false
		}
		io.WriteString(w, `<ListBucketResult><Name>media</Name><IsTruncated>false</IsTruncated>`+
			`<Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents><Contents><Key>c</Key></Contents>`+
			`</ListBucketResult>`)
		return true
	})
	if got := s.names(t, "b"); !slices.Equal(got, []string{"c"}) {
		t.Errorf("names %q", got)
	}
}

func TestBucketRefusals(t *testing.T) {
	s := newSomebodys(t, "")
	s.fill(t, "x", "y")
	list := func(cfg remote.BucketConfig) (err error) {
		for _, err = range openBucket(t, cfg).List(t.Context(), "") {
		}
		return err
	}
	wrong := s.cfg
	wrong.SecretKey = "hunter2hunter2"
	if err := list(wrong); !errors.Is(err, remote.ErrCredentials) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("wrong secret: %v", err)
	}
	wrong = s.cfg
	wrong.Name = "nowhere"
	if err := list(wrong); err == nil || !strings.Contains(err.Error(), `no bucket "nowhere"`) {
		t.Errorf("wrong bucket: %v", err)
	}
	wrong = s.cfg
	wrong.Plain = false
	err := list(wrong)
	if !errors.Is(err, remote.ErrUnreachable) || !strings.Contains(err.Error(), "speaks no TLS") {
		t.Errorf("TLS: %v", err)
	}
	if strings.Contains(err.Error(), "s3+http") {
		t.Errorf("TLS: %v, want no advice for a remote's URL", err)
	}
	for name, cfg := range map[string]remote.BucketConfig{
		"no endpoint":  {Name: "media"},
		"bad endpoint": {Endpoint: "s3.example/path", Name: "media"},
		"no bucket":    {Endpoint: "s3.example"},
		"no brackets":  {Endpoint: "::1:9000", Name: "media"},
		"bad bucket":   {Endpoint: "s3.example", Name: "a/b"},
	} {
		if _, err := remote.OpenBucket(cfg, 0); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(stopped, "x", bytes.NewReader(nil), 0, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Put when cancelled: %v", err)
	}
}
