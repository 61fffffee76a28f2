package integration_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between the program and a storage server. The proxy records the
// requests. A test can slow the proxy down, make it hold packs, or take it away.
type proxy struct {
	server *httptest.Server
	behind *httputil.ReverseProxy
	gone   atomic.Pointer[absence]
	rate   atomic.Int64 // bytes per second for all bodies together; 0 for no limit
	line   line
	busy   sync.WaitGroup // requests under way

	mu       sync.Mutex // guards all below
	requests []request
	held     *hold
}

// request is an answered request.
type request struct {
	method, object string
	status         int
	sent, answered int64 // sizes of the bodies in bytes
}

// hold stops uploads or downloads of packs.
type hold struct {
	method  string
	pass    int // this many packs pass first
	reached chan struct{}
	release chan struct{}
}

func newProxy(t *testing.T, endpoint string) *proxy {
	p := &proxy{}
	p.behind = &httputil.ReverseProxy{
		// The client signed the name of the proxy, so the name must stay.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: endpoint})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	p.server = httptest.NewUnstartedServer(p)
	p.server.Config.ErrorLog = p.behind.ErrorLog
	p.server.Start()
	t.Cleanup(func() {
		p.release() // for a test that failed earlier
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.busy.Add(1)
	defer p.busy.Done()
	p.wait(r)
	if refused := p.gone.Load(); refused != nil {
		refused.once.Do(func() { close(refused.first) })
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	in := &body{ReadCloser: r.Body, proxy: p}
	r.Body = in
	out := &answer{ResponseWriter: w, proxy: p}
	defer func() { // runs even if the client went away
		_, object, _ := strings.Cut(r.URL.Path, "/example/")
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests = append(p.requests, request{r.Method, object, out.status, in.n, out.n})
	}()
	p.behind.ServeHTTP(out, r)
}

// wait holds a request for a pack as [proxy.holdAfter] says.
func (p *proxy) wait(r *http.Request) {
	p.mu.Lock()
	h := p.held
	if h == nil || r.Method != h.method || !strings.Contains(r.URL.Path, "/packs/") {
		p.mu.Unlock()
		return
	}
	h.pass--
	if h.pass == -1 {
		close(h.reached)
	}
	stopped := h.pass < 0
	p.mu.Unlock()
	if stopped {
		select {
		case <-h.release:
		case <-r.Context().Done():
		}
	}
}

// holdAfter lets a number of uploads (PUT) or downloads (GET) of packs pass, and
// holds all later ones until release. reached is closed when the proxy holds the
// first.
func (p *proxy) holdAfter(method string, packs int) (reached <-chan struct{}) {
	h := &hold{method: method, pass: packs, reached: make(chan struct{}), release: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = h
	return h.reached
}

func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held.release)
		p.held = nil
	}
}

// absence is a time without the server.
type absence struct {
	once  sync.Once
	first chan struct{}
}

// leave makes the server disappear, and cuts all connections. refused is closed at
// the first request after that.
func (p *proxy) leave() (refused <-chan struct{}) {
	a := &absence{first: make(chan struct{})}
	p.gone.Store(a)
	p.server.CloseClientConnections()
	return a.first
}

func (p *proxy) comeBack() { p.gone.Store(nil) }

// take waits for the requests under way, and returns all requests since the last
// call. The run that makes the requests must have ended.
func (p *proxy) take() []request {
	p.busy.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.requests
	p.requests = nil
	return all
}

// arrived returns the stored objects of a kind and their sizes.
func arrived(requests []request, kind string) map[string]int64 {
	sizes := map[string]int64{}
	for _, r := range requests {
		if r.method == http.MethodPut && r.status == http.StatusOK && strings.HasPrefix(r.object, kind+"/") {
			sizes[r.object] = r.sent
		}
	}
	return sizes
}

func total(sizes map[string]int64) (n int64) {
	for _, size := range sizes {
		n += size
	}
	return n
}

// line is a network line with a limited rate.
type line struct {
	mu   sync.Mutex // guards free
	free time.Time
}

// carry returns when the line has carried n more bytes.
func (l *line) carry(n int, rate int64) {
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(rate) * 1e9))
	until := time.Until(l.free)
	l.mu.Unlock()
	time.Sleep(until)
}

func (p *proxy) carry(n int) {
	if rate := p.rate.Load(); rate > 0 {
		p.line.carry(n, rate)
	}
}

// body is the body of a request.
type body struct {
	io.ReadCloser
	proxy *proxy
	n     int64
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.proxy.carry(n)
	return n, err
}

// answer is the answer to a request.
type answer struct {
	http.ResponseWriter
	proxy  *proxy
	status int
	n      int64
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.n += int64(n)
	a.proxy.carry(n)
	return n, err
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
