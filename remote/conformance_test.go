package remote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/remote"
	"holdfast/remote/remotetest"
)

// conform runs both suites.
func conform(t *testing.T, open func(t *testing.T) remote.Store) {
	t.Helper()
	remotetest.Run(t, open)
	remotetest.RunPruner(t, open)
}

func TestMemoryConforms(t *testing.T) {
	conform(t, func(t *testing.T) remote.Store { return &remotetest.Memory{} })
	memory := &remotetest.Memory{}
	remotetest.RunForeign(t, memory, memory.Plant)
}

func TestRetriesConform(t *testing.T) {
	conform(t, func(t *testing.T) remote.Store { return remote.WithRetry(&remotetest.Memory{}) })
}

func TestFaultyWithoutPlanConforms(t *testing.T) {
	conform(t, func(t *testing.T) remote.Store {
		return remotetest.NewFaulty(&remotetest.Slow{Store: &remotetest.Memory{}, BytesPerSecond: 1 << 30}, nil)
	})
}

func TestDirectoryConforms(t *testing.T) {
	open := func(t *testing.T) remote.Store {
		return create(t, filepath.Join(t.TempDir(), "remote"), remote.Config{})
	}
	conform(t, open)

	dir := t.TempDir()
	remotetest.RunForeign(t, create(t, dir, remote.Config{}), func(name string, data []byte) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMinIOConforms(t *testing.T) {
	endpoint, access, secret := remotetest.StartMinIO(t)
	remotetest.MakeBucket(t, endpoint, access, secret, "bucket")
	cfg := remote.Config{AccessKey: access, SecretKey: secret}

	var prefix atomic.Int32
	conform(t, func(t *testing.T) remote.Store {
		return create(t, fmt.Sprintf("s3+http://%s/bucket/some/prefix %d", endpoint, prefix.Add(1)), cfg)
	})
	t.Run("BucketRoot", func(t *testing.T) {
		remotetest.MakeBucket(t, endpoint, access, secret, "root")
		client, err := minio.New(endpoint, &minio.Options{Creds: credentials.NewStaticV4(access, secret, "")})
		if err != nil {
			t.Fatal(err)
		}
		s := create(t, fmt.Sprintf("s3+http://%s/root", endpoint), cfg)
		defer s.Close()
		remotetest.RunForeign(t, s, func(name string, data []byte) {
			if _, err := client.PutObject(t.Context(), "root", name, strings.NewReader(string(data)), int64(len(data)), minio.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func create(t *testing.T, url string, cfg remote.Config) remote.Store {
	t.Helper()
	s, err := remote.Create(t.Context(), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
