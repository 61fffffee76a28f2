package instance_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/rebuild"
	"holdfast/remedy"
	"holdfast/vault"
)

// lost is an instance on PostgreSQL whose database and media are gone, and the
// rebuild of it.
func lost(t *testing.T, s *postgrestest.Server) *rebuild.Machine {
	t.Helper()
	i := openInstance(t, pgInstance(t, s, "gotosocial"), instance.Options{})
	from := restoredFolder(t, begin(t, i))
	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	if err := os.RemoveAll(i.Config().Storage()); err != nil {
		t.Fatal(err)
	}
	// Nobody answers at that domain.
	return &rebuild.Machine{Config: i.Config(), Facts: manifest.Facts{Engine: gotosocial.Postgres},
		Domain: "127.0.0.1:1", Folder: from, RunID: "aaaa"}
}

// fails wants the load to fail with words for it.
func fails(t *testing.T, r *rebuild.Machine, what, fix string) error {
	t.Helper()
	_, err := r.PutDatabase(t.Context())
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), what) || !strings.Contains(p.Fix, fix) {
		t.Errorf("%v; %+v", err, p)
	}
	return err
}

func TestLoadThatMayNotMakeADatabaseSaysWhoMay(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	s.Exec(t, "postgres", "ALTER ROLE gotosocial NOCREATEDB")
	fails(t, r, "has no right to create a database", "as root on PostgreSQL's machine")
	// One in the way that is another's can't be renamed, and the plan says so.
	s.Exec(t, "postgres", "ALTER ROLE gotosocial CREATEDB")
	s.Exec(t, "postgres", "CREATE DATABASE gotosocial")
	if f := refused(r.Inspect(t.Context(), nil, false)); !strings.Contains(f.Detail, "does not belong to") ||
		!strings.Contains(f.Fix, `OWNER TO "gotosocial"`) {
		t.Errorf("%+v", f)
	}
}

// refused is the first finding that keeps a restore from beginning.
func refused(findings []rebuild.Finding) rebuild.Finding {
	for _, f := range findings {
		if f.Refused {
			return f
		}
	}
	return rebuild.Finding{}
}

func TestLoadOntoAFullDiskSaysSo(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	small := filepath.Join(s.Sockets, "small")
	if err := os.Mkdir(small, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=4m,mode=0777"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	if s.As != nil {
		if err := os.Chown(small, int(s.As.Uid), int(s.As.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s.Exec(t, "postgres", "CREATE TABLESPACE small LOCATION '"+small+"'")
	s.Exec(t, "postgres", "GRANT CREATE ON TABLESPACE small TO gotosocial; ALTER ROLE gotosocial SET "+
		"default_tablespace = small")
	write(t, r.Folder, "database/public.no_key.copy", strings.Repeat(strings.Repeat("x", 999)+"\t1\n", 8000))
	if err := fails(t, r, "disk of PostgreSQL is full", "make room"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	s.Exec(t, "postgres", "ALTER ROLE gotosocial RESET default_tablespace")
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Errorf("with room: %v", err)
	}
}

func TestLoadThatLosesTheServerSaysSo(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	// A pipe in the place of a table's rows holds the load where it is.
	pipe := filepath.Join(r.Folder, "database", "public.no_key.copy")
	if err := errors.Join(os.Remove(pipe), unix.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rows, err := os.OpenFile(pipe, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		s.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "+
			"'holdfast'")
		rows.WriteString("row\t1\n")
		rows.Close()
	}()
	fails(t, r, "went away during the restore", "why PostgreSQL stopped")
	<-ended
}

func TestRowsThatAreRefusedAreNotTold(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	write(t, r.Folder, "database/public.no_key.copy", "row 1\tsecret@example.org\n")
	err := fails(t, r, `"no_key"`, "earlier snapshot")
	var damage *remedy.DamageError
	if !errors.As(err, &damage) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestAnotherRestoreAtTheDatabaseIsToldApart(t *testing.T) {
	t.Parallel()
	s := postgrestest.Start(t)
	r := lost(t, s)
	other := s.Connect(t, "postgres", "postgres")
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(hashtext('holdfast gotosocial'))"); err != nil {
		t.Fatal(err)
	}
	if err := fails(t, r, "another restore is at work", "pg_terminate_backend"); !remedy.Is(err, remedy.Busy) {
		t.Errorf("%v", err)
	}
	// One that ends meanwhile was worth the wait.
	go func() {
		watch, err := pgx.Connect(context.Background(), s.URL("postgres", "postgres"))
		if err != nil {
			t.Error(err)
			return
		}
		defer watch.Close(context.Background())
		for waiting := false; !waiting && err == nil; {
			err = watch.QueryRow(context.Background(), "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = "+
				"'advisory' AND NOT granted)").Scan(&waiting)
		}
		other.Exec(context.Background(), "SELECT pg_advisory_unlock_all()")
	}()
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEmptyDatabaseInTheWayIsRenamedAndMayGo(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	s.NewDatabase(t, "gotosocial")
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "postgres", "ALTER DATABASE old RENAME TO gotosocial_before_that")
	rest := strings.Join(r.Remaining(t.Context()), "\n")
	var name string
	if err := s.Connect(t, "postgres", "postgres").QueryRow(t.Context(),
		"SELECT datname FROM pg_database WHERE datname LIKE 'gotosocial_before_2%'").Scan(&name); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"was empty and is now called " + name + "; you can drop it: DROP DATABASE \"" + name + `"`,
		`is now called gotosocial_before_that; once you miss nothing`,
	} {
		if !strings.Contains(rest, want) {
			t.Errorf("it says nothing of %q:\n%s", want, rest)
		}
	}
}

// GoToSocial's tables are where its search_path leads, and no search_path comes
// along.
func TestRemoteMediaAreMarkedInWhicheverSchema(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", "CREATE SCHEMA elsewhere; CREATE TABLE emojis (other int); SET "+
		"search_path = elsewhere;"+postgrestest.Schema)
	i := openInstance(t, pgConfig(t, "db-postgres-connection-string: "+s.URL(postgrestest.Owner,
		"gotosocial")+"&search_path=elsewhere\n"), instance.Options{})
	v := begin(t, i)
	facts := v.Facts()
	from := restoredFolder(t, v)
	cached := func(database string) (ids string) {
		err := s.Connect(t, "postgres", database).QueryRow(t.Context(),
			"SELECT string_agg(id, ' ' ORDER BY id) FROM (SELECT id FROM elsewhere.media_attachments WHERE cached "+
				"UNION SELECT id FROM elsewhere.emojis WHERE cached) x").Scan(&ids)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}

	root, err := os.OpenRoot(from)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	restored := vault.Restored{Domain: "social.example.org", Facts: facts,
		Parts: map[manifest.Part]bool{manifest.Database: true, manifest.Media: true}}
	if _, err := (&rebuild.Directory{Path: from}).Finish(t.Context(), root, restored); err != nil {
		t.Fatal(err)
	}
	s.NewDatabase(t, "by_hand")
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "restore.sql"))
	s.Load(t, postgrestest.Owner, "by_hand", filepath.Join(from, "database", "after-restore.sql"))
	if got := cached("by_hand"); got != "01E 01M 01N" {
		t.Errorf("by psql, cached are %q", got)
	}

	s.Exec(t, "postgres", "ALTER DATABASE gotosocial RENAME TO old")
	r := &rebuild.Machine{Config: i.Config(), Facts: facts, Folder: from, RunID: "aaaa"}
	if _, err := r.PutDatabase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := cached("gotosocial"); got != "01E 01M 01N" {
		t.Errorf("loaded, cached are %q", got)
	}
}
