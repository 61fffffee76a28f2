package integration_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"holdfast/instance"
	"holdfast/instance/sample"
	"holdfast/manifest/index"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A repository of format 1 stays readable for ever: whoever changes this test's
// files breaks the promise to restore old backups.
func TestGoldenRepositoryRestores(t *testing.T) {
	const golden = "testdata/repository-1"
	if *update {
		writeGolden(t, golden)
	}
	out := filepath.Join(t.TempDir(), "out")
	restoreGolden(t, golden, out)
	want, err := os.ReadFile(golden + ".sha256")
	ok(t, err)
	if got := sums(t, out); got != string(want) {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}

func restoreGolden(t *testing.T, golden, out string) {
	t.Helper()
	ctx := t.Context()
	root, err := filepath.Abs(golden)
	ok(t, err)
	store, err := remote.Open(ctx, root, remote.Config{})
	ok(t, err)
	f, err := os.Open(golden + ".identity")
	ok(t, err)
	defer f.Close()
	identities, pin, err := seal.ReadIdentities(f, nil)
	ok(t, err)
	repo, err := vault.Open(ctx, store, pin, nil)
	ok(t, err)
	rec, err := repo.Find(ctx, "latest")
	ok(t, err)
	keys, err := repo.Unlock(ctx, identities)
	ok(t, err)
	snapshot, err := repo.OpenSnapshot(rec, keys, t.TempDir())
	ok(t, err)
	_, err = snapshot.Restore(ctx, out, &instance.Directory{Path: out, Verbatim: true}, vault.RestoreConfig{})
	ok(t, err)
}

// writeGolden makes a repository of two nights.
func writeGolden(t *testing.T, golden string) {
	t.Helper()
	ctx := t.Context()
	for _, path := range []string{golden, golden + ".identity"} {
		ok(t, os.RemoveAll(path))
	}
	ok(t, os.MkdirAll("testdata", 0o755))
	src, err := sample.Make(t.TempDir(), sample.Config{Statuses: 10, Media: 1, MediaBytes: 4 << 10, Accounts: 3})
	ok(t, err)
	root, err := filepath.Abs(golden)
	ok(t, err)
	store, err := remote.Create(ctx, root, remote.Config{})
	ok(t, err)
	identity, err := age.GenerateX25519Identity()
	ok(t, err)
	owner, err := seal.ParseOwner(identity.Recipient().String())
	ok(t, err)
	host, err := newRepository(ctx, store, src.Host(), "golden", []seal.Owner{owner})
	ok(t, err)
	ok(t, seal.SaveIdentity(golden+".identity", identity.String(), owner.Name, host.Repository))
	state := t.TempDir()
	for night := range 2 {
		if night > 0 {
			ok(t, src.Night(night))
		}
		backupGolden(t, src.Dir, state, store, host)
	}
	out := filepath.Join(t.TempDir(), "out")
	restoreGolden(t, golden, out)
	ok(t, os.WriteFile(golden+".sha256", []byte(sums(t, out)), 0o644))
}

// newRepository makes a repository in an empty remote, and returns the host's key.
func newRepository(ctx context.Context, store remote.Store, domain, version string, owners []seal.Owner) (*seal.Host, error) {
	f, err := vault.NewFounding(domain, version, owners)
	if err != nil {
		return nil, err
	}
	return f.Host, f.Publish(ctx, store)
}

func backupGolden(t *testing.T, dir, state string, store remote.Store, host *seal.Host) {
	t.Helper()
	ctx := t.Context()
	idx, _, err := index.Open(state)
	ok(t, err)
	defer idx.Close()
	config, err := instance.Load(filepath.Join(dir, "config.yaml"), nil)
	ok(t, err)
	src, err := instance.Open(config, instance.Options{})
	ok(t, err)
	defer src.Close()
	repo, err := vault.Open(ctx, store, host.Repository, idx)
	ok(t, err)
	_, err = vault.Backup(ctx, vault.BackupConfig{
		Repository: repo, Host: host, Index: idx, Database: source{src}, Files: src, State: state, Version: "golden",
	})
	ok(t, err)
}

// sums lists database and media below dir as sha256sum does. The files part
// lies below the folder that the test ran in, and has no fixed place.
func sums(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, dir+"/")
		if err != nil || d.IsDir() || !strings.HasPrefix(name, "storage/") && name != "sqlite.db" {
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		fmt.Fprintf(&out, "%s  %s\n", hex.EncodeToString(sum[:]), name)
		return err
	})
	ok(t, err)
	return out.String()
}
