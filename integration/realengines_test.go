package integration_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/instance/postgrestest"
	"holdfast/internal/testkit"
	"holdfast/remote/remotetest"
)

// engine is a place for the database and the media of a real server.
type engine struct {
	settings []string                       // lines of GoToSocial's configuration
	replace  func(m *machine)               // everything is lost, and a machine gets what a restore needs
	content  func(folder, id string) string // the content of a post in a restored folder
}

// engines returns the engines of an ordinary run or of a full one.
func engines() map[string]func(t *testing.T) *engine {
	all := map[string]func(t *testing.T) *engine{"SQLite": onSQLite}
	if full {
		all["PostgreSQL"] = onPostgres
		all["media in MinIO"] = withBucket
	}
	return all
}

const contentOf = "SELECT content FROM statuses WHERE id = '%s'"

func onSQLite(t *testing.T) *engine {
	return &engine{
		replace: func(*machine) {},
		content: func(folder, id string) string {
			return query(t, filepath.Join(folder, "sqlite.db"), fmt.Sprintf(contentOf, id))
		},
	}
}

func onPostgres(t *testing.T) *engine {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	return &engine{
		settings: postgresSettings(s, "gotosocial"),
		replace: func(m *machine) {
			m.install(filepath.Join(s.Bin, "pg_dump"))
			s.Exec(t, "postgres", "DROP DATABASE gotosocial WITH (FORCE)")
		},
		content: func(folder, id string) (content string) {
			byPsql(t, s, folder, "second")
			row := s.Connect(t, "postgres", "second").QueryRow(t.Context(), fmt.Sprintf(contentOf, id))
			testkit.OK(t, row.Scan(&content))
			return content
		},
	}
}

// postgresSettings returns the lines of GoToSocial's configuration for a database.
func postgresSettings(s *postgrestest.Server, database string) []string {
	return []string{
		"db-type: postgres", "db-address: 127.0.0.1", fmt.Sprint("db-port: ", s.Port),
		"db-user: " + postgrestest.Owner, "db-password: " + s.Password, "db-database: " + database,
	}
}

func withBucket(t *testing.T) *engine {
	b := remotetest.NewBucket(t)
	admin, err := minio.New(b.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(b.AccessKey, b.SecretKey, "")})
	testkit.OK(t, err)
	e := onSQLite(t)
	e.settings = []string{
		"storage-backend: s3", "storage-s3-use-ssl: false", "storage-s3-proxy: true",
		"storage-s3-endpoint: " + b.Endpoint, "storage-s3-bucket: " + b.Name,
		"storage-s3-access-key: " + b.AccessKey, "storage-s3-secret-key: " + b.SecretKey,
	}
	e.replace = func(*machine) {
		objects := admin.ListObjects(t.Context(), b.Name, minio.ListObjectsOptions{Recursive: true})
		for problem := range admin.RemoveObjects(t.Context(), b.Name, objects, minio.RemoveObjectsOptions{}) {
			t.Fatal(problem.Err)
		}
	}
	return e
}
