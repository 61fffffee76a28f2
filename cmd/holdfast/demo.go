package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/instance/sample"
	"holdfast/internal/units"
	"holdfast/manifest"
)

// demo tells the whole life of a small instance, by the real commands.
type demo struct {
	term     *terminal.Terminal // shows the story
	commands *app               // runs the commands, silently
	dir      string
	instance *sample.Instance
}

func demoCommand(a *app) *cobra.Command {
	var dir string
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a sample instance, back it up, restore it, and compare every byte",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			made, err := makeDemoFolder(dir)
			if err != nil {
				return err
			}
			if !keep {
				defer os.RemoveAll(made)
			}
			d := newDemo(a.term, made)
			if err := d.run(cmd.Context()); err != nil {
				return err
			}
			if keep {
				a.term.Say("  Look around in %s, or try:\n    holdfast -c %s --state %s list", made,
					d.commands.home.ConfigFile, d.commands.home.State)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "work in the new folder `DIR` (default: a temporary folder)")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder, to look around")
	return cmd
}

// makeDemoFolder makes the folder dir, or a temporary folder if dir is "", and returns
// the absolute path.
func makeDemoFolder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "holdfast-demo-*")
	}
	if err := makeAbsolute(&dir); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", usage(err, "name a folder that does not exist yet")
	}
	return dir, nil
}

func newDemo(t *terminal.Terminal, dir string) *demo {
	silent := terminal.New(t.In, t.Out, t.Err)
	silent.Quiet, silent.Progress = true, "none"
	home := agent.Home{ConfigFile: filepath.Join(dir, "holdfast.yaml"), State: filepath.Join(dir, "state")}
	return &demo{term: t, dir: dir, commands: &app{term: silent, home: home}}
}

// demoResult has the figures of the story, for --json.
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

// run tells the story.
func (d *demo) run(ctx context.Context) error {
	began := time.Now()
	// The shell may hold settings of a real instance.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GTS_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	d.term.Say("A demonstration in %s\n", d.dir)
	result := demoResult{Dir: d.dir}
	if err := d.setUp(ctx); err != nil {
		return err
	}
	var err error
	if result.First, err = d.backUp(ctx); err != nil {
		return err
	}
	d.term.Say("3. The first holdfast backup stores %s as %s, in %s.",
		units.Size(result.First.Bytes), units.Size(result.First.Stored), seconds(result.First.Seconds))
	if result.Night, err = d.night(ctx); err != nil {
		return err
	}
	d.term.Say("   Of %s this backup stores only the new data: %s, %.0f %%, in %s.",
		units.Size(result.Night.Bytes), units.Size(result.Night.Stored),
		100*float64(result.Night.Stored)/float64(result.Night.Bytes), seconds(result.Night.Seconds))
	if err := verify(ctx, d.commands, verifyFlags{data: "all"}); err != nil {
		return err
	}
	d.term.Say("5. holdfast verify reads back everything that is stored: nothing is damaged.")
	if err := d.restore(ctx, &result); err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	d.term.Result = result
	d.term.Say("\n✓ Every byte is back. The demo took %s.", units.Duration(time.Since(began)))
	return nil
}

func seconds(n float64) string { return units.Duration(time.Duration(n * float64(time.Second))) }

// setUp makes the instance and the repository.
func (d *demo) setUp(ctx context.Context) (err error) {
	began := time.Now()
	if d.instance, err = sample.Make(filepath.Join(d.dir, "instance"), sample.Config{}); err != nil {
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
	d.term.Say("1. Here is a small instance, %s: a database of %s, %s of its own media,\n"+
		"   and cached media of others, which no backup needs. It was made up in %s.",
		d.instance.Domain(), units.Size(database.Size()), units.Count(len(local), "file"),
		units.Duration(time.Since(began)))
	v := setup{kit: d.kit(), config: agent.Config{
		Remotes:  []agent.RemoteConfig{{URL: filepath.Join(d.dir, "storage")}},
		Instance: agent.InstanceConfig{GoToSocial: filepath.Join(d.instance.Dir, "config.yaml")},
	}}
	if err := v.run(ctx, d.commands); err != nil {
		return err
	}
	d.term.Say("2. holdfast init makes the repository and a recovery kit. From now on the server\n" +
		"   can write backups, but not read them.")
	return nil
}

func (d *demo) kit() string { return filepath.Join(d.dir, "kit.txt") }

// backUp makes a backup.
func (d *demo) backUp(ctx context.Context) (backupFigures, error) {
	report, err := backUp(ctx, d.commands)
	if err != nil {
		return backupFigures{}, err
	}
	rec := report.Saved.Record
	figures := backupFigures{newSnapshot(rec).bytes(), rec.Stored, report.Duration.Seconds()}
	return figures, printBackup(d.commands.term, report)
}

// night ages the instance by a day, and backs up while the server has the database
// open.
func (d *demo) night(ctx context.Context) (figures backupFigures, err error) {
	stop, err := d.instance.Start()
	if err != nil {
		return figures, err
	}
	defer func() { err = cmp.Or(err, stop()) }()
	if err := d.instance.Night(1); err != nil {
		return figures, err
	}
	d.term.Say("4. A day goes by: people write and delete posts, pictures come and go.\n" +
		"   At night the second backup runs while the server has the database open.")
	return d.backUp(ctx)
}

// restore rebuilds the instance from the storage and the kit, and compares.
func (d *demo) restore(ctx context.Context, result *demoResult) error {
	to := filepath.Join(d.dir, "restored")
	v := restoreFlags{to: to, verbatim: true, unlock: unlocking{file: d.kit()}}
	restored, err := v.run(ctx, d.commands, "latest")
	if err != nil {
		return err
	}
	result.Restored, result.Bytes = restored.Files, restored.Bytes
	d.term.Say("6. The server burns down. From the storage and the kit, holdfast restore brings back\n"+
		"   %s, %s, in %s.", units.Count(restored.Files, "file"), units.Size(restored.Bytes), seconds(restored.Seconds))
	if result.Pages, err = samePages(d.instance.Database(), filepath.Join(to, "sqlite.db")); err != nil {
		return err
	}
	local, err := d.instance.LocalMedia()
	if err != nil {
		return err
	}
	if err := sameMedia(local, filepath.Join(to, "storage")); err != nil {
		return err
	}
	result.Media = len(local)
	config := filepath.Join(d.instance.Dir, "config.yaml")
	if _, err := samePages(config, filepath.Join(to, string(manifest.Files), config)); err != nil {
		return err
	}
	d.term.Say("7. Compared with the original: %s of the database equal, %s equal,\n"+
		"   nothing missing, nothing added; the configuration is the same.",
		units.Count(result.Pages, "page"), units.Count(result.Media, "media file"))
	return nil
}
