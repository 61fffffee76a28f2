package integration_test

import (
	"context"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/instance/media"
	"holdfast/instance/sample"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

// mediaServer is a real S3 server with the bucket of an instance's media.
type mediaServer struct {
	t     *testing.T
	proxy *proxy // Holdfast's way to it
	at    remote.BucketConfig
	admin *minio.Client
}

// mediaPrefix stands before each key, as the proxy wants it.
const mediaPrefix = "gts/example/"

func newMediaServer(t *testing.T) *mediaServer {
	t.Helper()
	endpoint, accessKey, secretKey := remotetest.StartMinIO(t)
	remotetest.MakeBucket(t, endpoint, accessKey, secretKey, "media")
	s := &mediaServer{t: t, proxy: newProxy(t, endpoint)}
	s.at = remote.BucketConfig{
		Endpoint: strings.TrimPrefix(s.proxy.server.URL, "http://"), Name: "media", Prefix: mediaPrefix,
		AccessKey: accessKey, SecretKey: secretKey, Plain: true,
	}
	var err error
	s.admin, err = minio.New(endpoint, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	ok(t, err)
	return s
}

// configure makes a configuration of GoToSocial one for the bucket.
func (s *mediaServer) configure(config string) {
	s.t.Helper()
	text := regexp.MustCompile(`(?m)^storage-.*\n`).ReplaceAll(read(s.t, config), nil)
	write(s.t, config, append(text, "storage-backend: s3\nstorage-s3-use-ssl: false\nstorage-s3-endpoint: "+s.at.Endpoint+
		"\nstorage-s3-bucket: media\nstorage-s3-key-prefix: "+mediaPrefix+
		"\nstorage-s3-access-key: "+s.at.AccessKey+"\nstorage-s3-secret-key: "+s.at.SecretKey+"\n"...))
}

// bucket is the one that a restore fills.
func (s *mediaServer) bucket() media.Client {
	s.t.Helper()
	b, err := remote.OpenBucket(s.at, 0)
	ok(s.t, err)
	s.t.Cleanup(func() { b.Close() })
	return asBucket{b}
}

func (s *mediaServer) fill(dir string) *media.Filling {
	s.t.Helper()
	root, err := os.OpenRoot(dir)
	ok(s.t, err)
	defer root.Close()
	f := &media.Filling{From: root, To: s.bucket()}
	ok(s.t, f.Start(s.t.Context()))
	return f
}

// read is how often an object was asked for, itself or what describes it.
func (s *mediaServer) read() (times int) {
	for _, r := range s.proxy.take() {
		if (r.method == http.MethodGet || r.method == http.MethodHead) && r.object != "" {
			times++
		}
	}
	return times
}

// asBucket is as cmd/holdfast has it, without words for people.
type asBucket struct{ *remote.Bucket }

func (b asBucket) List(ctx context.Context, after string) iter.Seq2[remote.Object, error] {
	return func(yield func(remote.Object, error) bool) {
		for o, err := range b.Bucket.List(ctx, after) {
			if !yield(o, err) {
				return
			}
		}
	}
}

func (b asBucket) Stat(ctx context.Context, key string) (remote.Object, error) {
	o, err := b.Bucket.Stat(ctx, key)
	return o, err
}

func TestLocalInstanceMovesIntoABucketAndBack(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{VideoBytes: 9 << 20})
	want := h.image()
	on := h.restore(h.backup().Snapshot.ID)

	// Into the bucket, twice: the second time there is nothing to do.
	s := newMediaServer(t)
	f := s.fill(filepath.Join(on, "storage"))
	if int(f.Put.Load()) != len(want.media) {
		t.Errorf("%d objects were put, want %d", f.Put.Load(), len(want.media))
	}
	if f = s.fill(filepath.Join(on, "storage")); f.Put.Load() != 0 || int(f.Files.Load()) != len(want.media) {
		t.Errorf("of %d files %d were put again", f.Files.Load(), f.Put.Load())
	}
	keys := keys(want.media)
	for ext, want := range map[string]string{".png": "image/png", ".mp4": "video/mp4"} {
		i := slices.IndexFunc(keys, func(key string) bool { return filepath.Ext(key) == ext })
		if info, err := s.admin.StatObject(t.Context(), "media", mediaPrefix+keys[i], minio.StatObjectOptions{}); err != nil || info.ContentType != want {
			t.Errorf("%s is served as %s, %v", keys[i], info.ContentType, err)
		}
	}

	// The server goes on with it: others' media and what nobody knows come along.
	s.put("01REMOTE/attachment/original/01A.png", "remote")
	s.put("orphan", "orphan")
	ok(t, os.RemoveAll(h.inst.Storage()))
	s.configure(h.config)
	want.config = sum(t, h.config)
	s.proxy.take()
	moved := h.backup()
	if n := s.read(); n != len(want.media) {
		t.Errorf("%d objects were read, want %d", n, len(want.media))
	}
	if moved.Packs > 2 || moved.Snapshot.Stored > 200_000 {
		t.Errorf("media that the repository has were stored again: %d packs, %d bytes", moved.Packs, moved.Snapshot.Stored)
	}
	h.compare(h.restore(moved.Snapshot.ID), want)

	// An unchanged bucket is listed and not read.
	s.proxy.take()
	again := h.backup()
	if n := s.read(); n != 0 || again.NewFiles != 0 || again.Packs != 0 {
		t.Errorf("unchanged, and %d objects were read, %d files new, %d packs stored", n, again.NewFiles, again.Packs)
	}

	// As many other bytes, and an object that is gone.
	data := read(t, filepath.Join(on, "storage", keys[0]))
	data[0] ^= 1
	s.put(keys[0], string(data))
	ok(t, s.admin.RemoveObject(t.Context(), "media", mediaPrefix+keys[1], minio.RemoveObjectOptions{}))
	s.proxy.take()
	lacking := h.holdfast("backup").start().expect(3)
	var result struct {
		Missing  []string
		NewFiles int `json:"new_files"`
	}
	lacking.result(&result)
	if !slices.Equal(result.Missing, keys[1:2]) || result.NewFiles != 1 {
		t.Errorf("missing %q, %d files new", result.Missing, result.NewFiles)
	}
	if n := s.read(); n != 2 { // the one, and whether the other is really gone
		t.Errorf("%d objects were asked for", n)
	}
	to := filepath.Join(t.TempDir(), "restored")
	h.restoring("latest", to).start().expect(3)
	if string(read(t, filepath.Join(to, "storage", keys[0]))) != string(data) {
		t.Errorf("%s has other bytes", keys[0])
	}
}

func (s *mediaServer) put(key, data string) {
	s.t.Helper()
	ok(s.t, s.bucket().Put(s.t.Context(), key, strings.NewReader(data), int64(len(data)), ""))
}

func TestRecordedInstanceComesBackFromABucket(t *testing.T) {
	if _, err := os.Stat(recorded); err != nil {
		t.Skip(err)
	}
	t.Parallel()
	dir := t.TempDir()
	inst := filepath.Join(dir, "gotosocial")
	ok(t, os.CopyFS(inst, os.DirFS(filepath.Join(recorded, "sqlite"))))
	s := newMediaServer(t)
	s.fill(filepath.Join(inst, "storage")) // remote media and orphans, too
	ok(t, os.RemoveAll(filepath.Join(inst, "storage")))
	at := folder(t)
	h := &host{t: t, dir: dir, config: filepath.Join(inst, "config.yaml"), remote: at.url, env: at.env}
	s.configure(h.config)
	h.init()
	h.backup()
	compareMedia(t, filepath.Join(h.restore("latest"), "storage"), recordedMedia(t, "sqlite"))
}

func TestBucketThatCanNotBeReadIsTheInstancesFault(t *testing.T) {
	t.Parallel()
	h := newHost(t, folder(t), sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	s := newMediaServer(t)
	s.fill(h.inst.Storage())
	s.configure(h.config)
	whole := string(read(t, h.config))
	for name, c := range map[string]struct{ old, new, fix string }{
		"secret key": {s.at.SecretKey, "hunter2hunter2", "storage-s3-secret-key"},
		"access key": {"access-key: " + s.at.AccessKey, "access-key: nobody", "storage-s3-access-key"},
		"bucket":     {"bucket: media", "bucket: nowhere", "storage-s3-bucket"},
		"TLS":        {"use-ssl: false", "use-ssl: true", "storage-s3-use-ssl"},
	} {
		write(t, h.config, []byte(strings.Replace(whole, c.old, c.new, 1)))
		run := h.holdfast("backup").start().expect(16)
		if !strings.Contains(run.summary.Error, "GoToSocial's bucket") || !strings.Contains(run.summary.Fix, c.fix) || strings.Contains(run.stdout.String()+run.stderr.String(), "hunter2") {
			t.Errorf("%s: %s; %s", name, run.summary.Error, run.summary.Fix)
		}
		check := h.holdfast("config", "check").start().expect(16)
		if !strings.Contains(check.stdout.String(), c.fix) {
			t.Errorf("%s: config check says %s", name, &check.stdout)
		}
		fresh := newCommand(t, []string{"HOME=" + h.dir, "HOLDFAST_CONFIG=" + h.dir + "/new.yaml", "HOLDFAST_STATE=" + h.dir + "/new"},
			"init", filepath.Join(t.TempDir(), "repo"), "--gotosocial", h.config, "--kit", h.dir+"/new.txt").start().expect(16)
		if !strings.Contains(fresh.summary.Fix, c.fix) || slices.Contains(names(t, h.dir), "new.yaml") {
			t.Errorf("%s: init says %s; %s", name, fresh.summary.Error, fresh.summary.Fix)
		}
	}
	if got := len(h.list()); got != 0 {
		t.Errorf("%d snapshots", got)
	}
	write(t, h.config, []byte(whole))
	// Who asks whether it is there waits for seconds, not minutes.
	s.proxy.leave()
	gone := h.holdfast("config", "check").start().expect(16)
	if gone.took > 30*time.Second || !strings.Contains(gone.stdout.String(), "storage-s3-endpoint") {
		t.Errorf("after %v config check says %s", gone.took, &gone.stdout)
	}
	s.proxy.comeBack()
	check := h.holdfast("config", "check").start().expect(0)
	if !strings.Contains(check.stdout.String(), "media in bucket media") {
		t.Errorf("config check says %s", &check.stdout)
	}
	show := h.holdfast("config", "show").start().expect(0).stdout.String()
	if strings.Contains(show, s.at.SecretKey) || !strings.Contains(show, mediaPrefix) {
		t.Errorf("config show prints %s", show)
	}
	h.backup()
}
