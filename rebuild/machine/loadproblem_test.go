package machine_test

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

	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

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

func TestLoadOntoAFullDiskSaysSo(t *testing.T) {
	s := postgrestest.Start(t)
	r := lost(t, s)
	small := filepath.Join(s.Sockets, "small")
	if err := os.Mkdir(small, 0o777); err != nil {
		t.Fatal(err)
	}
	testkit.MountSmallDisk(t, small, "size=4m,mode=0777")
	if s.As != nil {
		if err := os.Chown(small, int(s.As.Uid), int(s.As.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s.Exec(t, "postgres", "CREATE TABLESPACE small LOCATION '"+small+"'")
	s.Exec(t, "postgres", "GRANT CREATE ON TABLESPACE small TO gotosocial; ALTER ROLE gotosocial SET "+
		"default_tablespace = small")
	testkit.Write(t, filepath.Join(r.Folder, "database/public.no_key.copy"), strings.Repeat(strings.Repeat("x",
		999)+"\t1\n", 8000))
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
	testkit.Write(t, filepath.Join(r.Folder, "database/public.no_key.copy"), "row 1\tsecret@example.org\n")
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
