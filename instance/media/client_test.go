package media_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/remote"
)

func TestMediaThatBreakOffAreTheBucketsFault(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Length", "10")
		w.Header().Set("ETag", `"etag"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
		w.Write([]byte("half"))
	}))
	defer server.Close()
	config := filepath.Join(t.TempDir(), "config.yaml")
	text := "host: example.org\nstorage-backend: s3\nstorage-s3-use-ssl: false\nstorage-s3-bucket: " +
		"media\nstorage-s3-region: here\n" +
		"storage-s3-access-key: a\nstorage-s3-secret-key: s\nstorage-s3-endpoint: " +
		server.Listener.Addr().String() + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := gotosocial.Load(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := media.OpenClient(c, "", time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	r, err := b.Open(t.Context(), "key.png")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, err = io.ReadAll(r)
	if !errors.Is(err, remote.ErrUnreachable) || !strings.HasPrefix(err.Error(), "GoToSocial's bucket: ") {
		t.Errorf("%v", err)
	}
}
