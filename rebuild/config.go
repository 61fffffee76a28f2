package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// maxConfigSize bounds the size of a configuration file. GoToSocial's own example has
// 50 KiB.
const maxConfigSize = 1 << 20

// newMachine finds out where everything belongs, from GoToSocial's configuration.
func newMachine(ctx context.Context, snap *vault.Snapshot, o Options) (*Machine, error) {
	rec := snap.Record
	m := &Machine{
		Facts: rec.Facts.Plausible(), Domain: rec.Instance, Snapshot: rec.ID(), Parts: o.Parts, Replace: o.Replace,
		Verbatim:    o.Verbatim,
		ConfigGiven: o.GoToSocial != "",
	}
	for f, err := range snap.Files(ctx) {
		if err != nil {
			return nil, err
		}
		if f.Part == manifest.Files {
			f.Extents = nil
			m.Files = append(m.Files, f)
		}
	}
	restored, err := readRestoredConfig(ctx, snap, m.Files)
	if m.Config, err = chooseConfig(restored, err, o.GoToSocial); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	m.Web = m.Config.WebFolders()
	if restored != nil && o.GoToSocial != "" {
		m.Web = append(m.Web, restored.WebFolders()...)
	}
	m.User = cmp.Or(o.User, rec.Facts.User, m.Config.ServiceUser())
	if m.Config.Domain() != rec.Instance {
		return nil, &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("the snapshot is of %s, the configuration of %s", rec.Instance, m.Config.Domain()),
			Fix:  "give the configuration of that instance by --gotosocial"}
	}
	m.Bucket, err = media.OpenClient(m.Config, "", 0)
	return m, err
}

// chooseConfig reads the given configuration file, or returns the configuration in the
// snapshot. A given file says nothing about the server: user, program and working directory
// come from the snapshot, if the snapshot's configuration can be read. If not, a relative
// path has no place.
func chooseConfig(restored *gotosocial.Config, unreadable error, given string) (*gotosocial.Config, error) {
	if given == "" {
		return restored, unreadable
	}
	c, err := gotosocial.Load(given, nil)
	if err != nil {
		return nil, err
	}
	if unreadable == nil {
		c.AdoptServer(restored)
	} else if key := c.RelativePlace(); key != "" {
		return nil, &remedy.Error{Kind: remedy.Refused, Effect: nothing,
			What: fmt.Sprintf("%s in %s is relative, and the snapshot does not say where the server starts", key,
				given),
			Err: unreadable, Fix: "write an absolute path in " + given}
	}
	return c, nil
}

// readRestoredConfig reads the configuration in the snapshot.
func readRestoredConfig(
	ctx context.Context, snap *vault.Snapshot, files []manifest.File,
) (c *gotosocial.Config, err error) {
	var paths []string
	for _, f := range files {
		if !f.Missing && !f.Folder && f.Size <= maxConfigSize {
			paths = append(paths, string(f.Part)+"/"+f.Path)
		}
	}
	unusable := func(err error) error {
		return &remedy.Error{Kind: remedy.Setting, Err: err,
			Fix: "give GoToSocial's configuration by --gotosocial; holdfast ls and cat get files of the snapshot"}
	}
	if len(paths) == 0 {
		return nil, unusable(errors.New("the snapshot has no configuration of GoToSocial"))
	}
	err = snap.Lend(ctx, &Directory{Path: "/"}, vault.RestoreConfig{Paths: paths}, func(dir string) (err error) {
		if c, err = gotosocial.LoadRestored(os.DirFS(dir), snap.Record.Instance); err != nil {
			return unusable(err)
		}
		return nil
	})
	return c, err
}
