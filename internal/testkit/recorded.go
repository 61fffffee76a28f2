package testkit

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed testdata/gotosocial
var recordings embed.FS

// Recorded is a GoToSocial instance that people used, and the output of
// GoToSocial's own commands about the instance. testdata/gotosocial/README.md
// says how the recordings were made.
type Recorded struct{ engine string }

// There is one recording for each database engine.
var (
	RecordedSQLite   = Recorded{"sqlite"}
	RecordedPostgres = Recorded{"postgres"}
)

// Copy unpacks the instance into a new folder.
func (r Recorded) Copy(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	r.Unpack(t, dir)
	return dir
}

// Unpack writes the instance into dir: config.yaml, storage/, and sqlite.db or
// gotosocial.sql. The paths in config.yaml are relative to dir.
func (r Recorded) Unpack(t testing.TB, dir string) {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(r.read(t, r.engine+".tar.gz")))
	OK(t, err)
	OK(t, os.MkdirAll(dir, 0o755))
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		OK(t, err)
		data, err := io.ReadAll(archive)
		OK(t, err)
		path := filepath.Join(dir, header.Name)
		Write(t, path, data)
		OK(t, os.Chtimes(path, header.ModTime, header.ModTime))
	}
}

// Media returns the local media by their storage keys, each with the SHA-256 in
// hexadecimal digits. GoToSocial itself listed the keys.
func (r Recorded) Media(t testing.TB) map[string]string {
	t.Helper()
	media := map[string]string{}
	for line := range strings.Lines(string(r.read(t, path.Join("expected", r.engine, "local_media.sha256")))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		media[strings.TrimPrefix(name, "storage/")] = sum
	}
	return media
}

// Export returns the output of `gotosocial admin export`.
func (r Recorded) Export(t testing.TB) string {
	t.Helper()
	return string(r.read(t, path.Join("expected", r.engine, "export.json")))
}

func (r Recorded) read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := recordings.ReadFile(path.Join("testdata/gotosocial", name))
	OK(t, err)
	return data
}
