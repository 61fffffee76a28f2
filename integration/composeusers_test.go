package integration_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remote/remotetest"
)

// composed is a copy of the folder compose after the commands of its README. The servers
// of the tests take the place of the containers.
type composed struct {
	t        *testing.T
	dir      string
	minio    remotetest.Bucket
	postgres *postgrestest.Server
}

func newComposed(t *testing.T) *composed {
	t.Helper()
	c := &composed{t: t, dir: t.TempDir(), minio: remotetest.NewBucket(t), postgres: postgrestest.Start(t)}
	testkit.OK(t, os.CopyFS(c.dir, os.DirFS("../compose")))
	block := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindSubmatch(testkit.Read(t, "../compose/README.md"))
	if block == nil {
		t.Fatal("compose/README.md has no commands")
	}
	c.run(nil, "-c", string(block[1]))
	testkit.Write(t, c.secretFile("minio-root-password"), c.minio.SecretKey)
	testkit.Write(t, c.secretFile("postgres-password"), c.postgres.Password)
	// All tests share the server, and each test has a user of its own.
	testkit.Write(t, c.secretFile("s3-access-key"), c.secret("s3-access-key")+"-"+rand.Text())
	c.postgres.Exec(t, "postgres", "DROP ROLE "+postgrestest.Owner)
	return c
}

// run runs a shell in the folder.
func (c *composed) run(env []string, args ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "sh", append([]string{"-eu"}, args...)...)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("sh %s: %v\n%s", args, err, out)
	}
}

// setUp runs the scripts of the two services.
func (c *composed) setUp() {
	c.t.Helper()
	path := filepath.Dir(remotetest.FindClient(c.t)) + ":" + c.postgres.Bin + ":" + os.Getenv("PATH")
	env := []string{"PATH=" + path, "HOME=" + c.t.TempDir(), "SECRETS=" + filepath.Join(c.dir, "secrets"),
		"MINIO=" + c.minio.Endpoint, "MINIO_ROOT_USER=" + c.minio.AccessKey,
		"PGHOST=127.0.0.1", "PGPORT=" + strconv.Itoa(c.postgres.Port), "PGUSER=postgres"}
	c.run(env, "minio.sh")
	c.run(env, "postgres.sh")
}

func (c *composed) secretFile(name string) string { return filepath.Join(c.dir, "secrets", name) }

// secret returns a secret of the folder.
func (c *composed) secret(name string) string { return string(testkit.Read(c.t, c.secretFile(name))) }

// as returns the PostgreSQL server with the password of another role.
func (c *composed) as(password string) *postgrestest.Server {
	other := *c.postgres
	other.Password = c.secret(password)
	return &other
}

// host sets up Holdfast with the command in the head of docker-compose.yml.
func (c *composed) host(storage string) *host {
	c.t.Helper()
	settings := filepath.Join(c.dir, "gotosocial.env")
	testkit.Write(c.t, settings, strings.NewReplacer("=postgres\nGTS_DB_PORT=5432\n", "=127.0.0.1\nGTS_DB_PORT="+
		strconv.Itoa(c.postgres.Port)+"\n", "=/gotosocial/storage\n", "="+storage+"\n").
		Replace(string(testkit.Read(c.t, settings))))
	h := &host{t: c.t, dir: c.t.TempDir(), config: settings}
	command := regexp.MustCompile(`(?s)holdfast (init .*?)\n# +4\.`).
		FindSubmatch(testkit.Read(c.t, "../docker-compose.yml"))
	if command == nil {
		c.t.Fatal("docker-compose.yml shows no init")
	}
	text := strings.NewReplacer("\\\n#", "", "minio:9000/backups/example.org", c.minio.Endpoint+"/backups/"+rand.Text(),
		"/etc/gotosocial.env", settings, "/run/secrets", filepath.Join(c.dir, "secrets"),
		"/var/lib/holdfast/kit.txt", h.kit()).Replace(string(command[1]))
	h.holdfast(strings.Fields(text)...).start().expect(0)
	return h
}

// denied wants PostgreSQL to deny a role each statement.
func (c *composed) denied(role, password string, statements ...string) {
	c.t.Helper()
	conn := c.as(password).Connect(c.t, role, "gotosocial")
	for _, statement := range statements {
		_, err := conn.Exec(c.t.Context(), statement)
		var server *pgconn.PgError
		if !errors.As(err, &server) || server.Code != "42501" { // insufficient_privilege
			c.t.Errorf("%s: %s: %v, want a denial", role, statement, err)
		}
	}
}

// Passwords of root and superuser stay with the set-up: a backup and a restore need neither.
func TestUsersOfTheComposeFileBackUpAndRestore(t *testing.T) {
	t.Parallel()
	c := newComposed(t)
	c.setUp()
	c.as("db-password").ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	storage, media := someMedia(t)
	h := c.host(storage)
	h.backup()
	c.setUp() // as at each start
	c.as("db-password").ExecAs(t, postgrestest.Owner, "gotosocial", "INSERT INTO no_key VALUES ('new', 0)")
	second := h.backup()
	h.verify()

	folder := h.restore(second.Snapshot.ID)
	testkit.SameTree(t, filepath.Join(folder, "storage"), media)
	if got := testkit.Sum(t, filepath.Join(folder, "files", h.config)); got != testkit.Sum(t, h.config) {
		t.Error("GoToSocial's settings came back with changes")
	}
	c.postgres.NewDatabase(t, "restored")
	c.as("db-password").Load(t, postgrestest.Owner, "restored", filepath.Join(folder, "database", "restore.sql"))
	if dumped(t, c.postgres, "restored") != dumped(t, c.postgres, "gotosocial") {
		t.Error("the restored database differs")
	}
}

// everybodyReads is a policy that opens the bucket.
const everybodyReads = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
	"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::backups/*"]}]}`

func TestUsersOfTheComposeFileHaveNoOtherRights(t *testing.T) {
	t.Parallel()
	c := newComposed(t)
	c.setUp()
	c.as("db-password").ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	always := []string{"CREATE DATABASE x", "CREATE ROLE x", "ALTER ROLE CURRENT_USER CREATEDB",
		"SELECT pg_read_file('/etc/passwd')", "COPY (SELECT 1) TO PROGRAM 'true'", "SET ROLE postgres"}
	c.denied(postgrestest.Owner, "db-password", always...)
	c.denied("holdfast", "db-reader-password", append(always, "INSERT INTO no_key VALUES ('new', 0)",
		"DELETE FROM statuses", "UPDATE accounts SET username = ''", "SELECT nextval('unused')", "DROP TABLE no_key",
		"CREATE TABLE public.x ()", "CREATE TEMP TABLE x ()", "CREATE SCHEMA x", "SET ROLE gotosocial")...)

	keys := credentials.NewStaticV4(c.secret("s3-access-key"), c.secret("s3-secret-key"), "")
	client, err := minio.New(c.minio.Endpoint, &minio.Options{Creds: keys})
	testkit.OK(t, err)
	ctx := t.Context()
	_, err = client.PutObject(ctx, "backups", "packs/x", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	testkit.OK(t, err)
	_, putErr := client.PutObject(ctx, c.minio.Name, "x", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	var listErr error
	for o := range client.ListObjects(ctx, c.minio.Name, minio.ListObjectsOptions{}) {
		listErr = o.Err
	}
	_, settingsErr := client.GetBucketVersioning(ctx, "backups")
	for what, err := range map[string]error{
		"delete an object":           client.RemoveObject(ctx, "backups", "packs/x", minio.RemoveObjectOptions{}),
		"delete the bucket":          client.RemoveBucket(ctx, "backups"),
		"make a bucket":              client.MakeBucket(ctx, "another", minio.MakeBucketOptions{}),
		"write into another bucket":  putErr,
		"list another bucket":        listErr,
		"read the bucket's settings": settingsErr,
		"open the bucket to all":     client.SetBucketPolicy(ctx, "backups", everybodyReads),
	} {
		if minio.ToErrorResponse(err).Code != "AccessDenied" {
			t.Errorf("%s: %v, want a denial", what, err)
		}
	}
	users := exec.CommandContext(ctx, remotetest.FindClient(t), "admin", "user", "list", "minio")
	users.Env = []string{"HOME=" + t.TempDir(), "MC_HOST_minio=http://" + c.secret("s3-access-key") + ":" +
		c.secret("s3-secret-key") + "@" + c.minio.Endpoint}
	if out, err := users.CombinedOutput(); err == nil || !strings.Contains(string(out), "Access Denied") {
		t.Errorf("list the users: %v\n%s", err, out)
	}
}
