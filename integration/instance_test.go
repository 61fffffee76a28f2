package integration_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// remotes runs a test against each kind of remote.
func remotes(t *testing.T, test func(t *testing.T, at remoteAddress)) {
	t.Parallel()
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		test(t, folderRemote(t))
	})
	t.Run("MinIO", func(t *testing.T) {
		t.Parallel()
		at, _ := minioRemote(t)
		test(t, at)
	})
}

func TestRecordedInstanceComesBack(t *testing.T) {
	remotes(t, func(t *testing.T, at remoteAddress) {
		dir := t.TempDir()
		inst := filepath.Join(dir, "gotosocial")
		testkit.RecordedSQLite.Unpack(t, inst)
		before := testkit.Tree(t, inst)
		h := &host{t: t, dir: dir, config: filepath.Join(inst, "config.yaml"), remote: at.url, env: at.env}
		h.init()
		h.backup()
		h.verify()

		verbatim := h.restore("latest")
		media := testkit.RecordedSQLite.Media(t)
		testkit.SameTree(t, filepath.Join(verbatim, "storage"), media)
		// No server runs, so the file itself is consistent.
		if testkit.Sum(t, filepath.Join(verbatim, "sqlite.db")) != before["sqlite.db"] {
			t.Error("the database is not equal page for page")
		}
		files := testkit.Tree(t, filepath.Join(verbatim, "files", inst))
		if want := []string{"config.yaml", "storage/certs/social.backup.test"}; !slices.Equal(keys(files), want) {
			t.Errorf("files are %v, want %v", keys(files), want)
		}
		for name, sum := range files {
			if sum != before[name] {
				t.Errorf("%s differs", name)
			}
		}

		mended := filepath.Join(dir, "mended")
		h.holdfast("restore", "--identity", h.kit(), "--to", mended).start().expect(0)
		testkit.SameTree(t, filepath.Join(mended, "storage"), media)
		sound(t, filepath.Join(mended, "sqlite.db"))
		noneCached(t, filepath.Join(mended, "sqlite.db"))
		if after := testkit.Tree(t, inst); !maps.Equal(before, after) {
			t.Errorf("the instance has %v, had %v", keys(after), keys(before))
		}
	})
}

func TestSampleInstanceComesBack(t *testing.T) {
	remotes(t, func(t *testing.T, at remoteAddress) {
		h := newHost(t, at, sample.Config{VideoBytes: 9 << 20})
		first := h.backup()
		want := h.image()
		// The second backup runs beside the server, and the changes are in the log.
		srv := startServer(t, h.inst)
		testkit.OK(t, h.inst.Night(1))
		if testkit.Size(t, h.inst.Database()+"-wal") == 0 {
			t.Fatal("the night is not in the log")
		}
		second := h.backup()
		srv.stop()

		h.compare(h.restore(first.Snapshot.ID), want)
		h.compare(h.restore(second.Snapshot.ID), h.image())
		mended := filepath.Join(t.TempDir(), "mended")
		h.holdfast("restore", "--identity", h.kit(), "--to", mended).start().expect(0)
		sound(t, filepath.Join(mended, "sqlite.db"))
		noneCached(t, filepath.Join(mended, "sqlite.db"))
	})
}

// On a fresh machine a restore needs the recovery kit, the credentials of the
// storage, and the program.
func TestFreshMachineNeedsOnlyTheKit(t *testing.T) {
	t.Parallel()
	at, _ := minioRemote(t)
	h := newHost(t, at, sample.Config{})
	if config := string(testkit.Read(t, h.yaml())); !strings.Contains(config, `region: "us-east-1"`) {
		t.Errorf("init did not write the region of the environment:\n%s", config)
	}
	h.backup()
	want := h.image()
	kit := string(testkit.Read(t, h.kit()))
	testkit.OK(t, os.Rename(h.dir, h.dir+"-burnt"))
	t.Cleanup(func() { os.RemoveAll(h.dir + "-burnt") })

	machine := t.TempDir()
	testkit.Write(t, filepath.Join(machine, "kit.txt"), []byte(kit))
	var pinned, key string
	for line := range strings.Lines(kit) {
		line = strings.TrimSpace(line)
		if at := strings.Index(line, h.remote+"#hf1"); at >= 0 && pinned == "" {
			pinned = line[at:]
		}
		if strings.HasPrefix(line, "AGE-SECRET-KEY-1") {
			key = line
		}
	}
	holdfast := func(args ...string) *command {
		c := newCommand(t, append([]string{"HOME=" + machine}, h.env...), args...)
		c.Dir = machine
		return c
	}

	// The key alone does not identify the repository.
	testkit.Write(t, filepath.Join(machine, "key.txt"), []byte(key+"\n"))
	unpinned := holdfast("restore", "--from", h.remote, "--identity", "key.txt", "--to", "restored")
	unpinned.start().expect(20).says("", "--from")
	if got := testkit.Names(t, machine); slices.Contains(got, "restored") {
		t.Errorf("a refused restore left %v", got)
	}

	args := []string{"restore", "latest", "--to", "./restored", "--identity", "kit.txt", "--from", pinned, "--verbatim"}
	holdfast(args...).start().expect(0)
	h.compare(filepath.Join(machine, "restored"), want)
	typed := holdfast("restore", "--to", "typed", "--identity", "-", "--from", pinned, "--only", "database")
	typed.Stdin = strings.NewReader(strings.ToLower(key[:30]) + " \n" + key[30:] + "\n")
	typed.start().expect(0)
	wantNames(t, machine, "key.txt", "kit.txt", "restored", "typed")
}

// sound wants a database without a log that passes SQLite's own check.
func sound(t *testing.T, database string) {
	t.Helper()
	if got := query(t, database, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check of %s: %s", database, got)
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(database + suffix); err == nil {
			t.Errorf("the program left %s%s", database, suffix)
		}
	}
}

// noneCached wants no row that claims a cached remote file.
func noneCached(t *testing.T, database string) {
	t.Helper()
	for _, of := range []string{
		"media_attachments WHERE cached AND COALESCE(remote_url,'')<>''",
		"emojis WHERE cached AND domain IS NOT NULL",
	} {
		if got := query(t, database, "SELECT count(*) FROM "+of); got != "0" {
			t.Errorf("%s: %s rows", of, got)
		}
	}
	const local = "SELECT count(*)>0 FROM media_attachments WHERE cached AND COALESCE(remote_url,'')=''"
	if got := query(t, database, local); got != "1" {
		t.Error("local media are marked as not cached")
	}
}
