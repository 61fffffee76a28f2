package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/instance/systemd"
	"holdfast/manifest"
	"holdfast/rebuild/restored"
	"holdfast/remedy"
	"holdfast/vault"
)

// Options are a person's choices for a machine.
type Options struct {
	Parts      []manifest.Part // the parts to restore; default: all
	GoToSocial string          // GoToSocial's configuration file; default: the one in the snapshot
	User       string          // "USER:GROUP" of the server; default: the recorded user
	// Paths are folders of the container, and their places on this machine; default: as the
	// backup took them.
	Paths       map[string]string
	ParseServer restored.ServerParser // reads Holdfast's configuration in the snapshot
	Verbatim    bool                  // leave the database as it was
	Replace     bool                  // rename obstacles aside
}

// Open finds out where everything belongs, from GoToSocial's configuration. Open changes
// nothing.
func Open(ctx context.Context, snap *vault.Snapshot, o Options) (*Machine, error) {
	rec := snap.Record
	m := &Machine{
		Facts: rec.Facts.Plausible(), Domain: rec.Instance, Snapshot: rec.ID(), Parts: o.Parts, Replace: o.Replace,
		Verbatim: o.Verbatim, ConfigGiven: o.GoToSocial != "",
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
	saved, err := readSaved(ctx, snap, m.Files, o)
	if err != nil {
		return nil, err
	}
	if m.Config, err = saved.choose(o); err != nil {
		return nil, err
	}
	m.Unread = saved.unread
	m.mapPaths(o.Paths)
	m.Web = m.Config.WebFolders()
	if saved.config != nil && m.ConfigGiven {
		m.Replaced = m.movedPath(saved.config.File)
		m.Web = append(m.Web, saved.config.WebFolders()...)
	}
	m.User = cmp.Or(o.User, rec.Facts.User, m.Config.ServiceUser())
	if err := m.checkDomains(); err != nil {
		return nil, err
	}
	m.Bucket, err = media.OpenClient(m.Config, "", 0)
	return m, err
}

// checkDomains refuses a configuration of another instance, or with other names of the
// accounts: other servers would take each account for a new one.
func (m *Machine) checkDomains() error {
	host, accounts := m.Config.Domain(), m.Config.AccountDomain()
	switch {
	case host != m.Domain:
		return &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("the snapshot is of %s, the configuration of %s", m.Domain, host),
			Fix:  "give the configuration of that instance by --gotosocial"}
	case m.Facts.AccountDomain != "" && accounts != m.Facts.AccountDomain:
		return &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("the accounts of the snapshot are of %s, and those of the configuration of %s",
				m.Facts.AccountDomain, accounts),
			Effect: "other servers would take each account for a new one",
			Fix: fmt.Sprintf("write account-domain: %q in GoToSocial's configuration, and give the configuration by "+
				"--gotosocial", m.Facts.AccountDomain)}
	}
	return nil
}

// saved is what the snapshot says about GoToSocial and its server.
type saved struct {
	config *gotosocial.Config
	err    error             // why the configuration is unusable, or nil
	server gotosocial.Server // from Holdfast's configuration; zero if unknown
	unread error             // why Holdfast's configuration is unusable, or nil
}

// readSaved reads the small files of the snapshot.
func readSaved(ctx context.Context, snap *vault.Snapshot, files []manifest.File, o Options) (*saved, error) {
	s := new(saved)
	if !slices.ContainsFunc(files, func(f manifest.File) bool { return mayHoldSettings(&f) }) {
		s.err = errors.New("the snapshot has no configuration of GoToSocial")
		return s, nil
	}
	own := ""
	own, s.unread = ownConfiguration(files)
	small := vault.RestoreConfig{Parts: []manifest.Part{manifest.Files}, Which: mayHoldSettings}
	err := snap.Lend(ctx, &restored.Folder{Path: "/"}, small, func(dir string) error {
		folder := os.DirFS(dir)
		if own != "" {
			s.server, s.unread = restored.Server(folder, own, o.ParseServer)
		}
		s.config, s.err = gotosocial.LoadRestored(folder, snap.Record.Instance, s.server)
		return nil
	})
	if err != nil && o.GoToSocial != "" && ctx.Err() == nil {
		s.err, err = err, nil // the given file takes the place of the damaged one
	}
	return s, err
}

// mayHoldSettings reports whether a file is small enough for settings, or a link.
func mayHoldSettings(f *manifest.File) bool {
	return !f.Missing && !f.Folder && f.Size <= systemd.MaxSettings
}

// ownConfiguration returns the true path of Holdfast's configuration in the snapshot, or
// "". unread tells why the snapshot has no usable copy of the configuration, or is nil.
func ownConfiguration(files []manifest.File) (path string, unread error) {
	for _, f := range files {
		switch {
		case f.Holdfast && f.Missing:
			unread = fmt.Errorf("the snapshot lacks /%s, Holdfast's configuration", f.Path)
		case f.Holdfast && !mayHoldSettings(&f):
			unread = fmt.Errorf("/%s, Holdfast's configuration, is larger than %d bytes", f.Path, systemd.MaxSettings)
		case f.Holdfast:
			path = f.TruePath()
		}
	}
	return path, unread
}

// choose returns the given configuration, or the configuration in the snapshot. A given
// file says nothing about the server: user, program, working directory and the
// container's folders come from the snapshot. If the snapshot does not have them, a
// relative path has no place.
func (s *saved) choose(o Options) (*gotosocial.Config, error) {
	if o.GoToSocial == "" {
		if s.err != nil {
			return nil, &remedy.Error{Kind: remedy.Setting, Err: s.err,
				Fix: "give GoToSocial's configuration by --gotosocial; holdfast ls and cat get files of the snapshot"}
		}
		return s.config, nil
	}
	c, err := gotosocial.Load(o.GoToSocial, nil)
	if err != nil {
		return nil, err
	}
	if s.err == nil {
		c.AdoptServer(s.config)
		return c, nil
	}
	c.MapPaths(s.server.Paths)
	key := c.RelativePlace()
	switch {
	case s.server.WorkingDir != "":
		c.WorkingDir = s.server.WorkingDir
	case key != "":
		return nil, &remedy.Error{Kind: remedy.Refused, Effect: "nothing was changed",
			What: fmt.Sprintf("%s in %s is relative, and the snapshot does not say where the server starts", key,
				o.GoToSocial),
			Err: s.err, Fix: "write an absolute path in " + o.GoToSocial}
	}
	return c, nil
}

// mapPaths takes the places of the container's folders on this machine.
func (m *Machine) mapPaths(paths map[string]string) {
	if len(paths) == 0 {
		return
	}
	for _, theirs := range slices.Sorted(maps.Keys(paths)) {
		moved := MovedFolder{filepath.Clean(theirs), m.Config.LocalPath(theirs), filepath.Clean(paths[theirs])}
		if moved.Old != moved.New {
			m.Moved = append(m.Moved, moved)
		}
	}
	m.Config.MapPaths(paths)
	m.Config.Container = m.Config.Container || m.Config.Binary == ""
	if !m.ConfigGiven {
		m.Config.File = m.movedPath(m.Config.File)
	}
}
