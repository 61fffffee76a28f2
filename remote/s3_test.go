package remote

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast/internal/testkit"
)

const listing = `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><IsTruncated>%v</IsTruncated>%s` +
	`<Contents><Key>packs/%d</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>3</Size></Contents>` +
	`</ListBucketResult>`

func TestS3AnswersBecomeErrors(t *testing.T) {
	for _, answer := range []struct {
		status  int
		code    string
		want    error
		message string
	}{
		{403, "AccessDenied", ErrDenied, "s3:VERBObject in bucket \"bucket\": AccessDenied"},
		{403, "InvalidAccessKeyId", ErrCredentials, ""},
		{400, "ExpiredToken", ErrCredentials, ""},
		{403, "SignatureDoesNotMatch", ErrSignature, `bucket "bucket"`},
		{403, "RequestTimeTooSkewed", ErrClock, "clock"},
		{403, "InvalidObjectState", nil, "archive"},
		{404, "NoSuchKey", fs.ErrNotExist, ""},
		{404, "NoSuchBucket", ErrNoBucket, `no bucket "bucket"`},
		{403, "QuotaExceeded", ErrFull, `bucket "bucket" at`},
		{507, "XMinioStorageFull", ErrFull, ""},
		{503, "SlowDown", ErrUnreachable, ""},
		{500, "InternalError", ErrUnreachable, ""},
		{502, "", ErrUnreachable, ""},
		{429, "TooManyRequests", ErrUnreachable, ""},
		{400, "AuthorizationHeaderMalformed", nil, "set the region"},
		{400, "XAmzContentSHA256Mismatch", nil, "SHA-256"},
	} {
		t.Run(answer.code, func(t *testing.T) {
			var requests atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(answer.status)
				if answer.code != "" {
					const text = "<Error><Code>%s</Code><Message>no</Message><Region>eu-1</Region></Error>"
					fmt.Fprintf(w, text, answer.code)
				}
			})
			_, getErr := s.Get(t.Context(), name("x"))
			putErr := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1)
			for verb, err := range map[string]error{"Get": getErr, "Put": putErr} {
				message := strings.ReplaceAll(answer.message, "VERB", verb)
				if err == nil || answer.want != nil && !errors.Is(err, answer.want) ||
					!strings.Contains(err.Error(), message) {
					t.Errorf("%s = %v, want %v %s", verb, err, answer.want, message)
				}
				for _, other := range []error{
					ErrCredentials, ErrDenied, ErrSignature, ErrClock, ErrFull, ErrUnreachable, fs.ErrNotExist,
				} {
					if !errors.Is(answer.want, other) && errors.Is(err, other) {
						t.Errorf("%s = %v, which is also %v", verb, err, other)
					}
				}
				if strings.Contains(fmt.Sprint(err), "hunter2") {
					t.Errorf("%s tells the secret: %v", verb, err)
				}
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests, want 2: the client retried by itself", n)
			}
		})
	}
}

// A proxy answers with its own page, as long and as many-lined as it likes.
func TestS3ShowsOneShortLineOfAForeignAnswer(t *testing.T) {
	for _, body := range []string{
		"<html>\n✗ \x1b[2Jall is lost\n" + strings.Repeat("x", 3000),
		"<Error><Code>Odd</Code><Message>\n✗ all is lost\n" + strings.Repeat("x ", 3000) + "</Message></Error>",
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusMethodNotAllowed)
			io.WriteString(w, body)
		})
		_, err := s.Get(t.Context(), name("x"))
		text := fmt.Sprint(err)
		if err == nil || strings.ContainsAny(text, "\n\x1b") || len(text) > 400 || errors.Is(err, ErrUnreachable) {
			t.Errorf("Get = %.500q", text)
		}
	}
}

func TestS3GetNoticesACutBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Write(make([]byte, 900))
	})
	body, err := s.Get(t.Context(), name("x"))
	testkit.OK(t, err)
	defer body.Close()
	n, err := io.Copy(io.Discard, body)
	if n != 900 || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("read %d bytes, %v; want 900, ErrUnexpectedEOF", n, err)
	}
}

func TestS3GetRefusesABodyOfUnknownLength(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.(http.Flusher).Flush()
	})
	if _, err := s.Get(t.Context(), name("x")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Get = %v, want ErrUnreachable", err)
	}
}

func TestS3ListRefusesAnswersWithoutAListing(t *testing.T) {
	whole := fmt.Sprintf(listing, false, "", 1)
	for _, body := range []string{
		"",
		"<Error><Code>InternalError</Code></Error>",
		"<html><body>Please log in</body></html>",
		whole[:len(whole)-10],
		fmt.Sprintf(listing, true, "", 1), // goes on, but doesn't say where
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) })
		var last error
		for _, err := range s.List(t.Context(), "") {
			last = err
		}
		if last == nil {
			t.Errorf("List of %q came to a good end", body)
		}
	}
}

func TestS3ListIsOneRequestPerPage(t *testing.T) {
	var queries []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		queries = append(queries, r.URL.RawQuery)
		if r.URL.Query().Get("continuation-token") == "" {
			fmt.Fprintf(w, listing, true, "<NextContinuationToken>more</NextContinuationToken>", 1)
		} else {
			fmt.Fprintf(w, listing, false, "", 2)
		}
	})
	var got []string
	for object, err := range s.List(t.Context(), "") {
		testkit.OK(t, err)
		got = append(got, object.Name)
	}
	if len(queries) != 2 || strings.Join(got, " ") != "packs/1 packs/2" {
		t.Errorf("%d requests list %q: %q", len(queries), got, queries)
	}
	if !strings.Contains(queries[0], "max-keys=1000") || !strings.Contains(queries[0], "delimiter=&") {
		t.Errorf("query %q", queries[0])
	}
}

// pipes is a listener for the connections of dial.
type pipes chan net.Conn

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p <- far
	return near, nil
}

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Close() error   { return nil }

func TestBucketListGoesOnAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var queries []string
		p := make(pipes)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			queries = append(queries, q.Get("continuation-token")+q.Get("start-after"))
			switch len(queries) {
			case 1:
				fmt.Fprintf(w, listing, true, "<NextContinuationToken>more</NextContinuationToken>", 1)
			case 2, 3:
				w.WriteHeader(http.StatusInternalServerError)
			default:
				fmt.Fprintf(w, listing, false, "", 2)
			}
		})}
		go server.Serve(p)
		b, err := OpenBucket(BucketConfig{
			Endpoint: "bucket.test", Name: "bucket", Prefix: "packs/",
			Region: "r", AccessKey: "a", SecretKey: "s", Plain: true,
		}, 0)
		testkit.OK(t, err)
		b.transport.DialContext = p.dial
		var names []string
		for o, err := range b.List(t.Context(), "") {
			testkit.OK(t, err)
			names = append(names, o.Name)
		}
		want := []string{"", "more", "packs/1", "packs/1"}
		if !slices.Equal(names, []string{"1", "2"}) || !slices.Equal(queries, want) {
			t.Errorf("names %q, by requests after %q", names, queries)
		}
		b.Close()
		close(p)
		server.Close()
	})
}

func TestS3PutIsOnePlainRequest(t *testing.T) {
	var requests []*http.Request
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		requests = append(requests, r)
	})
	data := strings.Repeat("x", 20<<20)
	testkit.OK(t, s.Put(t.Context(), name(data), strings.NewReader(data), int64(len(data))))
	if len(requests) != 1 {
		t.Fatalf("%d requests", len(requests))
	}
	r := requests[0]
	if r.ContentLength != int64(len(data)) || r.Header.Get("X-Amz-Content-Sha256") != name(data)[len("packs/"):] {
		t.Errorf("length %d, header %v", r.ContentLength, r.Header)
	}
	for _, key := range []string{
		"Content-Md5", "Content-Encoding", "X-Amz-Trailer", "X-Amz-Decoded-Content-Length", "X-Amz-Checksum-Crc32c",
		"Expect",
	} {
		if r.Header.Get(key) != "" {
			t.Errorf("header %s is sent", key)
		}
	}
}

// AWS and Backblaze refuse an upload without Content-MD5 into a bucket with object lock.
func TestS3PutSendsContentMD5OnDemand(t *testing.T) {
	for _, code := range []string{"InvalidRequest", "MissingContentMD5"} {
		var requests int
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			requests++
			body, err := io.ReadAll(r.Body)
			sum := md5.Sum(body)
			switch got := r.Header.Get("Content-Md5"); {
			case got == "":
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>Content-MD5 is required</Message></Error>", code)
			case err != nil || got != base64.StdEncoding.EncodeToString(sum[:]):
				t.Errorf("Content-MD5 %q of %d bytes, %v", got, len(body), err)
			}
		})
		for _, data := range []string{"one", "another"} {
			testkit.OK(t, s.Put(t.Context(), name(data), strings.NewReader(data), int64(len(data))))
		}
		if requests != 3 { // only the first Put is refused
			t.Errorf("%s: %d requests for 2 objects, want 3", code, requests)
		}
	}
}

func TestS3PutRefusedInSpiteOfContentMD5Fails(t *testing.T) {
	var requests int
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "<Error><Code>InvalidRequest</Code><Message>no</Message></Error>")
	})
	if err := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1); err == nil || requests != 2 {
		t.Errorf("Put = %v after %d requests", err, requests)
	}
}

// An error of the body is no answer of the server, whatever the error wraps.
func TestS3PutBlamesTheBodyForItsOwnError(t *testing.T) {
	var requests atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		io.Copy(io.Discard, r.Body)
	})
	broken := minio.ErrorResponse{StatusCode: 400, Code: "InvalidRequest"}
	err := s.Put(t.Context(), name("x"), failingBody{broken}, 1)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "read body") || requests.Load() > 1 {
		t.Errorf("Put = %v after %d requests", err, requests.Load())
	}
}

// failingBody is a body that nobody can read.
type failingBody struct{ err error }

func (b failingBody) ReadAt([]byte, int64) (int, error) { return 0, b.err }

// In TestS3PutReturnsTheBody an early answer ends Put while the client still
// sends. The race detector finds a client that reads on.
func TestS3PutReturnsTheBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		http.NewResponseController(w).Flush()
		io.Copy(io.Discard, r.Body)
	})
	for range 5 {
		data := make([]byte, 8<<20)
		err := s.Put(t.Context(), name("x"), bytes.NewReader(data), int64(len(data)))
		if !errors.Is(err, ErrUnreachable) {
			t.Errorf("Put = %v, want ErrUnreachable", err)
		}
		clear(data)
	}
}

// net/http may read until net/http closes the body.
func TestLoanEnds(t *testing.T) {
	body := strings.NewReader("abcdef")
	loan := &loan{body: body, left: 6}
	if _, err := loan.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if err := loan.end(); err != nil {
		t.Errorf("end = %v", err)
	}
	if n, err := loan.Read(make([]byte, 2)); n != 0 || err == nil || body.Len() != 4 {
		t.Errorf("%d bytes after the end, %v", n, err)
	}
}

func TestS3UnreachableHost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.OK(t, err)
	listener.Close()
	cfg := Config{AccessKey: "a", SecretKey: "hunter2"}
	_, err = Create(t.Context(), "s3+http://"+listener.Addr().String()+"/bucket", cfg)
	if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "list-type") {
		t.Errorf("Create = %v, want ErrUnreachable without the request's URL", err)
	}
}

// A timeout of a dial is a context.DeadlineExceeded, but the caller's context goes on.
func TestS3DialTimeoutIsUnreachable(t *testing.T) {
	_, err := net.DialTimeout("tcp", "127.0.0.1:1", time.Nanosecond)
	s := open(t, "s3+http://127.0.0.1:1/bucket").(retryingPruner).Store.(*s3Store)
	if err := s.fail(t.Context(), "get", "packs/1", err); !errors.Is(err, ErrUnreachable) || !transient(err) {
		t.Errorf("Get = %v, want ErrUnreachable", err)
	}
}

func TestS3OverTLSToAServerWithoutTLS(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	s := open(t, "s3://"+server.Listener.Addr().String()+"/bucket") // with retries: Get must not take minutes
	_, err := s.Get(t.Context(), name("x"))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "s3+http://") {
		t.Errorf("Get = %v, want a word about s3+http://", err)
	}
}

// Many servers close a connection that begins with the wrong protocol.
func TestClosedConnectionNamesTheOtherScheme(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.OK(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 64<<10))
			conn.Close()
		}
	}()
	for scheme, other := range map[string]string{"s3": "use s3+http://", "s3+http": "use s3://"} {
		s, err := newS3(scheme+"://"+listener.Addr().String()+"/bucket", Config{AccessKey: "a", SecretKey: "s"})
		testkit.OK(t, err)
		defer s.Close()
		_, err = s.Get(t.Context(), name("x"))
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), other) ||
			strings.Contains(err.Error(), name("x")+"?") || strings.Contains(err.Error(), "Retry again") {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

func TestStalledConnectionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		conn := &stalling{Conn: near}
		go func() {
			for range 5 { // slow, but alive
				time.Sleep(50 * time.Second)
				far.Write([]byte("x"))
			}
		}()
		start := time.Now()
		n, err := io.Copy(io.Discard, conn)
		if took := time.Since(start); n != 5 || took != 250*time.Second+stall || !isTimeout(err) {
			t.Errorf("read %d bytes in %v, then %v", n, took, err)
		}
		start = time.Now()
		if _, err := conn.Write([]byte("x")); !isTimeout(err) || time.Since(start) != stall {
			t.Errorf("Write = %v after %v", err, time.Since(start))
		}
	})
}

func TestReadWaitsForTheReplyToASlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		conn := &stalling{Conn: near}
		go func() {
			defer far.Close()
			for range 10 {
				time.Sleep(50 * time.Second)
				far.Read(make([]byte, 1))
			}
			time.Sleep(2 * time.Minute)
			far.Write([]byte("ok"))
		}()
		go func() {
			for range 10 {
				conn.Write([]byte("x"))
			}
		}()
		if reply, err := io.ReadAll(conn); err != nil || string(reply) != "ok" {
			t.Errorf("reply %q, %v", reply, err)
		}
	})
}

// BenchmarkS3Put shows the cost of a pack for the client. The server only reads the pack.
func BenchmarkS3Put(b *testing.B) {
	benchmarkPut(b, serve(b, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
		}
		io.Copy(io.Discard, r.Body)
	}))
}

func BenchmarkS3Get(b *testing.B) {
	data := make([]byte, 16<<20)
	s := serve(b, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(data))
	})
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		body, err := s.Get(b.Context(), name("x"))
		testkit.OK(b, err)
		if n, err := io.Copy(io.Discard, body); n != int64(len(data)) || err != nil {
			b.Fatal(n, err)
		}
		body.Close()
	}
}

// serve returns a store without retries on a server with the handler.
func serve(t testing.TB, handler http.HandlerFunc) Store {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := Config{AccessKey: "access", SecretKey: "hunter2"}
	s, err := newS3("s3+http://"+server.Listener.Addr().String()+"/bucket", cfg)
	testkit.OK(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestEndlessListIsGivenUp(t *testing.T) {
	const page = `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated>` +
		`<NextContinuationToken>more</NextContinuationToken>%s</ListBucketResult>`
	const object = `<Contents><Key>packs/%d</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>` +
		`<Size>3</Size></Contents>`
	var full strings.Builder
	for i := range 1_000 {
		fmt.Fprintf(&full, object, i)
	}
	for what, answer := range map[string]func(io.Writer){
		"empty pages":      func(w io.Writer) { fmt.Fprintf(w, page, "") },
		"pages of objects": func(w io.Writer) { fmt.Fprintf(w, page, full.String()) },
		"a page without end": func(w io.Writer) {
			fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><Name>`)
			for spaces := bytes.Repeat([]byte(" "), 64<<10); ; {
				if _, err := w.Write(spaces); err != nil {
					return
				}
			}
		},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w) })
		driver := s.(*s3Store)
		driver.mostObjects, driver.mostPages = 5_000, 50
		var last error
		for _, err := range s.List(t.Context(), "") {
			last = err
		}
		if !errors.Is(last, ErrEndless) || errors.Is(last, ErrUnreachable) {
			t.Errorf("%s: %v", what, last)
		}
	}
}

func TestHostilePageOfAListCostsLittleMemory(t *testing.T) {
	for _, each := range []string{"<Contents/>", "<x:Contents/>", "<Contents><Key>packs/1</Key></Contents>"} {
		page := "<ListBucketResult>" + strings.Repeat(each, maxPage/len(each)-10) + "</ListBucketResult>"
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var last error
		for _, err := range s.List(t.Context(), "") {
			last = err
		}
		runtime.ReadMemStats(&after)
		cost := (after.TotalAlloc - before.TotalAlloc) >> 20
		if !errors.Is(last, ErrEndless) || cost > 128 {
			t.Errorf("%s: %d MiB, %v", each, cost, last)
		}
	}
}

func TestServersTextNeverLooksLikeOurLines(t *testing.T) {
	evil := "no\n✓ Restored 5 files\r\x1b[2K" + strings.Repeat("x", 5000)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>AccessDenied\n✓</Code><Message>%s</Message></Error>",
			strings.ReplaceAll(evil, "\x1b", "&#10;"))
	})
	_, getErr := s.Get(t.Context(), name("x"))
	putErr := s.Put(t.Context(), name("x"), strings.NewReader("x"), 1)
	for verb, err := range map[string]error{"Get": getErr, "Put": putErr} {
		if !errors.Is(err, ErrCredentials) || strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 500 {
			t.Errorf("%s = %q", verb, err)
		}
	}
}
