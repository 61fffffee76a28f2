package integration_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote/remotetest"
)

// host is the server of an instance with Holdfast's own files.
type host struct {
	t      *testing.T
	dir    string
	inst   *sample.Instance // nil if the instance is no sample
	config string           // the configuration of GoToSocial
	remote string
	env    []string // variables for Holdfast in addition to those of holdfast()
}

// newHost makes a sample instance and sets up Holdfast for the instance.
func newHost(t *testing.T, at remoteAddress, cfg sample.Config) *host {
	t.Helper()
	dir := t.TempDir()
	inst := copySample(t, filepath.Join(dir, "instance"), cfg)
	h := &host{
		t: t, dir: dir, inst: inst, config: filepath.Join(inst.Dir, "config.yaml"), remote: at.url, env: at.env,
	}
	h.init()
	return h
}

// newSavedHost is [newHost] with a server that runs as the user nobody. The first snapshot
// is in a folder, and holds the image.
func newSavedHost(t *testing.T, cfg sample.Config) (*host, image) {
	t.Helper()
	h := newHost(t, folderRemote(t), cfg)
	testkit.GiveTree(t, h.inst.Dir, testkit.Nobody, testkit.Nobody)
	h.backup()
	return h, h.image()
}

// samples has a function for each configuration that makes the sample once. The
// copy of a sample takes a tenth of the time.
var samples sync.Map

// copySample makes a sample instance in dir.
func copySample(t *testing.T, dir string, cfg sample.Config) *sample.Instance {
	t.Helper()
	// The server's user passes through the folders above its own. A restore knows their modes.
	temp := os.TempDir() + "/"
	for above := filepath.Dir(dir); strings.HasPrefix(above, temp); above = filepath.Dir(above) {
		testkit.OK(t, os.Chmod(above, 0o755))
	}
	makeOnce, _ := samples.LoadOrStore(cfg, sync.OnceValues(func() (*sample.Instance, error) {
		scratch, err := makeScratch()
		if err != nil {
			return nil, err
		}
		folder, err := os.MkdirTemp(scratch, "sample-*")
		if err != nil {
			return nil, err
		}
		return sample.Make(folder, cfg)
	}))
	original, err := makeOnce.(func() (*sample.Instance, error))()
	testkit.OK(t, err)
	if out, err := exec.Command("cp", "-a", original.Dir, dir).CombinedOutput(); err != nil {
		t.Fatalf("copy a sample: %v\n%s", err, out)
	}
	testkit.OK(t, os.Chmod(dir, 0o755))
	return &sample.Instance{Dir: dir, Config: original.Config}
}

func (h *host) init() {
	h.t.Helper()
	h.holdfast("init", h.remote, "--gotosocial", h.config, "--kit", h.kit()).start().expect(0)
}

func (h *host) kit() string   { return filepath.Join(h.dir, "kit.txt") }
func (h *host) state() string { return filepath.Join(h.dir, "state") }
func (h *host) yaml() string  { return filepath.Join(h.dir, "holdfast.yaml") }

// set adds lines to the configuration of Holdfast.
func (h *host) set(lines string) {
	h.t.Helper()
	testkit.OK(h.t, os.WriteFile(h.yaml(), append(testkit.Read(h.t, h.yaml()), lines...), 0o600))
}

// holdfast prepares a run on the host.
func (h *host) holdfast(args ...string) *command {
	h.t.Helper()
	return newCommand(h.t, append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir,
		"HOLDFAST_CONFIG=" + h.yaml(), "HOLDFAST_STATE=" + h.state(),
	}, h.env...), args...)
}

func (h *host) backup() saved {
	h.t.Helper()
	var s saved
	h.holdfast("backup").start().expect(0).result(&s)
	return s
}

// restore restores a snapshot byte for byte into a new folder, and returns the
// folder.
func (h *host) restore(snapshot string) string {
	h.t.Helper()
	to := filepath.Join(h.t.TempDir(), "restored")
	h.restoring(snapshot, to).start().expect(0)
	return to
}

// restoring prepares the run of [host.restore].
func (h *host) restoring(snapshot, to string) *command {
	h.t.Helper()
	return h.holdfast("restore", snapshot, "--identity", h.kit(), "--verbatim", "--to", to)
}

// verified is the result of a verification.
type verified struct {
	Objects, Unneeded int
}

// verify checks every byte in the remote.
func (h *host) verify() verified {
	h.t.Helper()
	var v verified
	h.holdfast("verify", "--data", "all").start().expect(0).result(&v)
	return v
}

// image is an instance at one moment. A snapshot of that moment must restore the
// image.
type image struct {
	database string            // SHA-256
	media    map[string]string // storage key to SHA-256
	config   string            // SHA-256
	bytes    int64
}

// image returns the instance as it is now. No process may write to the instance.
func (h *host) image() image {
	h.t.Helper()
	media, err := h.inst.LocalMedia()
	testkit.OK(h.t, err)
	i := image{database: testkit.Sum(h.t, h.inst.Database()), media: media, config: testkit.Sum(h.t, h.config)}
	for key := range media {
		i.bytes += testkit.Size(h.t, filepath.Join(h.inst.Storage(), key))
	}
	i.bytes += testkit.Size(h.t, h.inst.Database()) + testkit.Size(h.t, h.config)
	return i
}

// compare wants a restored folder to hold the image, and no other file.
func (h *host) compare(dir string, want image) {
	h.t.Helper()
	if got := testkit.Sum(h.t, filepath.Join(dir, "sqlite.db")); got != want.database {
		h.t.Errorf("%s: the database differs", dir)
	}
	testkit.SameTree(h.t, filepath.Join(dir, "storage"), want.media)
	if got := testkit.Sum(h.t, filepath.Join(dir, "files", h.config)); got != want.config {
		h.t.Errorf("%s: the configuration differs", dir)
	}
	wantNames(h.t, dir, "files", "run.env", "sqlite.db", "storage")
}

// newest returns the newest record from the index of the host.
func (h *host) newest() *manifest.Record {
	h.t.Helper()
	idx, _, err := index.Open(h.state())
	testkit.OK(h.t, err)
	defer idx.Close()
	head, err := idx.Head()
	testkit.OK(h.t, err)
	text, err := idx.Record(head)
	testkit.OK(h.t, err)
	newest, err := manifest.ParseRecord(text)
	testkit.OK(h.t, err)
	return newest
}

// compareAway restores a snapshot, compares the files, and removes the folder.
func (h *host) compareAway(snapshot string, want image) {
	h.t.Helper()
	to := h.restore(snapshot)
	h.compare(to, want)
	testkit.OK(h.t, os.RemoveAll(to))
}

// list returns the IDs of all snapshots.
func (h *host) list() (ids []string) {
	h.t.Helper()
	for line := range strings.Lines(h.holdfast("list").start().expect(0).stdout.String()) {
		var s struct{ Type, ID string }
		testkit.OK(h.t, json.Unmarshal([]byte(line), &s))
		if s.Type == "snapshot" {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// latest returns the ID of the newest snapshot.
func (h *host) latest() string {
	h.t.Helper()
	var s struct{ ID string }
	h.holdfast("show").start().expect(0).result(&s)
	return s.ID
}

// wantNames wants a folder to have these entries, in byte order, and no other.
func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := testkit.Names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %v, want %v", dir, got, want)
	}
}

// remoteAddress is the address of a remote, with the variables that open it.
type remoteAddress struct {
	url string
	env []string
}

// folderRemote returns the address of a folder.
func folderRemote(t *testing.T) remoteAddress {
	return remoteAddress{url: filepath.Join(t.TempDir(), "remote")}
}

// minioRemote returns the address of a bucket on a real server. Requests pass the
// proxy.
func minioRemote(t *testing.T) (remoteAddress, *proxy) {
	t.Helper()
	b := remotetest.NewBucket(t)
	p := newProxy(t, b.Endpoint)
	return remoteAddress{
		url: "s3+http://" + strings.TrimPrefix(p.server.URL, "http://") + "/" + b.Name + "/example",
		env: []string{
			"AWS_ACCESS_KEY_ID=" + b.AccessKey, "AWS_SECRET_ACCESS_KEY=" + b.SecretKey, "AWS_REGION=us-east-1",
		},
	}, p
}

// query returns the only column of the only row that a query has in a database.
// No process may write to the database.
func query(t *testing.T, database, text string) (answer string) {
	t.Helper()
	db := testkit.OpenSQLite(t, database, "mode=ro&immutable=1")
	defer db.Close() // a caller may remove the file
	return testkit.Query[string](t, db, text)
}

func keys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
