package integration_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/manifest/index"
	"holdfast/rebuild/restored"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

var update = flag.Bool("update", false, "write new golden files")

// A repository of format 1 stays readable for ever. A change to the golden files
// breaks the promise to restore old backups.
func TestGoldenRepositoryRestores(t *testing.T) {
	const golden = "testdata/repository-1"
	if *update {
		writeGolden(t, golden)
	}
	out := filepath.Join(t.TempDir(), "out")
	restoreGolden(t, golden, out)
	if got, want := sums(t, out), string(testkit.Read(t, golden+".sha256")); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}

func restoreGolden(t *testing.T, golden, out string) {
	t.Helper()
	ctx := t.Context()
	root, err := filepath.Abs(golden)
	testkit.OK(t, err)
	store, err := remote.Open(ctx, root, remote.Config{})
	testkit.OK(t, err)
	f, err := os.Open(golden + ".identity")
	testkit.OK(t, err)
	defer f.Close()
	identities, pin, err := seal.ReadIdentities(f, nil)
	testkit.OK(t, err)
	repo, err := vault.Open(ctx, store, pin, nil)
	testkit.OK(t, err)
	rec, err := repo.Find(ctx, "latest")
	testkit.OK(t, err)
	keys, err := repo.Unlock(ctx, identities)
	testkit.OK(t, err)
	snapshot, err := repo.OpenSnapshot(rec, keys, t.TempDir())
	testkit.OK(t, err)
	_, err = snapshot.Restore(ctx, out, &restored.Folder{Path: out, Verbatim: true}, vault.RestoreConfig{})
	testkit.OK(t, err)
}

// writeGolden makes a repository with two snapshots.
func writeGolden(t *testing.T, golden string) {
	t.Helper()
	ctx := t.Context()
	for _, path := range []string{golden, golden + ".identity"} {
		testkit.OK(t, os.RemoveAll(path))
	}
	testkit.OK(t, os.MkdirAll("testdata", 0o755))
	src, err := sample.Make(t.TempDir(), sample.Config{Statuses: 10, Media: 1, MediaBytes: 4 << 10, Accounts: 3})
	testkit.OK(t, err)
	root, err := filepath.Abs(golden)
	testkit.OK(t, err)
	store, err := remote.Create(ctx, root, remote.Config{})
	testkit.OK(t, err)
	identity, err := age.GenerateX25519Identity()
	testkit.OK(t, err)
	owner, err := seal.ParseOwner(identity.Recipient().String())
	testkit.OK(t, err)
	host, err := newRepository(ctx, store, src.Domain(), "golden", []seal.Owner{owner})
	testkit.OK(t, err)
	testkit.OK(t, seal.SaveIdentity(golden+".identity", identity.String(), owner.Name, host.Repository))
	state := t.TempDir()
	for night := range 2 {
		if night > 0 {
			testkit.OK(t, src.Night(night))
		}
		backupGolden(t, src.Dir, state, store, host)
	}
	out := filepath.Join(t.TempDir(), "out")
	restoreGolden(t, golden, out)
	testkit.OK(t, os.WriteFile(golden+".sha256", []byte(sums(t, out)), 0o644))
}

// newRepository makes a repository in an empty remote, and returns the host's key.
func newRepository(
	ctx context.Context, store remote.Store, domain, version string, owners []seal.Owner,
) (*seal.Host, error) {
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
	testkit.OK(t, err)
	defer idx.Close()
	config, err := gotosocial.Load(filepath.Join(dir, "config.yaml"), nil)
	testkit.OK(t, err)
	src, err := instance.Open(config, instance.Options{})
	testkit.OK(t, err)
	defer src.Close()
	repo, err := vault.Open(ctx, store, host.Repository, idx)
	testkit.OK(t, err)
	_, err = vault.Backup(ctx, vault.BackupConfig{
		Repository: repo, Host: host, Index: idx, Database: src, Files: src, State: state, Version: "golden",
	})
	testkit.OK(t, err)
}

// sums lists database and media below dir in the form of sha256sum. The paths of
// the files part depend on the folder of the test, so sums leaves them out.
func sums(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	tree := testkit.Tree(t, dir)
	for _, name := range keys(tree) {
		if strings.HasPrefix(name, "storage/") || name == "sqlite.db" {
			fmt.Fprintf(&out, "%s  %s\n", tree[name], name)
		}
	}
	return out.String()
}
