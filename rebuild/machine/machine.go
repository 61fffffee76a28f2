// Package machine knows a machine onto which an instance comes back: the plan, without
// changes, and the steps that put database, media and files in their places.
package machine

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/disk"
	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/manifest"
)

// Machine is the target of a rebuild. Its methods put the parts of a restored folder,
// with the layout of [Directory], in the places of a configuration. Each method moves the
// files still in the folder, so that an interrupted method can be repeated.
type Machine struct {
	Config   *gotosocial.Config // where everything belongs
	Facts    manifest.Facts
	Domain   string
	Snapshot string          // the short name of the snapshot
	RunID    string          // unique; a continued run keeps the ID
	Folder   string          // the restored folder
	Files    []manifest.File // of the files part, as the listing has them
	Parts    []manifest.Part // to restore; none: all
	User     string          // "USER:GROUP" of the server; "" leaves all files to the current user
	Replace  bool            // rename obstacles aside
	Verbatim bool            // leave the database as it was
	// ConfigGiven reports that a person gave Config in place of the snapshot's.
	ConfigGiven bool
	// Replaced is the place of the snapshot's configuration, if ConfigGiven; else "".
	Replaced string
	Web      []gotosocial.WebFolder // of the snapshot's configuration and of Config
	Bucket   media.Client           // of the media, if Config has storage-backend s3
	Moved    []MovedFolder
	Unread   error // why Holdfast's configuration in the snapshot is unusable, or nil
}

// Has reports whether the restore includes a part.
func (m *Machine) Has(part manifest.Part) bool {
	return len(m.Parts) == 0 || slices.Contains(m.Parts, part)
}

// PartNames names the chosen parts in their order, or is "" for all parts.
func (m *Machine) PartNames() string {
	var names []string
	for _, part := range manifest.Parts {
		if len(m.Parts) > 0 && m.Has(part) {
			names = append(names, string(part))
		}
	}
	return strings.Join(names, ",")
}

// mover moves restored files to their places.
func (m *Machine) mover() (*disk.Mover, error) {
	database, err := m.database()
	if err != nil {
		return nil, err
	}
	return &disk.Mover{
		Run: m.RunID, User: m.User, Replace: m.Replace,
		Own:      []string{database.Destination().Folder},
		OwnTrees: []string{m.media().Destination().Folder, m.certificates()},
		Folders:  m.folders(database.Destination().Folder),
	}, nil
}

// certificates is the folder of the server's own certificates, or "".
func (m *Machine) certificates() string {
	return m.Config.Absolute(m.Config.Get("letsencrypt-cert-dir"))
}

// folders describes the folders of the files part and of the database. A folder without a
// line in the snapshot is as private as its files: no restore opens what was closed. The
// database is closed to other users.
func (m *Machine) folders(database string) map[string]disk.Folder {
	folders := map[string]disk.Folder{}
	add := func(dir string, mode fs.FileMode, user string) {
		for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			folders[dir] = folders[dir].With(mode, user)
		}
	}
	for _, f := range m.Files {
		if f.HasContents() && !f.Missing {
			add(filepath.Dir(m.pathOf(f)), disk.FolderMode(fs.FileMode(f.Mode)), f.User)
		}
	}
	if database != "" {
		add(database, disk.FolderMode(closedDatabase), m.User)
		if media := m.media().Destination().Folder; media != "" {
			add(filepath.Dir(media), 0o755, m.User) // a web server may read public media itself
		}
	}
	for _, f := range m.Files {
		if f.Folder {
			folders[m.pathOf(f)] = disk.Folder{Mode: fs.FileMode(f.Mode), User: f.User, Known: true}
		}
	}
	return folders
}

// closedDatabase is the mode of a database of SQLite.
const closedDatabase fs.FileMode = 0o640

func (m *Machine) database() (instance.DatabaseTarget, error) {
	return instance.OpenDatabaseTarget(m.Config)
}

func (m *Machine) media() instance.MediaTarget {
	return instance.OpenMediaTarget(m.Config, m.Bucket)
}

// DatabaseName tells the database's place from all others, or is "" if the
// configuration names no database.
func (m *Machine) DatabaseName() string {
	database, err := m.database()
	if err != nil {
		return ""
	}
	return database.Destination().Name
}

// MediaName tells the place of the media from all others.
func (m *Machine) MediaName() string { return m.media().Destination().Name }

// PutDatabase puts the database in its place, if no server of the instance runs.
func (m *Machine) PutDatabase(ctx context.Context) (notes []string, err error) {
	if !m.Has(manifest.Database) {
		return nil, nil
	}
	if err := m.checkStopped(ctx); err != nil {
		return nil, err
	}
	mover, err := m.mover()
	if err != nil {
		return nil, err
	}
	target, err := m.database()
	if err != nil {
		return nil, err
	}
	notes, err = target.Put(ctx, m.Folder, mover)
	return notes, explainInTheWay(err)
}

// PutMedia puts the media in their folder or bucket.
func (m *Machine) PutMedia(ctx context.Context) (notes []string, err error) {
	if !m.Has(manifest.Media) {
		return nil, nil
	}
	mover, err := m.mover()
	if err != nil {
		return nil, err
	}
	notes, err = m.media().Put(ctx, m.Folder, mover)
	return notes, explainInTheWay(err)
}
