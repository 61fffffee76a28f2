package remote_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/internal/testkit"
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
	conform(t, func(t *testing.T) remote.Store { return remote.WithRetry(&remotetest.Memory{}, 0) })
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
		testkit.OK(t, os.MkdirAll(filepath.Dir(file), 0o700))
		testkit.OK(t, os.WriteFile(file, data, 0o600))
	})
}

func TestMinIOConforms(t *testing.T) {
	b := remotetest.NewBucket(t)
	cfg := remote.Config{AccessKey: b.AccessKey, SecretKey: b.SecretKey}

	var prefix atomic.Int32
	conform(t, func(t *testing.T) remote.Store {
		return create(t, fmt.Sprintf("s3+http://%s/%s/some/prefix %d", b.Endpoint, b.Name, prefix.Add(1)), cfg)
	})
	t.Run("BucketRoot", func(t *testing.T) {
		b := remotetest.NewBucket(t)
		keys := credentials.NewStaticV4(b.AccessKey, b.SecretKey, "")
		client, err := minio.New(b.Endpoint, &minio.Options{Creds: keys})
		testkit.OK(t, err)
		s := create(t, fmt.Sprintf("s3+http://%s/%s", b.Endpoint, b.Name), cfg)
		defer s.Close()
		remotetest.RunForeign(t, s, func(name string, data []byte) {
			_, err := client.PutObject(t.Context(), b.Name, name, bytes.NewReader(data), int64(len(data)),
				minio.PutObjectOptions{})
			testkit.OK(t, err)
		})
	})
}

func create(t *testing.T, url string, cfg remote.Config) remote.Store {
	t.Helper()
	s, err := remote.Create(t.Context(), url, cfg)
	testkit.OK(t, err)
	return s
}
