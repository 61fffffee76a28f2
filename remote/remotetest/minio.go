package remotetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// StartMinIO runs a MinIO server until the end of the test, on a free loopback
// port, with data below t.TempDir. endpoint is "HOST:PORT", without TLS. The
// program is $HOLDFAST_MINIO, else minio on PATH, else tools/bin/minio of this
// module. Without a program the test is skipped, or fails if $CI is "true".
func StartMinIO(t testing.TB) (endpoint, accessKey, secretKey string) {
	t.Helper()
	program := findMinIO(t)
	endpoint, accessKey, secretKey = freeAddress(t), "holdfast", rand.Text()

	// The shell kills the server at the end of input, even if the test process is
	// killed before the cleanup.
	server := exec.Command("sh", "-c", `"$@" & server=$!; read _; kill -9 $server; wait`,
		"sh", program, "server", "--quiet", "--address", endpoint, t.TempDir())
	server.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"),
		"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
	}
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatalf("start MinIO: %v", err)
	}
	stop := func() {
		input.Close()
		server.Wait()
	}
	if err := awaitHealthy(t.Context(), endpoint); err != nil {
		stop()
		t.Fatalf("start MinIO: %v\n%s", err, &log)
	}
	t.Cleanup(stop)
	return endpoint, accessKey, secretKey
}

// MakeBucket makes a bucket on a server of [StartMinIO].
func MakeBucket(t testing.TB, endpoint, accessKey, secretKey, bucket string) {
	t.Helper()
	client, err := minio.New(endpoint, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	if err == nil {
		err = client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{})
	}
	if err != nil {
		t.Fatalf("make bucket %s: %v", bucket, err)
	}
}

func findMinIO(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("HOLDFAST_MINIO"); program != "" {
		return program
	}
	if program, err := exec.LookPath("minio"); err == nil {
		return program
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		program := filepath.Join(dir, "tools", "bin", "minio")
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	const missing = "no minio: set HOLDFAST_MINIO, or run `cd tools && go build -o bin/ github.com/minio/minio`"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func awaitHealthy(ctx context.Context, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+endpoint+"/minio/health/ready", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(resp.Status)
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("not healthy within a minute: %w", err)
		}
	}
}
