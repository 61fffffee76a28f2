package agent

import (
	"context"
	"fmt"
	"io"
	"time"

	"holdfast/disk"
	"holdfast/instance"
	"holdfast/instance/export"
	"holdfast/remedy"
	"holdfast/vault"
)

// ExportConfig is the origin and the target of an export.
type ExportConfig struct {
	Snapshot *vault.Snapshot // default: the live database
	File     string          // a new file; default: Out
	Out      io.Writer       // gets the export if File is empty
	Observer
}

// Export writes the identity of the instance. Export collects everything before the
// first byte reaches the target. Thus a slow reader can't prolong the database's
// transaction, and a failed export leaves no partial file.
func (h Home) Export(ctx context.Context, cfg ExportConfig) (done export.Result, err error) {
	began := time.Now()
	defer func() {
		logEnd(ctx, "export ended", err, "accounts", done.Accounts, "entries", done.Entries, "left_out",
			len(done.LeftOut), "duration", time.Since(began))
	}()
	whole, err := disk.Scratch(ScratchFolder(cfg.File))
	if err != nil {
		return done, err
	}
	defer whole.Close()
	if cfg.Snapshot == nil {
		done, err = h.exportLive(ctx, cfg.Observer, whole)
	} else {
		done, err = exportSnapshot(ctx, cfg, whole)
	}
	if err != nil {
		return done, err
	}
	if _, err := whole.Seek(0, io.SeekStart); err != nil {
		return done, err
	}
	if cfg.File != "" {
		return done, WriteNew(cfg.File, whole)
	}
	if _, err := io.Copy(cfg.Out, whole); err != nil {
		return done, &remedy.Error{What: "write export", Err: err, Effect: "the output may end in the middle"}
	}
	return done, nil
}

func (h Home) exportLive(ctx context.Context, o Observer, w io.Writer) (done export.Result, err error) {
	c, err := h.Config()
	if err != nil {
		return done, err
	}
	settings, err := c.reading(ctx, o)
	if err != nil {
		return done, err
	}
	tables, err := instance.OpenTables(ctx, settings)
	if err != nil {
		return done, err
	}
	defer tables.Close()
	return export.Write(ctx, tables, w)
}

func exportSnapshot(ctx context.Context, cfg ExportConfig, w io.Writer) (done export.Result, err error) {
	paths, err := export.Paths(cfg.Snapshot.Files(ctx))
	if err != nil {
		return done, fmt.Errorf("snapshot %s: %w", cfg.Snapshot.Record.ID(), err)
	}
	restore := vault.RestoreConfig{Paths: paths, Progress: cfg.Progress}
	err = cfg.Snapshot.Lend(ctx, export.Bare{}, restore, func(dir string) error {
		done, err = export.WriteSnapshot(ctx, dir, w)
		return err
	})
	return done, err
}
