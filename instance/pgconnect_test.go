package instance_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance"
	"holdfast/instance/instancetest"
	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// connects wants everything to be read by some settings, by us and by pg_dump,
// or an error with such words and such a fix.
func connects(t *testing.T, settings, what, fix string) {
	t.Helper()
	v, err := instancetest.Open(t, postgrestest.WriteInstance(t, settings), instance.Options{}).Begin(t.Context())
	if what == "" {
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if all := postgrestest.ReadAll(t, v); !strings.Contains(all["pre-data.sql"], "CREATE TABLE") ||
			strings.Count(all["public.no_key.copy"], "\n") != 1000 {
			t.Errorf("read %s", all["pre-data.sql"])
		}
		return
	}
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(err.Error(), what) || !strings.Contains(p.Fix, fix) {
		t.Errorf("%v\nfix: %+v", err, p)
	}
	if err == nil {
		v.Close()
	}
}

func TestTLSIsWhatTheSettingsSay(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	plain := s.Settings("gotosocial")
	text := func(settings string) string {
		return fmt.Sprintf("db-postgres-connection-string: %q\n", fmt.Sprintf("host=127.0.0.1 port=%d user=%s "+
			"password=%s dbname=gotosocial %s", s.Port, postgrestest.Owner, s.Password, settings))
	}
	for name, settings := range map[string]string{"default": plain, "prefer": text("sslmode=prefer"),
		"allow": text("sslmode=allow")} {
		t.Run("without TLS/"+name, func(t *testing.T) { connects(t, settings, "", "") })
	}
	for name, settings := range map[string]string{"enable": plain + "db-tls-mode: enable\n",
		"require": text("sslmode=require")} {
		t.Run("without TLS/"+name, func(t *testing.T) { connects(t, settings, "refused TLS", "db-tls-mode") })
	}
	ca := s.ServeTLS(t)
	otherCA := postgrestest.Start(t).ServeTLS(t)
	const untrusted, authority = "the server's certificate is not trusted", "db-tls-ca-cert"
	localhost := strings.Replace(plain, "127.0.0.1", "localhost", 1)
	for name, c := range map[string]struct{ settings, what, fix string }{
		"disable":                {plain, "refused user", "db-tls-mode to enable"},
		"enable":                 {plain + "db-tls-mode: enable\n", "", ""},
		"require":                {plain + "db-tls-mode: require\n", untrusted, authority},
		"require, its authority": {plain + "db-tls-mode: require\ndb-tls-ca-cert: " + ca + "\n", "", ""},
		"require, another authority": {plain + "db-tls-mode: require\ndb-tls-ca-cert: " + otherCA + "\n", untrusted,
			authority},
		"require, another name": {localhost + "db-tls-mode: require\ndb-tls-ca-cert: " + ca + "\n", untrusted,
			"db-address"},
		"enable, another name": {localhost + "db-tls-mode: enable\n", "", ""},
		"no authority":         {plain + "db-tls-mode: enable\n" + "db-tls-ca-cert: /nowhere\n", "", ""},
		// enable asks nobody
		"sslmode disable":            {text("sslmode=disable"), "refused user", "db-tls-mode to enable"},
		"sslmode allow":              {text("sslmode=allow"), "", ""},
		"sslmode prefer":             {text("sslmode=prefer"), "", ""},
		"sslmode require":            {text("sslmode=require"), "", ""},
		"sslmode verify-ca":          {text("sslmode=verify-ca sslrootcert=" + ca), "", ""},
		"sslmode verify-ca, another": {text("sslmode=verify-ca sslrootcert=" + otherCA), untrusted, "sslrootcert"},
		"sslmode verify-full":        {text("sslmode=verify-full sslrootcert=" + ca), "", ""},
		"sslmode verify-full, none":  {text("sslmode=verify-full"), untrusted, "sslrootcert"},
	} {
		t.Run(name, func(t *testing.T) { connects(t, c.settings, c.what, c.fix) })
	}
}

// A snapshot is known to one server alone: all that reads it must go there.
func TestOneOfSeveralServersIsRead(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewInstance(t, "gotosocial")
	other := postgrestest.Start(t)
	other.NewDatabase(t, "gotosocial")
	other.Exec(t, "postgres", "ALTER ROLE gotosocial PASSWORD '"+s.Password+"'")
	readOnly := func(want string) {
		other.Exec(t, "postgres", "ALTER SYSTEM SET default_transaction_read_only = "+want)
		other.Exec(t, "postgres", "SELECT pg_reload_conf()")
		for conn, is := other.Connect(t, "postgres", "postgres"), ""; is != want; {
			if err := conn.QueryRow(t.Context(), "SHOW default_transaction_read_only").Scan(&is); err != nil {
				t.Fatal(err)
			}
		}
	}
	readOnly("on")
	dir := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "passwords"), fmt.Sprintf("127.0.0.1:%d:gotosocial:gotosocial:%s\n",
		s.Port, s.Password))
	testkit.Write(t, filepath.Join(dir, "services"),
		fmt.Sprintf("[theirs]\nhost=127.0.0.1\nport=%d\nuser=gotosocial\ndbname=gotosocial\nsslmode=disable\n", s.Port))

	for name, text := range map[string]string{
		"the first is not there": fmt.Sprintf(
			"postgres://gotosocial:%s@127.0.0.1:1,127.0.0.1:%d/gotosocial?sslmode=prefer", s.Password, s.Port),
		"the first is read-only": fmt.Sprintf("postgres://gotosocial:%s@127.0.0.1:%d,127.0.0.1:%d/gotosocial"+
			"?target_session_attrs=read-write&connect_timeout=20", s.Password, other.Port, s.Port),
		"the first is no socket": fmt.Sprintf("host='/nowhere, localhost' port=%d user=gotosocial password=%s "+
			"dbname=gotosocial sslmode=disable", s.Port, s.Password),
		"settings of the session": fmt.Sprintf("host=localhost port=%d user=gotosocial password=%s "+
			"dbname=gotosocial options='-c statement_timeout=1h -c search_path=public' "+
			"sslmode=disable", s.Port, s.Password),
		"a service": fmt.Sprintf("service=theirs servicefile=%s passfile=%s",
			filepath.Join(dir, "services"), filepath.Join(dir, "passwords")),
	} {
		text = strings.ReplaceAll(text, ", ", ",")
		t.Run(name, func(t *testing.T) {
			connects(t, fmt.Sprintf("db-postgres-connection-string: %q\n", text), "", "")
		})
	}
	// One that comes back in the middle of the night is not asked.
	text := fmt.Sprintf("postgres://gotosocial:%s@127.0.0.1:%d,127.0.0.1:%d/gotosocial?target_session_attrs=read-write",
		s.Password, other.Port, s.Port)
	dir = postgrestest.WriteInstance(t, fmt.Sprintf("db-postgres-connection-string: %q\n", text))
	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	readOnly("off")
	postgrestest.ReadAll(t, v)
}

// pg_dump is led to our connection by a socket that is gone afterwards.
func TestSocketForPgDumpIsRemoved(t *testing.T) {
	s := postgrestest.Start(t)
	dir := s.NewInstance(t, "gotosocial")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	v := instancetest.Begin(t, instancetest.Open(t, dir, instance.Options{}))
	postgrestest.ReadAll(t, v)
	r, err := v.OpenDatabase(t.Context(), "pre-data.sql")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if left := testkit.Names(t, temp); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	long := filepath.Join(temp, strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	var p *remedy.Error
	if r, err := v.OpenDatabase(t.Context(), "pre-data.sql"); !errors.As(err, &p) ||
		!strings.Contains(p.Fix, "TMPDIR") {
		t.Errorf("%v, %v", r, err)
	}
	if left := testkit.Names(t, long); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
