package remotetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
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
	"holdfast/remote"
)

// Bucket is a bucket on a MinIO server. Endpoint is "HOST:PORT"; the server does
// not speak TLS.
type Bucket struct {
	Endpoint, AccessKey, SecretKey string
	Name                           string
}

var (
	minioOnce   sync.Once
	minioServer *Bucket // without Name; nil if the server did not start
)

// NewBucket makes an empty bucket on the MinIO server of the process, on a free
// loopback port. The first call starts the server. The program is
// $HOLDFAST_MINIO, else minio on $PATH, else tools/bin/minio of this module.
// Without a program NewBucket calls [testkit.Missing].
func NewBucket(t testing.TB) Bucket {
	t.Helper()
	program := findMinIO(t)
	minioOnce.Do(func() {
		scratch, err := os.MkdirTemp("", "holdfast-minio-*")
		testkit.OK(t, err)
		minioServer = startMinIO(t, program, scratch)
	})
	if minioServer == nil {
		t.Fatal("MinIO failed to start in an earlier test")
	}
	b := *minioServer
	b.Name = "test-" + strings.ToLower(rand.Text())
	testkit.OK(t, b.client(t).MakeBucket(t.Context(), b.Name, minio.MakeBucketOptions{}))
	return b
}

// NewLockedBucket is NewBucket for a bucket with object lock and a default retention of
// a day, the strongest setting of a provider.
func NewLockedBucket(t testing.TB) Bucket {
	t.Helper()
	b := NewBucket(t)
	b.Name += "-locked"
	client := b.client(t)
	testkit.OK(t, client.MakeBucket(t.Context(), b.Name, minio.MakeBucketOptions{ObjectLocking: true}))
	mode, validity, unit := minio.Governance, uint(1), minio.Days
	testkit.OK(t, client.SetBucketObjectLockConfig(t.Context(), b.Name, &mode, &validity, &unit))
	return b
}

// startMinIO starts a server with data below scratch. The server ends with the
// process, and scratch is removed then.
func startMinIO(t testing.TB, program, scratch string) *Bucket {
	t.Helper()
	server := &Bucket{
		Endpoint:  "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t)),
		AccessKey: "root", SecretKey: rand.Text(),
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
	stop := testkit.StartDaemon(t, cmd, "KILL", scratch)
	if err := awaitHealthy(t.Context(), server.Endpoint); err != nil {
		stop()
		t.Fatalf("start MinIO: %v\n%s", err, &log)
	}
	return server
}

// client returns a client with all rights on the server.
func (b *Bucket) client(t testing.TB) *minio.Client {
	t.Helper()
	client, err := minio.New(b.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(b.AccessKey, b.SecretKey, "")})
	testkit.OK(t, err)
	return client
}

// Limited returns temporary keys with no other rights in the bucket than the named ones,
// such as "s3:GetObject".
func (b *Bucket) Limited(t testing.TB, rights ...string) remote.Config {
	t.Helper()
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": rights,
		"Resource": []string{"arn:aws:s3:::" + b.Name, "arn:aws:s3:::" + b.Name + "/*"},
	}}})
	testkit.OK(t, err)
	keys, err := credentials.NewSTSAssumeRole("http://"+b.Endpoint, credentials.STSAssumeRoleOptions{
		AccessKey: b.AccessKey, SecretKey: b.SecretKey, Policy: string(policy), DurationSeconds: 3600,
	})
	testkit.OK(t, err)
	value, err := keys.GetWithContext(nil)
	testkit.OK(t, err)
	return remote.Config{
		AccessKey: value.AccessKeyID, SecretKey: value.SecretAccessKey, SessionToken: value.SessionToken,
	}
}

// findMinIO returns the path of the server's program.
func findMinIO(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("HOLDFAST_MINIO"); program != "" {
		return program
	}
	if program, err := exec.LookPath("minio"); err == nil {
		return program
	}
	return findTool(t, "minio")
}

// FindClient returns the path of MinIO's client. $PATH does not count: the name mc there may
// be Midnight Commander. Without the program FindClient calls [testkit.Missing].
func FindClient(t testing.TB) string {
	t.Helper()
	return findTool(t, "mc")
}

// findTool returns the path of a program in tools/bin of this module.
func findTool(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	testkit.OK(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		program := filepath.Join(dir, "tools", "bin", name)
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	testkit.Missing(t, "no %[1]s: run `make tools/bin/%[1]s`", name)
	return ""
}

// awaitHealthy waits up to a minute for the server.
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
