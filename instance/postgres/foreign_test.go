package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

// openOf opens the database of a configuration with more settings, as root. user is the
// user of the file.
func openOf(t *testing.T, user int, settings string) (*Database, error) {
	t.Helper()
	testkit.NeedsRoot(t)
	file := filepath.Join(t.TempDir(), "config.yaml")
	testkit.Write(t, file, "host: example.org\ndb-type: postgres\ndb-database: gotosocial\n"+settings)
	testkit.OK(t, os.Chown(file, user, user))
	c, err := gotosocial.Load(file, nil)
	testkit.OK(t, err)
	return Open(c)
}

// A user who can change the configuration could read every database of the machine.
func TestRootBecomesNoUserOfAnotherUsersChoice(t *testing.T) {
	const socket = "db-address: /run/postgresql\n"
	for name, c := range map[string]struct {
		user     int
		settings string
		refused  bool
	}{
		"their configuration, another user": {testkit.Nobody, socket + "db-user: daemon\n", true},
		"their configuration, root":         {testkit.Nobody, socket + "db-user: root\n", true},
		"their configuration, themselves":   {testkit.Nobody, socket + "db-user: nobody\n", false},
		"root's configuration":              {0, socket + "db-user: daemon\n", false},
		"their configuration, a string": {testkit.Nobody,
			"db-postgres-connection-string: host=/run/postgresql user=daemon\n", true},
		"their configuration, by the network": {testkit.Nobody, "db-address: 127.0.0.1\ndb-user: daemon\n", false},
	} {
		_, err := openOf(t, c.user, c.settings)
		var refusal *remedy.Error
		if refused := errors.As(err, &refusal) && refusal.Kind == remedy.Refused; refused != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pgx would read the file of zeros into memory until the memory ends.
func TestRootReadsNoDeviceOfAnotherUsersChoice(t *testing.T) {
	zeros := filepath.Join(t.TempDir(), "zeros") // a device in miniature
	testkit.Write(t, zeros, "")
	testkit.OK(t, os.Truncate(zeros, 8<<20))
	_, err := openOf(t, testkit.Nobody, "db-postgres-connection-string: host=db user=nobody sslrootcert="+zeros+"\n")
	var refusal *remedy.Error
	if !errors.As(err, &refusal) || !strings.Contains(refusal.What, "sslrootcert") {
		t.Errorf("%v", err)
	}
}

func TestRootsOwnPasswordGoesToNoServerOfAnotherUsersChoice(t *testing.T) {
	t.Setenv("PGPASSWORD", "of root")
	const server = "db-address: 192.0.2.1\ndb-user: nobody\n"
	const url = "db-postgres-connection-string: postgres://nobody"
	for name, c := range map[string]struct {
		user     int
		settings string
		want     string
	}{
		"their server":                  {testkit.Nobody, server, ""},
		"their server and password":     {testkit.Nobody, server + "db-password: theirs\n", "theirs"},
		"their string":                  {testkit.Nobody, url + "@192.0.2.1/gotosocial\n", ""},
		"their string and password":     {testkit.Nobody, url + ":theirs@192.0.2.1/gotosocial\n", "theirs"},
		"root's configuration and word": {0, server, "of root"},
	} {
		d, err := openOf(t, c.user, c.settings)
		testkit.OK(t, err)
		if d.config.Password != c.want {
			t.Errorf("%s: the password is %q, want %q", name, d.config.Password, c.want)
		}
	}
}

// The server's user may put anything in the place of a certificate.
func TestCertificateIsASmallFile(t *testing.T) {
	for _, file := range []string{"/dev/zero", "/dev/tty"} {
		_, err := openOf(t, 0, "db-address: 127.0.0.1\ndb-tls-mode: require\ndb-tls-ca-cert: "+file+"\n")
		if problem := (*remedy.Error)(nil); !errors.As(err, &problem) || problem.Fix == "" {
			t.Errorf("%s: %v", file, err)
		}
	}
}
