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
	"holdfast/internal/testkit"
	"holdfast/remote"
	"holdfast/remote/remotetest"
)

// mediaServer is a real S3 server with the bucket for the media of an instance.
type mediaServer struct {
	t     *testing.T
	proxy *proxy // between Holdfast and the server
	at    remote.BucketConfig
	admin *minio.Client
}

// mediaPrefix precedes each key. The proxy expects "/example/" in a path.
const mediaPrefix = "gts/example/"

func newMediaServer(t *testing.T) *mediaServer {
	t.Helper()
	b := remotetest.NewBucket(t)
	s := &mediaServer{t: t, proxy: newProxy(t, b.Endpoint)}
	s.at = remote.BucketConfig{
		Endpoint: strings.TrimPrefix(s.proxy.server.URL, "http://"), Name: b.Name, Prefix: mediaPrefix,
		AccessKey: b.AccessKey, SecretKey: b.SecretKey, Plain: true,
	}
	var err error
	s.admin, err = minio.New(b.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(b.AccessKey, b.SecretKey, "")})
	testkit.OK(t, err)
	return s
}

// configure changes a configuration of GoToSocial so that the media lie in the
// bucket.
func (s *mediaServer) configure(config string) {
	s.t.Helper()
	text := regexp.MustCompile(`(?m)^storage-.*\n`).ReplaceAll(testkit.Read(s.t, config), nil)
	testkit.Write(s.t, config, string(text)+
		"storage-backend: s3\nstorage-s3-use-ssl: false"+
		"\nstorage-s3-endpoint: "+s.at.Endpoint+
		"\nstorage-s3-bucket: "+s.at.Name+
		"\nstorage-s3-key-prefix: "+mediaPrefix+
		"\nstorage-s3-access-key: "+s.at.AccessKey+
		"\nstorage-s3-secret-key: "+s.at.SecretKey+"\n")
}

// bucket is the one that a restore fills.
func (s *mediaServer) bucket() media.Client {
	s.t.Helper()
	b, err := remote.OpenBucket(s.at, 0)
	testkit.OK(s.t, err)
	s.t.Cleanup(func() { b.Close() })
	return asBucket{b}
}

func (s *mediaServer) fill(dir string) *media.Filling {
	s.t.Helper()
	root, err := os.OpenRoot(dir)
	testkit.OK(s.t, err)
	defer root.Close()
	f := &media.Filling{From: root, To: s.bucket()}
	testkit.OK(s.t, f.Start(s.t.Context()))
	return f
}

// read counts the requests for an object, or for the description of an object,
// since the last look at the requests.
func (s *mediaServer) read() (times int) {
	for _, r := range s.proxy.take() {
		if (r.method == http.MethodGet || r.method == http.MethodHead) && r.object != "" {
			times++
		}
	}
	return times
}

// asBucket makes a bucket of remote the interface of instance.
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
	h := newHost(t, folderRemote(t), sample.Config{VideoBytes: 9 << 20})
	want := h.image()
	on := h.restore(h.backup().Snapshot.ID)

	// The second copy into the bucket has nothing to do.
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
		info, err := s.admin.StatObject(t.Context(), s.at.Name, mediaPrefix+keys[i], minio.StatObjectOptions{})
		if err != nil || info.ContentType != want {
			t.Errorf("%s is served as %s, %v", keys[i], info.ContentType, err)
		}
	}

	// The server works with the bucket, which gets remote media and an orphan.
	s.put("01REMOTE/attachment/original/01A.png", "remote")
	s.put("orphan", "orphan")
	testkit.OK(t, os.RemoveAll(h.inst.Storage()))
	s.configure(h.config)
	want.config = testkit.Sum(t, h.config)
	s.proxy.take()
	moved := h.backup()
	if n := s.read(); n != len(want.media) {
		t.Errorf("%d objects were read, want %d", n, len(want.media))
	}
	if moved.Packs > 2 || moved.Snapshot.Stored > 200_000 {
		t.Errorf("known media were stored again: %d packs, %d bytes", moved.Packs, moved.Snapshot.Stored)
	}
	h.compare(h.restore(moved.Snapshot.ID), want)

	// The backup of an unchanged bucket lists the objects and reads no object.
	s.proxy.take()
	again := h.backup()
	if n := s.read(); n != 0 || again.NewFiles != 0 || again.Packs != 0 {
		t.Errorf("unchanged: %d objects were read, %d files are new, %d packs stored", n, again.NewFiles, again.Packs)
	}

	// One object gets other bytes of the same size, another object goes.
	data := testkit.Read(t, filepath.Join(on, "storage", keys[0]))
	data[0] ^= 1
	s.put(keys[0], string(data))
	testkit.OK(t, s.admin.RemoveObject(t.Context(), s.at.Name, mediaPrefix+keys[1], minio.RemoveObjectOptions{}))
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
	if n := s.read(); n != 2 { // the changed object, and a question for the missing one
		t.Errorf("%d objects were asked for", n)
	}
	to := filepath.Join(t.TempDir(), "restored")
	h.restoring("latest", to).start().expect(3)
	if string(testkit.Read(t, filepath.Join(to, "storage", keys[0]))) != string(data) {
		t.Errorf("%s has other bytes", keys[0])
	}
}

func (s *mediaServer) put(key, data string) {
	s.t.Helper()
	testkit.OK(s.t, s.bucket().Put(s.t.Context(), key, strings.NewReader(data), int64(len(data)), ""))
}

func TestRecordedInstanceComesBackFromABucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inst := filepath.Join(dir, "gotosocial")
	testkit.RecordedSQLite.Unpack(t, inst)
	s := newMediaServer(t)
	s.fill(filepath.Join(inst, "storage")) // remote media and an orphan too
	testkit.OK(t, os.RemoveAll(filepath.Join(inst, "storage")))
	at := folderRemote(t)
	h := &host{t: t, dir: dir, config: filepath.Join(inst, "config.yaml"), remote: at.url, env: at.env}
	s.configure(h.config)
	h.init()
	h.backup()
	testkit.SameTree(t, filepath.Join(h.restore("latest"), "storage"), testkit.RecordedSQLite.Media(t))
}

func TestUnreadableBucketNamesTheSetting(t *testing.T) {
	t.Parallel()
	h := newHost(t, folderRemote(t), sample.Config{Accounts: 5, Statuses: 50, Media: 2})
	s := newMediaServer(t)
	s.fill(h.inst.Storage())
	s.configure(h.config)
	whole := string(testkit.Read(t, h.config))
	for name, c := range map[string]struct{ old, new, fix string }{
		"secret key": {s.at.SecretKey, "hunter2hunter2", "storage-s3-secret-key"},
		"access key": {"access-key: " + s.at.AccessKey, "access-key: nobody", "storage-s3-access-key"},
		"bucket":     {"bucket: " + s.at.Name, "bucket: nowhere", "storage-s3-bucket"},
		"TLS":        {"use-ssl: false", "use-ssl: true", "storage-s3-use-ssl"},
	} {
		testkit.Write(t, h.config, []byte(strings.Replace(whole, c.old, c.new, 1)))
		run := h.holdfast("backup").start().expect(16)
		run.says("GoToSocial's bucket", c.fix)
		if strings.Contains(run.stdout.String()+run.stderr.String(), "hunter2") {
			t.Errorf("%s: the program shows a secret", name)
		}
		check := h.holdfast("config", "check").start().expect(16)
		if !strings.Contains(check.stdout.String(), c.fix) {
			t.Errorf("%s: config check says %s", name, &check.stdout)
		}
		environment := []string{
			"HOME=" + h.dir, "HOLDFAST_CONFIG=" + h.dir + "/new.yaml", "HOLDFAST_STATE=" + h.dir + "/new",
		}
		init := newCommand(t, environment, "init", filepath.Join(t.TempDir(), "repo"),
			"--gotosocial", h.config, "--kit", h.dir+"/new.txt")
		init.start().expect(16).says("", c.fix)
		if slices.Contains(testkit.Names(t, h.dir), "new.yaml") {
			t.Errorf("%s: init wrote a configuration", name)
		}
	}
	h.holdfast("list").start().expect(19) // no snapshot
	testkit.Write(t, h.config, []byte(whole))
	// config check waits some seconds for a server that is gone, not minutes.
	s.proxy.leave()
	gone := h.holdfast("config", "check").start().expect(16)
	if gone.took > 30*time.Second || !strings.Contains(gone.stdout.String(), "storage-s3-endpoint") {
		t.Errorf("after %v config check says %s", gone.took, &gone.stdout)
	}
	s.proxy.comeBack()
	check := h.holdfast("config", "check").start().expect(0)
	if !strings.Contains(check.stdout.String(), "media in bucket "+s.at.Name) {
		t.Errorf("config check says %s", &check.stdout)
	}
	show := h.holdfast("config", "show").start().expect(0).stdout.String()
	if strings.Contains(show, s.at.SecretKey) || !strings.Contains(show, mediaPrefix) {
		t.Errorf("config show prints %s", show)
	}
	h.backup()
}
