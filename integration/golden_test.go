package integration_test

import (
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
	if err != nil {
		t.Fatal(err)
	}
	if got := sums(t, out); got != string(want) {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
}

func restoreGolden(t *testing.T, golden, out string) {
	t.Helper()
	ctx := t.Context()
	root, err := filepath.Abs(golden)
	if err != nil {
		t.Fatal(err)
	}
	store, err := remote.Open(ctx, root, remote.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(golden + ".identity")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	identities, pin, err := seal.ReadIdentities(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	repo, err := vault.Open(ctx, store, pin, nil)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := repo.Find(ctx, "latest")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := repo.Unlock(ctx, identities)
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := repo.OpenSnapshot(rec, keys, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Restore(ctx, out, &instance.Directory{Path: out, Verbatim: true}, vault.RestoreConfig{}); err != nil {
		t.Fatal(err)
	}
}

// writeGolden makes a repository of two nights.
func writeGolden(t *testing.T, golden string) {
	t.Helper()
	ctx := t.Context()
	for _, path := range []string{golden, golden + ".identity"} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	src, err := sample.Make(t.TempDir(), sample.Config{Statuses: 10, Media: 1, MediaBytes: 4 << 10, Accounts: 3})
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(golden)
	if err != nil {
		t.Fatal(err)
	}
	store, err := remote.Create(ctx, root, remote.Config{})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	owner, err := seal.ParseOwner(identity.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	host, err := vault.Init(ctx, store, src.Host(), "golden", []seal.Owner{owner})
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.SaveIdentity(golden+".identity", identity.String(), owner.Name, host.Repository); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	for night := range 2 {
		if night > 0 {
			if err := src.Night(night); err != nil {
				t.Fatal(err)
			}
		}
		backupGolden(t, src.Dir, state, store, host)
	}
	out := filepath.Join(t.TempDir(), "out")
	restoreGolden(t, golden, out)
	if err := os.WriteFile(golden+".sha256", []byte(sums(t, out)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func backupGolden(t *testing.T, dir, state string, store remote.Store, host *seal.Host) {
	t.Helper()
	ctx := t.Context()
	idx, _, err := index.Open(state)
	if err != nil {
		t.Fatal(err)
	}
	defer idx.Close()
	config, err := instance.Load(filepath.Join(dir, "config.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	src, err := instance.Open(config, instance.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	repo, err := vault.Open(ctx, store, host.Repository, idx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Backup(ctx, repo, host, idx, source{src}, vault.BackupConfig{State: state, Version: "golden"}); err != nil {
		t.Fatal(err)
	}
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
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
