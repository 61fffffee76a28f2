// Package demo tells the whole life of a small instance: set-up, two backups, a
// verification and a restore, by the jobs that the commands call.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/instance/sample"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/seal"
)

// Story is a demonstration in a folder.
type Story struct {
	Term    *terminal.Terminal // shows the story
	Dir     string             // an existing empty folder, absolute
	Version string             // of Holdfast

	instance *sample.Instance
}

// Home has the files of the demonstration's host.
func (d *Story) Home() agent.Home {
	return agent.Home{ConfigFile: filepath.Join(d.Dir, "holdfast.yaml"), State: filepath.Join(d.Dir, "state")}
}

// observer shows the warnings of the jobs.
func (d *Story) observer() agent.Observer {
	return agent.Observer{Warn: func(text string) { d.Term.Warn("%s", text) }}
}

// Result has the figures of the story, for --json.
type Result struct {
	Dir      string  `json:"dir"`
	First    Figures `json:"first"`
	Night    Figures `json:"night"`
	Restored int64   `json:"restored_files"`
	Bytes    int64   `json:"restored_bytes"`
	Pages    int64   `json:"equal_pages"`
	Media    int     `json:"equal_media"`
	Seconds  float64 `json:"seconds"`
}

// Figures are those of a backup.
type Figures struct {
	Bytes   int64   `json:"bytes"` // of the instance
	Stored  int64   `json:"stored"`
	Seconds float64 `json:"seconds"`
}

// Run tells the story, and ends at the first difference.
func (d *Story) Run(ctx context.Context) error {
	began := time.Now()
	// The shell may hold settings of a real instance.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GTS_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	d.Term.Say("A demonstration in %s\n", d.Dir)
	result := Result{Dir: d.Dir}
	if err := d.setUp(ctx); err != nil {
		return err
	}
	var err error
	if result.First, err = d.backUp(ctx); err != nil {
		return err
	}
	d.Term.Say("3. The first holdfast backup stores %s as %s, in %s.",
		units.Size(result.First.Bytes), units.Size(result.First.Stored), seconds(result.First.Seconds))
	if result.Night, err = d.night(ctx); err != nil {
		return err
	}
	d.Term.Say("   Of %s this backup stores only the new data: %s, %.0f %%, in %s.",
		units.Size(result.Night.Bytes), units.Size(result.Night.Stored),
		100*float64(result.Night.Stored)/float64(result.Night.Bytes), seconds(result.Night.Seconds))
	if err := d.verify(ctx); err != nil {
		return err
	}
	d.Term.Say("5. holdfast verify reads back everything that is stored: nothing is damaged.")
	if err := d.restore(ctx, &result); err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	d.Term.Result = result
	d.Term.Say("\n✓ Every byte is back. The demo took %s.", units.Duration(time.Since(began)))
	return nil
}

func seconds(n float64) string { return units.Duration(time.Duration(n * float64(time.Second))) }

// setUp makes the instance and the repository.
func (d *Story) setUp(ctx context.Context) (err error) {
	began := time.Now()
	if d.instance, err = sample.Make(filepath.Join(d.Dir, "instance"), sample.Config{}); err != nil {
		return err
	}
	local, err := d.instance.LocalMedia()
	if err != nil {
		return err
	}
	database, err := os.Stat(d.instance.Database())
	if err != nil {
		return err
	}
	d.Term.Say("1. Here is a small instance, %s: a database of %s, %s of its own media,\n"+
		"   and cached media of others, which no backup needs. It was made up in %s.",
		d.instance.Domain(), units.Size(database.Size()), units.Count(len(local), "file"),
		units.Duration(time.Since(began)))
	if err := d.setUpHost(ctx); err != nil {
		return err
	}
	d.Term.Say("2. holdfast init makes the repository and a recovery kit. From now on the server\n" +
		"   can write backups, but not read them.")
	return nil
}

func (d *Story) kit() string { return filepath.Join(d.Dir, "kit.txt") }

// setUpHost sets up the host, as holdfast init does.
func (d *Story) setUpHost(ctx context.Context) (err error) {
	s, err := d.Home().SetUp(ctx, agent.SetUpConfig{
		Config: agent.Config{
			Remotes:  []agent.RemoteConfig{{URL: filepath.Join(d.Dir, "storage")}},
			Instance: agent.InstanceConfig{GoToSocial: filepath.Join(d.instance.Dir, "config.yaml")},
		},
		// Without an observer: the warning that the storage is on the instance's disk is no news here.
		KitFile: d.kit(), Version: d.Version,
	})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, s.Close()) }()
	if _, err := s.CreateRemote(ctx); err != nil {
		return err
	}
	_, err = s.Publish(ctx, nil)
	return err
}

// backUp makes a backup.
func (d *Story) backUp(ctx context.Context) (f Figures, err error) {
	report, err := d.Home().Backup(ctx, agent.BackupConfig{Version: d.Version, Observer: d.observer()})
	if err != nil {
		return f, err
	}
	if missing := report.Saved.Missing; len(missing) > 0 {
		return f, fmt.Errorf("the backup lacks %s", missing[0])
	}
	rec := report.Saved.Record
	for _, total := range rec.Parts {
		f.Bytes += total.Bytes
	}
	f.Stored, f.Seconds = rec.Stored, report.Duration.Seconds()
	return f, nil
}

// verify reads back all objects.
func (d *Story) verify(ctx context.Context) error {
	cfg := agent.VerifyConfig{OpenConfig: agent.OpenConfig{Observer: d.observer()}, Data: 1}
	report, err := d.Home().Verify(ctx, cfg)
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("%s: %s", report.Problems[0].Object, report.Problems[0].What)
	}
	return err
}

// night ages the instance by a day, and backs up while the server has the database
// open.
func (d *Story) night(ctx context.Context) (figures Figures, err error) {
	stop, err := d.instance.Start()
	if err != nil {
		return figures, err
	}
	defer func() { err = cmp.Or(err, stop()) }()
	if err := d.instance.Night(1); err != nil {
		return figures, err
	}
	d.Term.Say("4. A day goes by: people write and delete posts, pictures come and go.\n" +
		"   At night the second backup runs while the server has the database open.")
	return d.backUp(ctx)
}

// restore rebuilds the instance from the storage and the kit, and compares.
func (d *Story) restore(ctx context.Context, result *Result) error {
	to := filepath.Join(d.Dir, "restored")
	restored, err := d.restoreInto(ctx, to)
	if err != nil {
		return err
	}
	result.Restored, result.Bytes = restored.Files, restored.Bytes
	d.Term.Say("6. The server burns down. From the storage and the kit, holdfast restore brings back\n"+
		"   %s, %s, in %s.", units.Count(restored.Files, "file"), units.Size(restored.Bytes),
		units.Duration(restored.Duration))
	if result.Pages, err = sample.SamePages(d.instance.Database(), filepath.Join(to, "sqlite.db")); err != nil {
		return err
	}
	local, err := d.instance.LocalMedia()
	if err != nil {
		return err
	}
	if err := sample.SameMedia(local, filepath.Join(to, "storage")); err != nil {
		return err
	}
	result.Media = len(local)
	config := filepath.Join(d.instance.Dir, "config.yaml")
	if _, err := sample.SamePages(config, filepath.Join(to, string(manifest.Files), config)); err != nil {
		return err
	}
	d.Term.Say("7. Compared with the original: %s of the database equal, %s equal,\n"+
		"   nothing missing, nothing added; the configuration is the same.",
		units.Count(result.Pages, "page"), units.Count(result.Media, "media file"))
	return nil
}

// restoreInto restores into a folder by the kit.
func (d *Story) restoreInto(ctx context.Context, to string) (*agent.RestoreReport, error) {
	kit, err := os.Open(d.kit())
	if err != nil {
		return nil, err
	}
	defer kit.Close()
	identities, pin, err := seal.ReadIdentities(kit, nil)
	if err != nil {
		return nil, err
	}
	cfg := agent.OpenConfig{Identities: identities, Pin: pin, Observer: d.observer()}
	repo, err := d.Home().Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	snap, err := repo.Snapshot(ctx, "latest", agent.ScratchFolder(to))
	if err != nil {
		return nil, err
	}
	return agent.Restore(ctx, snap, agent.RestoreConfig{To: to, Verbatim: true, Observer: d.observer()})
}
