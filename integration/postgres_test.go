package integration_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
)

// newPostgresHost sets up Holdfast for an instance on PostgreSQL. The media lie in
// the folder storage.
func newPostgresHost(t *testing.T, at remoteAddress, s *postgrestest.Server, database, storage string) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{t: t, dir: dir, config: filepath.Join(dir, "instance", "config.yaml"), remote: at.url, env: at.env}
	testkit.OK(t, os.Mkdir(filepath.Dir(h.config), 0o700))
	testkit.Write(t, h.config, "host: social.example.org\ndb-type: postgres\ndb-address: 127.0.0.1\n"+
		fmt.Sprintf("db-port: %d\ndb-user: %s\ndb-password: %s\n", s.Port, postgrestest.Owner, s.Password)+
		"db-database: "+database+"\nstorage-local-base-path: "+storage+"\n")
	h.init()
	return h
}

// someMedia makes a storage folder with the local media of postgrestest.Schema and
// a remote file.
func someMedia(t *testing.T) (dir string, local map[string]string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "storage")
	local = map[string]string{}
	for _, key := range postgrestest.LocalMedia {
		testkit.Write(t, filepath.Join(dir, key), "bytes of "+key)
		local[key] = testkit.Sum(t, filepath.Join(dir, key))
	}
	testkit.Write(t, filepath.Join(dir, "01A/emoji/original/01F.gif"), "remote, beside a local one")
	return dir, local
}

// dumped returns the sorted lines of a pg_dump: schema, rows, sequences, indexes.
// A restore may change the order of the rows.
func dumped(t *testing.T, s *postgrestest.Server, database string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.Bin, "pg_dump"),
		"--restrict-key=x", "--no-owner", "--no-privileges", s.URL("postgres", database))
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, &problem)
	}
	lines := strings.Split(string(out), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// byPsql restores a database from a restored folder with psql.
func byPsql(t *testing.T, s *postgrestest.Server, folder, database string) {
	t.Helper()
	s.NewDatabase(t, database)
	s.Load(t, postgrestest.Owner, database, filepath.Join(folder, "database", "restore.sql"))
}

func TestPostgresInstanceComesBack(t *testing.T) {
	remotes(t, func(t *testing.T, at remoteAddress) {
		s := postgrestest.Start(t)
		s.NewDatabase(t, "gotosocial")
		s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
		storage, media := someMedia(t)
		h := newPostgresHost(t, at, s, "gotosocial", storage)
		first := h.backup()
		before := dumped(t, s, "gotosocial")
		s.ExecAs(t, postgrestest.Owner, "gotosocial", "INSERT INTO no_key VALUES ('new', 0); "+
			"UPDATE accounts SET username = 'carol' WHERE id = '01C'; DROP TABLE nothing")
		second := h.backup()
		h.verify()

		for n, c := range []struct{ id, want string }{
			{first.Snapshot.ID, before}, {second.Snapshot.ID, dumped(t, s, "gotosocial")},
		} {
			folder := h.restore(c.id)
			testkit.SameTree(t, filepath.Join(folder, "storage"), media)
			wantNames(t, folder, "database", "files", "run.env", "storage")
			byPsql(t, s, folder, fmt.Sprint("restored", n))
			if dumped(t, s, fmt.Sprint("restored", n)) != c.want {
				t.Errorf("snapshot %s differs", c.id)
			}
		}

		// Without --verbatim the restore marks remote media.
		mended := filepath.Join(h.dir, "mended")
		h.holdfast("restore", "--identity", h.kit(), "--to", mended).start().expect(0)
		byPsql(t, s, mended, "mended")
		s.Load(t, postgrestest.Owner, "mended", filepath.Join(mended, "database", "after-restore.sql"))
		var cached string
		const marked = "SELECT string_agg(id, ' ' ORDER BY id) FROM " +
			"(SELECT id FROM media_attachments WHERE cached UNION SELECT id FROM emojis WHERE cached) x"
		testkit.OK(t, s.Connect(t, "postgres", "mended").QueryRow(t.Context(), marked).Scan(&cached))
		if cached != "01E 01M 01N" {
			t.Errorf("cached are %q", cached)
		}
	})
}

func TestRecordedPostgresComesBack(t *testing.T) {
	remotes(t, func(t *testing.T, at remoteAddress) {
		s := postgrestest.Start(t)
		s.NewDatabase(t, "gotosocial")
		recorded := t.TempDir()
		testkit.RecordedPostgres.Unpack(t, recorded)
		s.Load(t, postgrestest.Owner, "gotosocial", filepath.Join(recorded, "gotosocial.sql"))
		storage := filepath.Join(recorded, "storage")
		h := newPostgresHost(t, at, s, "gotosocial", storage)
		h.backup()
		h.verify()
		folder := h.restore("latest")
		testkit.SameTree(t, filepath.Join(folder, "storage"), testkit.RecordedPostgres.Media(t))
		byPsql(t, s, folder, "by_hand")
		want := dumped(t, s, "gotosocial")
		if dumped(t, s, "by_hand") != want {
			t.Error("the database differs")
		}
		if strings.Contains(at.url, "://") {
			return // the fresh server reads the folder
		}
		m := newMachine(t, h)
		s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
		output := m.restore("--yes", "social.example.org", "--verbatim").start().expect(0).stdout.String()
		if dumped(t, s, "gotosocial") != want {
			t.Error("the rebuilt database differs")
		}
		if !strings.Contains(output, "the key pairs of 4 local accounts match") {
			t.Errorf("the restore did not check the keys:\n%s", output)
		}
	})
}

func TestUnchangedPostgresStoresOnlyARecord(t *testing.T) {
	t.Parallel()
	at, p := minioRemote(t)
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	storage, _ := someMedia(t)
	h := newPostgresHost(t, at, s, "gotosocial", storage)
	h.backup()
	again := func(after string) {
		t.Helper()
		p.take()
		h.backup()
		requests := p.take()
		if len(requests) > 3 || len(arrived(requests, "packs")) > 0 || len(arrived(requests, "snapshots")) != 1 {
			t.Errorf("after %s: %+v", after, requests)
		}
	}
	again("nothing")
	s.Exec(t, "gotosocial", "VACUUM FULL")
	again("VACUUM FULL")
}

// A backup of a server that never rests holds one moment of the database.
func TestPostgresBesidePgbench(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	bench := func(args ...string) *exec.Cmd {
		args = append(args, s.URL(postgrestest.Owner, "gotosocial"))
		return exec.CommandContext(t.Context(), filepath.Join(s.Bin, "pgbench"), args...)
	}
	if out, err := bench("-i", "-q", fmt.Sprintf("--scale=%d", times(1, 2))).CombinedOutput(); err != nil {
		t.Fatalf("pgbench: %v\n%s", err, out)
	}
	storage, _ := someMedia(t)
	h := newPostgresHost(t, folderRemote(t), s, "gotosocial", storage)
	args := []string{"-n", "-c", "4", "-T", "3600"}
	if !full {
		args = append(args, "--rate=400") // transactions per second, so that other tests can run meanwhile
	}
	load := bench(args...)
	testkit.OK(t, load.Start())
	stop := func() {
		load.Process.Kill()
		load.Wait()
	}
	defer stop()
	var last int64
	for conn := s.Connect(t, "postgres", "gotosocial"); last == 0; {
		testkit.OK(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pgbench_history").Scan(&last))
	}
	for n := range times(3, 20) {
		folder := h.restore(h.backup().Snapshot.ID)
		database := fmt.Sprint("restored", n)
		byPsql(t, s, folder, database)
		conn := s.Connect(t, "postgres", database)
		var accounts, tellers, branches, history, transactions int64
		testkit.OK(t, conn.QueryRow(t.Context(), `SELECT
			(SELECT sum(abalance) FROM pgbench_accounts),
			(SELECT sum(tbalance) FROM pgbench_tellers),
			(SELECT sum(bbalance) FROM pgbench_branches),
			(SELECT coalesce(sum(delta), 0) FROM pgbench_history),
			(SELECT count(*) FROM pgbench_history)`).
			Scan(&accounts, &tellers, &branches, &history, &transactions))
		if accounts != tellers || tellers != branches || branches != history {
			t.Errorf("balances %d, %d, %d, %d", accounts, tellers, branches, history)
		}
		if transactions <= last {
			t.Errorf("%d transactions, %d before", transactions, last)
		}
		last = transactions
		conn.Close(t.Context())
		s.Exec(t, "postgres", "DROP DATABASE "+database)
		testkit.OK(t, os.RemoveAll(folder))
	}
	stop()
	t.Logf("%d transactions beside the backups", last)
}
