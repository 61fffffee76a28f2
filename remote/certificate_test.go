package remote

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// newTLSServer returns a server with a certificate of its own, and a PEM file of the
// certificate. The server lists an empty bucket.
func newTLSServer(t *testing.T) (server *httptest.Server, file string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, listing, false, "", 1)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	file = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	testkit.Write(t, file, block)
	return server, file
}

func TestStorageWithItsOwnCertificateNeedsTheCAFile(t *testing.T) {
	server, file := newTLSServer(t)
	url := "s3://" + server.Listener.Addr().String() + "/bucket"
	_, err := Create(t.Context(), url, Config{AccessKey: "a", SecretKey: "s"})
	want := "the certificate of " + server.Listener.Addr().String() + " is not trusted"
	if !errors.Is(err, ErrCertificate) || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("Create = %v, want %s", err, want)
	}
	s, err := Create(t.Context(), url, Config{AccessKey: "a", SecretKey: "s", CAFile: file})
	if err != nil {
		t.Fatalf("Create with the certificate = %v", err)
	}
	s.Close()

	b, err := OpenBucket(BucketConfig{
		Endpoint: server.Listener.Addr().String(), Name: "bucket", Region: "r",
		AccessKey: "a", SecretKey: "s", CAFile: file,
	}, 0)
	testkit.OK(t, err)
	defer b.Close()
	for _, err := range b.List(t.Context(), "") {
		testkit.OK(t, err)
	}
}

func TestFileWithoutACertificateIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	for _, want := range []string{"no such file", "holds no certificate"} {
		_, err := Open(t.Context(), "s3://s3.example/bucket", Config{AccessKey: "a", SecretKey: "s", CAFile: file})
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), want) ||
			!remedy.Is(err, remedy.Setting) {
			t.Errorf("Open = %v, want %s", err, want)
		}
		testkit.Write(t, file, "a key, not a certificate")
	}
}

func TestPlainRequestToAServerWithTLSPointsToS3(t *testing.T) {
	server, _ := newTLSServer(t)
	_, err := Create(t.Context(), "s3+http://"+server.Listener.Addr().String()+"/bucket",
		Config{AccessKey: "a", SecretKey: "s"})
	var said *remedy.Error
	if !errors.As(err, &said) || !strings.Contains(said.Fix, "use s3://") {
		t.Errorf("Create = %v, want a word about s3://", err)
	}
}

func TestServerOfAnotherProtocolPointsToPlainHTTP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testkit.OK(t, err)
	var g errgroup.Group
	t.Cleanup(func() { listener.Close(); testkit.OK(t, g.Wait()) })
	g.Go(func() error {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return nil // the test ends
			}
			fmt.Fprint(conn, "SSH-2.0-OpenSSH_9.2\r\n")
			conn.Close()
		}
	})
	_, err = Create(t.Context(), "s3://"+listener.Addr().String()+"/bucket", Config{AccessKey: "a", SecretKey: "s"})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "speaks no TLS: use s3+http://") {
		t.Errorf("Create = %v, want a word about s3+http://", err)
	}
}
