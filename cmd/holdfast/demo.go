package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/instance/sample"
	"holdfast/manifest"
)

// demo tells the whole life of a small instance, on the real paths of the code.
type demo struct {
	app   *app // whose output is the story
	quiet *app // that runs the verbs
	dir   string
	inst  *sample.Instance
}

func (a *app) demoCommand() *cobra.Command {
	var dir string
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a sample instance, back it up, restore it, and compare every byte",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			made := dir
			if dir == "" {
				if made, err = os.MkdirTemp("", "holdfast-demo-*"); err != nil {
					return err
				}
			} else if err := os.Mkdir(dir, 0o700); err != nil {
				return usage(err, "name a folder that does not exist yet")
			}
			if !keep {
				defer os.RemoveAll(made)
			}
			if err := absolute(&made); err != nil {
				return err
			}
			return a.demo(cmd.Context(), made, keep)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "work in `DIR`, which must not exist (default: a temporary folder)")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder, to look around")
	return cmd
}

// demoResult are the figures of the story, for --json.
type demoResult struct {
	Dir      string        `json:"dir"`
	First    backupFigures `json:"first"`
	Night    backupFigures `json:"night"`
	Restored int64         `json:"restored_files"`
	Bytes    int64         `json:"restored_bytes"`
	Pages    int64         `json:"equal_pages"`
	Media    int           `json:"equal_media"`
	Seconds  float64       `json:"seconds"`
}

type backupFigures struct {
	Bytes   int64   `json:"bytes"` // of the instance
	Stored  int64   `json:"stored"`
	Seconds float64 `json:"seconds"`
}

func (a *app) demo(ctx context.Context, dir string, keep bool) error {
	began := time.Now()
	// The sample is not the instance that this shell may be set up for.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GTS_") {
			os.Unsetenv(name)
		}
	}
	d := &demo{app: a, dir: dir, quiet: &app{
		in: a.in, out: a.out, err: a.err, quiet: true, progress: "none",
		configFile: filepath.Join(dir, "holdfast.yaml"), state: filepath.Join(dir, "state"),
	}}
	a.say("A demonstration in %s\n", dir)
	result := demoResult{Dir: dir}
	if err := d.setUp(ctx); err != nil {
		return err
	}
	first, err := d.backup(ctx)
	if err != nil {
		return err
	}
	result.First = figures(first)
	a.say("3. The first holdfast backup stores %s as %s, in %s.", size(result.First.Bytes), size(result.First.Stored), took(first.took))
	second, err := d.night(ctx)
	if err != nil {
		return err
	}
	result.Night = figures(second)
	a.say("   Of %s it stores %s, %.0f %%: what is new, and nothing twice. It took %s.",
		size(result.Night.Bytes), size(result.Night.Stored), 100*float64(result.Night.Stored)/float64(result.Night.Bytes), took(second.took))
	if err := (&verifyVerb{data: "all"}).run(ctx, d.quiet); err != nil {
		return err
	}
	a.say("5. holdfast verify reads back all that is stored: nothing is damaged.")
	if err := d.restore(ctx, &result); err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	a.result = result
	a.say("\n✓ Every byte is back. That took %s.", took(time.Since(began)))
	if keep {
		a.say("  Look around in %s, or try:\n    holdfast -c %s --state %s list", dir, d.quiet.configFile, d.quiet.state)
	}
	return nil
}

// setUp makes the instance and the repository.
func (d *demo) setUp(ctx context.Context) (err error) {
	began := time.Now()
	if d.inst, err = sample.Make(filepath.Join(d.dir, "instance"), sample.Config{}); err != nil {
		return err
	}
	local, err := d.inst.LocalMedia()
	if err != nil {
		return err
	}
	database, err := os.Stat(d.inst.Database())
	if err != nil {
		return err
	}
	d.app.say("1. Here is a small instance, %s: a database of %s, %s of its own media,\n"+
		"   and some cached from elsewhere, which no backup needs. It was made up in %s.",
		d.inst.Domain(), size(database.Size()), count(int64(len(local)), "file"), took(time.Since(began)))
	v := initVerb{
		remote:   remoteConfig{URL: filepath.Join(d.dir, "storage")},
		instance: instanceConfig{GoToSocial: filepath.Join(d.inst.Dir, "config.yaml")},
		kit:      d.kit(),
	}
	if err := v.run(ctx, d.quiet); err != nil {
		return err
	}
	d.app.say("2. holdfast init makes the repository and a recovery kit. From here on the server\n" +
		"   can write backups, and not read them.")
	return nil
}

func (d *demo) kit() string { return filepath.Join(d.dir, "kit.txt") }

func (d *demo) backup(ctx context.Context) (*backupReport, error) {
	report, err := d.quiet.backup(ctx)
	if err != nil {
		return nil, err
	}
	return report, d.quiet.tellBackup(report)
}

func figures(r *backupReport) backupFigures {
	return backupFigures{newSnapshot(r.Record).bytes(), r.Record.Stored, r.took.Seconds()}
}

// night lets a day go by and backs up while the server holds the database.
func (d *demo) night(ctx context.Context) (report *backupReport, err error) {
	stop, err := d.inst.Start()
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, stop()) }()
	if err := d.inst.Night(1); err != nil {
		return nil, err
	}
	d.app.say("4. A day goes by: posts are written and deleted, pictures come and go.\n" +
		"   At night the second backup runs while the server has the database open.")
	return d.backup(ctx)
}

// restore rebuilds the instance from the storage and the kit, and compares.
func (d *demo) restore(ctx context.Context, result *demoResult) error {
	to := filepath.Join(d.dir, "restored")
	v := restoreVerb{to: to, verbatim: true, unlock: unlocking{file: d.kit()}}
	restored, err := v.run(ctx, d.quiet, "latest")
	if err != nil {
		return err
	}
	result.Restored, result.Bytes = restored.Files, restored.Bytes
	d.app.say("6. The server burns down. From the storage and the kit, holdfast restore brings back\n"+
		"   %s, %s, in %s.", count(restored.Files, "file"), size(restored.Bytes), took(time.Duration(restored.Seconds*1e9)))
	if result.Pages, err = samePages(d.inst.Database(), filepath.Join(to, "sqlite.db")); err != nil {
		return err
	}
	local, err := d.inst.LocalMedia()
	if err != nil {
		return err
	}
	if err := sameMedia(local, filepath.Join(to, "storage")); err != nil {
		return err
	}
	result.Media = len(local)
	config := filepath.Join(d.inst.Dir, "config.yaml")
	if _, err := samePages(config, filepath.Join(to, string(manifest.Files), config)); err != nil {
		return err
	}
	d.app.say("7. Compared with the original: %s of the database equal and sound, all %s equal,\n"+
		"   nothing missing, nothing more; the configuration is the same.",
		count(result.Pages, "page"), count(int64(result.Media), "media file"))
	return nil
}
