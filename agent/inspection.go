package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/vault"
)

// Inspection describes the instance before a backup.
type Inspection struct {
	Domain  string // "" if the configuration can't be read
	Facts   manifest.Facts
	Unsaved []UnsavedFile // of the files part
	LeftOut []string      // why each file was left out on purpose

	config *gotosocial.Config // nil if the configuration can't be read
}

// UnsavedFile is a file that a backup could not save.
type UnsavedFile struct {
	Path string // absolute; may hold any byte but NUL
	Err  error
}

// inspect opens the instance and a view of the database, and lists the files. After an
// error the inspection has what was found before. own are files and folders of Holdfast.
func (c *Config) inspect(ctx context.Context, own []string, o Observer) (*Inspection, error) {
	found := new(Inspection)
	if err := c.CheckBinary(); err != nil {
		return found, err
	}
	i, err := c.OpenInstance(ctx, o)
	if err != nil {
		return found, err
	}
	defer i.Close()
	found.Domain, found.config = i.Domain(), i.Config()
	if err := c.CheckOutside(i, own...); err != nil {
		return found, err
	}
	if err := i.MediaProblem(); err != nil {
		return found, err
	}
	c.warnOfFolderRemotes(i.Config(), o)
	warnOfFilesInStorage(i.Config(), own, o)
	view, err := i.Begin(ctx)
	if err != nil {
		return found, fmt.Errorf("%w: %w", vault.ErrSource, err)
	}
	err = errors.Join(found.listFiles(ctx, i), view.Close())
	found.Facts, _ = view.Facts(ctx)
	if err != nil {
		return found, err
	}
	if found.Facts.GoToSocial == "" {
		_, err := i.AskVersion(ctx)
		o.warn("snapshots will not record the version of GoToSocial: %v", err)
	}
	return found, nil
}

// listFiles lists the files part. A missing path of the configuration is an error.
func (found *Inspection) listFiles(ctx context.Context, i *instance.Instance) error {
	for f, err := range i.Files(ctx) {
		switch {
		case err == nil:
		case f.Path == "", errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %w", vault.ErrSource, err)
		case errors.Is(err, errors.ErrUnsupported):
			found.LeftOut = append(found.LeftOut, err.Error())
		default:
			found.Unsaved = append(found.Unsaved, UnsavedFile{"/" + f.Path, err})
		}
	}
	return nil
}

// describe sums up the instance for a person.
func (found *Inspection) describe() string {
	if found.config == nil {
		return ""
	}
	text := fmt.Sprintf("%s: %s", found.Domain, Describe(found.Facts))
	if bucket := found.config.Bucket(); bucket != "" {
		text += ", media in bucket " + bucket
	}
	return text
}

// Describe sums up an instance: "sqlite, GoToSocial 0.20.1, 3 local accounts".
func Describe(f manifest.Facts) string {
	text := f.Engine
	if f.GoToSocial != "" {
		text += ", GoToSocial " + f.GoToSocial
	}
	if f.Accounts > 0 {
		text += ", " + units.Count(f.Accounts, "local account")
	}
	if f.Statuses > 0 {
		text += ", " + units.Count(f.Statuses, "local post")
	}
	return text
}
