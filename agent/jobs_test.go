package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/agent"
	"holdfast/instance/sample"
	"holdfast/internal/testkit"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

// world is a small instance, a host that is set up, and its owner.
type world struct {
	t          *testing.T
	home       agent.Home
	instance   *sample.Instance
	storage    string // the folder of the remote
	identities []seal.Identity
	repository seal.RepositoryID
	log        *bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, storage: filepath.Join(dir, "storage"), log: new(bytes.Buffer),
		home: agent.Home{ConfigFile: filepath.Join(dir, "holdfast.yaml"), State: filepath.Join(dir, "state")}}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(w.log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })

	var err error
	w.instance, err = sample.Make(filepath.Join(dir, "instance"),
		sample.Config{Accounts: 20, Statuses: 200, Media: 4, MediaBytes: 8 << 10})
	testkit.OK(t, err)
	identity, recipient, err := seal.NewIdentity()
	testkit.OK(t, err)
	w.identities = w.read(identity)
	owner, err := seal.ParseOwner(recipient)
	testkit.OK(t, err)
	founding, err := vault.NewFounding(w.instance.Domain(), "test", []seal.Owner{owner})
	testkit.OK(t, err)
	w.repository = founding.Host.Repository
	testkit.OK(t, os.MkdirAll(w.home.State, 0o700))
	testkit.OK(t, founding.Host.Save(w.home.HostFile()))
	store, err := remote.Create(t.Context(), w.storage, remote.Config{})
	testkit.OK(t, err)
	defer store.Close()
	testkit.OK(t, founding.Publish(t.Context(), store))

	config := agent.Config{
		Instance: agent.InstanceConfig{GoToSocial: filepath.Join(w.instance.Dir, "config.yaml")},
		Remotes:  []agent.RemoteConfig{{URL: w.storage + "#" + w.repository.String()}},
	}
	text, err := config.Text()
	testkit.OK(t, err)
	testkit.OK(t, agent.WriteNew(w.home.ConfigFile, strings.NewReader(text)))
	return w
}

func (w *world) read(identity string) []seal.Identity {
	w.t.Helper()
	identities, _, err := seal.ReadIdentities(strings.NewReader(identity), nil)
	testkit.OK(w.t, err)
	return identities
}

func (w *world) backUp() *agent.BackupReport {
	w.t.Helper()
	report, err := w.home.Backup(w.t.Context(), agent.BackupConfig{Version: "test"})
	testkit.OK(w.t, err)
	return report
}

func TestJobsBringAnInstanceBack(t *testing.T) {
	w := newWorld(t)
	first := w.backUp()
	testkit.OK(t, w.instance.Night(1))
	second := w.backUp()
	if first.Previous != nil || second.Previous.ID() != first.Saved.Record.ID() {
		t.Errorf("after %s comes %s", first.Saved.Record.ID(), second.Previous.ID())
	}
	if s := second.Standing; s.Newest.ID() != second.Saved.Record.ID() || s.Complete != s.Newest {
		t.Errorf("%s", s)
	}
	verified, err := w.home.Verify(t.Context(), agent.VerifyConfig{Data: 1})
	testkit.OK(t, err)
	if len(verified.Problems) > 0 || verified.HashedN == 0 || verified.Newest.ID() != second.Saved.Record.ID() {
		t.Errorf("%+v", verified)
	}

	to := filepath.Join(t.TempDir(), "restored")
	repo, err := w.home.Open(t.Context(), agent.OpenConfig{Identities: w.identities})
	testkit.OK(t, err)
	defer repo.Close()
	snap, err := repo.Snapshot(t.Context(), "latest", t.TempDir())
	testkit.OK(t, err)
	cfg := agent.RestoreConfig{To: to, Verbatim: true}
	plan, err := repo.PlanRestore(t.Context(), snap, cfg)
	testkit.OK(t, err)
	if !plan.Newest || plan.Complete != nil || len(plan.Totals) != 3 {
		t.Errorf("%+v", plan)
	}
	report, err := agent.Restore(t.Context(), snap, cfg)
	testkit.OK(t, err)
	if report.Missing != 0 || report.Damage != "" || vault.Unfinished(to) {
		t.Errorf("%+v", report)
	}
	want, err := os.ReadFile(w.instance.Database())
	testkit.OK(t, err)
	have, err := os.ReadFile(filepath.Join(to, "sqlite.db"))
	testkit.OK(t, err)
	if !bytes.Equal(want, have) {
		t.Error("another database came back")
	}
	_, err = agent.Restore(t.Context(), snap, cfg)
	if !remedy.Is(err, remedy.Refused) {
		t.Errorf("into a folder in use: %v", err)
	}
}

func TestExportComesWholeFromInstanceAndSnapshot(t *testing.T) {
	w := newWorld(t)
	w.backUp()
	var live bytes.Buffer
	done, err := w.home.Export(t.Context(), agent.ExportConfig{Out: &live})
	testkit.OK(t, err)
	if done.Accounts == 0 || int64(bytes.Count(live.Bytes(), []byte("\n"))) != done.Entries {
		t.Errorf("%+v", done)
	}
	repo, err := w.home.Open(t.Context(), agent.OpenConfig{Identities: w.identities})
	testkit.OK(t, err)
	defer repo.Close()
	snap, err := repo.Snapshot(t.Context(), "latest", t.TempDir())
	testkit.OK(t, err)
	file := filepath.Join(t.TempDir(), "export.json")
	_, err = w.home.Export(t.Context(), agent.ExportConfig{Snapshot: snap, File: file})
	testkit.OK(t, err)
	stored, err := os.ReadFile(file)
	testkit.OK(t, err)
	if !bytes.Equal(stored, live.Bytes()) {
		t.Error("the snapshot's export differs")
	}
	_, err = w.home.Export(t.Context(), agent.ExportConfig{Snapshot: snap, File: file})
	if !remedy.Is(err, remedy.Refused) {
		t.Errorf("over a file: %v", err)
	}
}

func TestEachJobLogsOneLineWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	w.backUp()
	_, err := w.home.Verify(t.Context(), agent.VerifyConfig{})
	testkit.OK(t, err)
	_, err = w.home.Export(t.Context(), agent.ExportConfig{Out: io.Discard})
	testkit.OK(t, err)
	testkit.OK(t, os.Remove(w.home.HostFile()))
	_, err = w.home.Backup(t.Context(), agent.BackupConfig{})
	if !remedy.Is(err, remedy.WrongKey) {
		t.Errorf("without a host key: %v", err)
	}
	lines := slices.Collect(strings.Lines(w.log.String()))
	want := []string{`msg="backup ended"`, `msg="verify ended"`, `msg="export ended"`, `msg="backup ended"`}
	if len(lines) != len(want) {
		t.Fatalf("%q", lines)
	}
	for i, line := range lines {
		if !strings.Contains(line, want[i]) || !strings.Contains(line, "level=INFO") {
			t.Errorf("%q", line)
		}
		if strings.Contains(line, "PRIVATE") {
			t.Errorf("%q", line)
		}
	}
	if !strings.Contains(lines[0], "instance="+w.instance.Domain()) || !strings.Contains(lines[3], "error=") {
		t.Errorf("%q", lines)
	}
}

func TestFailedBackupSaysWhatIsLeft(t *testing.T) {
	w := newWorld(t)
	away := w.storage + ".away"
	testkit.OK(t, os.Rename(w.storage, away))
	report, err := w.home.Backup(t.Context(), agent.BackupConfig{})
	const nothing = "this host knows of no snapshot yet; holdfast list asks the storage"
	if err == nil || report.Saved != nil || report.Standing.String() != nothing {
		t.Errorf("%v, %s", err, report.Standing)
	}
	testkit.OK(t, os.Rename(away, w.storage))
	saved := w.backUp().Saved.Record
	testkit.OK(t, os.Rename(w.storage, away))
	report, err = w.home.Backup(t.Context(), agent.BackupConfig{})
	if err == nil || !strings.HasPrefix(report.Standing.String(), "the last complete snapshot, "+saved.ID()+", is ") {
		t.Errorf("%v, %s", err, report.Standing)
	}
}

// The index and the lock lie on the disk of the state folder.
func TestBackupNamesTheFullDiskOfItsState(t *testing.T) {
	w := newWorld(t)
	host := testkit.Read(t, w.home.HostFile())
	testkit.MountSmallDisk(t, w.home.State, "size=64k,mode=0700")
	testkit.OK(t, os.WriteFile(w.home.HostFile(), host, 0o600))
	_, err := w.home.Backup(t.Context(), agent.BackupConfig{})
	if !remedy.Is(err, remedy.Full) || !strings.HasPrefix(err.Error(), "the disk of "+w.home.State+" is full") {
		t.Error(err)
	}
}

func TestLockedStateIsBusy(t *testing.T) {
	w := newWorld(t)
	unlock, err := w.home.Lock("init")
	testkit.OK(t, err)
	report, err := w.home.Backup(t.Context(), agent.BackupConfig{})
	if !remedy.Is(err, remedy.Busy) || !strings.Contains(err.Error(), "holdfast init holds the lock") {
		t.Errorf("%v", err)
	}
	if report.Standing != nil {
		t.Errorf("%v", err)
	}
	testkit.OK(t, unlock())
	w.backUp()
}

func TestStrangerOpensNothing(t *testing.T) {
	w := newWorld(t)
	identity, _, err := seal.NewIdentity()
	testkit.OK(t, err)
	_, err = w.home.Open(t.Context(), agent.OpenConfig{Identities: w.read(identity)})
	if !errors.Is(err, vault.ErrWrongKey) {
		t.Errorf("%v", err)
	}
}

func TestUnpinnedRepositoryNeedsAPerson(t *testing.T) {
	w := newWorld(t)
	home := agent.Home{ConfigFile: filepath.Join(t.TempDir(), "none.yaml"), State: t.TempDir()}
	_, err := home.Open(t.Context(), agent.OpenConfig{From: w.storage})
	if !remedy.Is(err, remedy.Refused) || !strings.Contains(err.Error(), w.repository.String()) {
		t.Errorf("%v", err)
	}
	for yes, want := range map[bool]bool{true: true, false: false} {
		confirm := func(_ context.Context, r *agent.Repository) (bool, error) {
			return yes && r.ID == w.repository, nil
		}
		cfg := agent.OpenConfig{From: w.storage, Confirm: confirm}
		repo, err := home.Open(t.Context(), cfg)
		if (err == nil) != want {
			t.Errorf("confirmed %t: %v", yes, err)
		}
		if err == nil {
			testkit.OK(t, repo.Close())
		}
	}
	repo, err := home.Open(t.Context(), agent.OpenConfig{From: w.storage, Pin: w.repository})
	testkit.OK(t, err)
	testkit.OK(t, repo.Close())
	// The configuration pins its own remote, under any way to write it.
	_, err = w.home.Open(t.Context(), agent.OpenConfig{From: w.storage, Pin: seal.RepositoryID{1}})
	if !remedy.Is(err, remedy.Refused) {
		t.Errorf("an identity of another repository: %v", err)
	}
}
