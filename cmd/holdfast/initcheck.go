package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remote"
	"holdfast/vault"
)

// check refuses what can be refused without looking at anything outside.
func (v *initVerb) check(a *app) error {
	if there := existing(a.setup()...); len(there) > 0 {
		return &problem{exit: exitRefused, err: errors.Unwrap(alreadyThere(there...)),
			fix: "if this host is set up, use it: holdfast backup; for another instance name other places by -c and --state; " + cutOff(there)}
	}
	if v.kit != "" {
		if err := vacant(v.kit); err != nil {
			return err
		}
	}
	if len(v.owners) > 0 && (v.kit != "" || v.keepIdentity) {
		return usage(errors.New("--kit and --keep-identity go with an identity that init makes, --owner with one that exists"), "leave out --owner, or the others")
	}
	if err := v.remote.AccessKey.check("--access-key"); err != nil {
		return usage(err, "")
	}
	if err := v.remote.SecretKey.check("--secret-key"); err != nil {
		return usage(err, "")
	}
	v.remote.AccessKey, v.remote.SecretKey = v.remote.AccessKey.absolute(), v.remote.SecretKey.absolute()
	v.instance.Paths = map[string]string{}
	for _, text := range v.paths {
		theirs, ours, _ := strings.Cut(text, "=")
		if !filepath.IsAbs(theirs) || ours == "" {
			return usage(fmt.Errorf("--path %q is no path of a container and where it is here", text), "write it as --path /gotosocial=/srv/gotosocial")
		}
		if err := absolute(&ours); err != nil {
			return err
		}
		v.instance.Paths[theirs] = ours
	}
	paths := []*string{&v.instance.GoToSocial, &v.instance.EnvFile, &v.instance.WorkingDir, &v.instance.Binary}
	if strings.Contains(v.instance.Unit, "/") {
		paths = append(paths, &v.instance.Unit)
	}
	for _, path := range paths {
		if err := absolute(path); err != nil {
			return err
		}
	}
	for i := range v.instance.Extra {
		if err := absolute(&v.instance.Extra[i]); err != nil {
			return err
		}
	}
	return nil
}

// cutOff says how to start over where init ended before the repository was made.
func cutOff(left []string) string {
	return fmt.Sprintf("if an init was cut off, and nothing was ever backed up from here: rm %s, and the kit that it wrote, then run it again", strings.Join(left, " "))
}

// canWrite refuses where the files of the host and the kit could not be written,
// before anything is made.
func (v *initVerb) canWrite(a *app) error {
	if len(v.owners) == 0 {
		dir := filepath.Dir(v.kit)
		if err := vacant(v.kit); err != nil {
			return err
		}
		if err := writable(dir); err != nil {
			return usage(fmt.Errorf("the recovery kit %s can't be written: %w", v.kit, err), "make that folder, or name a file in another by --kit")
		}
	}
	for _, need := range []struct{ what, path, flag string }{
		{"configuration", filepath.Dir(a.configFile), "-c FILE"},
		{"state", a.state, "--state DIR"},
	} {
		if err := creatable(need.path); err != nil {
			return &problem{exit: exitUnexpected, err: fmt.Errorf("the folder %s of Holdfast's %s can't be written: %w", need.path, need.what, err),
				fix: fmt.Sprintf("have root make it for this user (install -d -m 700 -o %d %s), or name another by %s", os.Geteuid(), need.path, need.flag)}
		}
	}
	return nil
}

func absolute(path *string) (err error) {
	if *path != "" {
		*path, err = filepath.Abs(*path)
	}
	return err
}

// find looks for the instance, where the command line doesn't name it.
func (v *initVerb) find(a *app) error {
	v.instance.root = a.root
	if v.instance.GoToSocial != "" || v.instance.Unit != "" || v.instance.EnvFile != "" {
		return nil
	}
	switch found := gotosocial.Find(a.root); {
	case len(found) == 1:
		v.instance.GoToSocial, v.instance.Unit = found[0].File, found[0].Unit
		a.say("✓ found        %s", found[0].How)
	case len(found) > 1:
		var places []string
		for _, f := range found {
			places = append(places, cmp.Or(f.Unit, f.File))
		}
		return usage(fmt.Errorf("there are several GoToSocial servers on this machine: %s", strings.Join(places, ", ")),
			"name the one to back up, by --unit UNIT or --gotosocial CONFIG")
	}
	return nil
}

// look opens the instance and one view of its database: the first checks. What it
// was told by is what the configuration will name.
func (v *initVerb) look(ctx context.Context, a *app) (domain string, facts manifest.Facts, err error) {
	if err := v.instance.checkBinary(); err != nil {
		return "", facts, err
	}
	i, err := v.instance.open(a)
	if err != nil {
		if v.instance.GoToSocial == "" && v.instance.Unit == "" && v.instance.EnvFile == "" {
			err = usage(fmt.Errorf("no systemd unit runs GoToSocial's server, no usual place holds its configuration: %w", err),
				"name its configuration file by --gotosocial, its unit by --unit, or its container's environment file by --env-file")
		}
		return "", facts, err
	}
	defer i.Close()
	if err := a.apart(i, v.remote.folder()); err != nil {
		return "", facts, err
	}
	v.instance.Unit = i.Config().Unit
	view, err := i.Begin(ctx)
	if err != nil {
		return "", facts, fmt.Errorf("%w: %w", vault.ErrSource, err)
	}
	return i.Domain(), view.Facts(), errors.Join(a.checkFiles(ctx, i), view.Close())
}

func (v *initVerb) create(ctx context.Context, a *app) (place, remote.Store, error) {
	at, err := a.configured(ctx, v.remote)
	if err != nil {
		return at, nil, err
	}
	if !at.pin.IsZero() {
		return at, nil, usage(errors.New("the URL carries a pin: that repository exists already"), "leave out the pin to make a new repository elsewhere")
	}
	store, err := remote.Create(ctx, at.url, at.cfg)
	if err != nil {
		return at, nil, badRemote(err)
	}
	return at, store, nil
}
