package remotetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/internal/testkit"
)

// Bucket is a bucket on a MinIO server. Endpoint is "HOST:PORT"; the server does
// not speak TLS.
type Bucket struct {
	Endpoint, AccessKey, SecretKey string
	Name                           string
}

var (
	minioOnce   sync.Once
	minioServer *Bucket // without Name; nil where the server did not start
)

// NewBucket makes a new bucket. All buckets of this process are on one MinIO
// server, which the first call starts. NewBucket finds the program as
// [StartMinIO] does.
func NewBucket(t testing.TB) Bucket {
	t.Helper()
	program := findMinIO(t)
	minioOnce.Do(func() {
		scratch, err := os.MkdirTemp("", "holdfast-minio-*")
		testkit.OK(t, err)
		minioServer, _ = startMinIO(t, program, scratch)
	})
	if minioServer == nil {
		t.Fatal("MinIO failed to start in an earlier test")
	}
	b := *minioServer
	b.Name = "test-" + strings.ToLower(rand.Text())
	MakeBucket(t, b.Endpoint, b.AccessKey, b.SecretKey, b.Name)
	return b
}

// StartMinIO runs a MinIO server for the length of a test, on a free loopback
// port. endpoint is "HOST:PORT", without TLS. The program is $HOLDFAST_MINIO,
// else minio on $PATH, else tools/bin/minio of this module. Without any program
// StartMinIO calls [testkit.Missing].
func StartMinIO(t testing.TB) (endpoint, accessKey, secretKey string) {
	t.Helper()
	program := findMinIO(t)
	scratch, err := os.MkdirTemp("", "holdfast-minio-*")
	testkit.OK(t, err)
	server, stop := startMinIO(t, program, scratch)
	t.Cleanup(stop)
	return server.Endpoint, server.AccessKey, server.SecretKey
}

// startMinIO starts a server with its data below scratch, and removes scratch at
// the server's end.
func startMinIO(t testing.TB, program, scratch string) (server *Bucket, stop func()) {
	t.Helper()
	server = &Bucket{
		Endpoint:  "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t)),
		AccessKey: "holdfast", SecretKey: rand.Text(),
	}
	home, data := filepath.Join(scratch, "home"), filepath.Join(scratch, "data")
	cmd := exec.Command(program, "server", "--quiet", "--address", server.Endpoint, data)
	cmd.Env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"),
		"MINIO_ROOT_USER=" + server.AccessKey, "MINIO_ROOT_PASSWORD=" + server.SecretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	stop = testkit.StartDaemon(t, cmd, "KILL", scratch)
	if err := awaitHealthy(t.Context(), server.Endpoint); err != nil {
		stop()
		t.Fatalf("start MinIO: %v\n%s", err, &log)
	}
	return server, stop
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
	testkit.OK(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		program := filepath.Join(dir, "tools", "bin", "minio")
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	testkit.Missing(t, "no minio: set HOLDFAST_MINIO, or run `cd tools && go build -o bin/ github.com/minio/minio`")
	return ""
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
