package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/agent"
	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/vault"
)

// check refuses mistakes of the command line.
func (v *setup) check(a *app) error {
	if left := a.home.SetupFiles(); len(left) > 0 {
		problem := explain(context.Background(), agent.CheckNew(left...))
		problem.Fix = "if this host is set up, run holdfast backup; " +
			"for another instance, name other files by -c and --state; " + agent.StartOver(left)
		return problem
	}
	if v.kit != "" {
		if err := agent.CheckNew(v.kit); err != nil {
			return err
		}
	}
	if len(v.owners) > 0 && (v.kit != "" || v.keepIdentity) {
		return usage(errors.New("--owner names an identity that exists; "+
			"--kit and --keep-identity are for an identity that init makes"),
			"leave out --owner, or the others")
	}
	secrets := map[string]*agent.Secret{"--access-key": &v.remote().AccessKey, "--secret-key": &v.remote().SecretKey}
	for flag, s := range secrets {
		if err := s.Check(flag); err != nil {
			return usage(err, "")
		}
		*s = s.Absolute()
	}
	return v.resolvePaths()
}

// resolvePaths makes the paths of the configuration absolute.
func (v *setup) resolvePaths() error {
	i := &v.config.Instance
	i.Paths = map[string]string{}
	for _, text := range v.paths {
		theirs, ours, _ := strings.Cut(text, "=")
		if !filepath.IsAbs(theirs) || ours == "" {
			return usage(fmt.Errorf("--path: %q does not name a container's path and its path on this machine", text),
				"write it as --path /gotosocial=/srv/gotosocial")
		}
		if err := makeAbsolute(&ours); err != nil {
			return err
		}
		i.Paths[theirs] = ours
	}
	paths := []*string{&i.GoToSocial, &i.EnvFile, &i.WorkingDir, &i.Binary}
	if strings.Contains(i.Unit, "/") {
		paths = append(paths, &i.Unit)
	}
	for n := range i.Extra {
		paths = append(paths, &i.Extra[n])
	}
	return makeAbsolute(paths...)
}

// checkWritable refuses unwritable folders for the files of the host and the kit. So
// far, init has made nothing.
func (v *setup) checkWritable(a *app) error {
	if len(v.owners) == 0 {
		if err := agent.CheckNew(v.kit); err != nil {
			return err
		}
		if err := disk.CheckWritable(filepath.Dir(v.kit)); err != nil {
			return usage(fmt.Errorf("the recovery kit %s can't be written: %w", v.kit, err),
				"make that folder, or name by --kit a file in another folder")
		}
	}
	for _, need := range []struct{ what, path, flag string }{
		{"configuration", filepath.Dir(a.home.ConfigFile), "-c FILE"},
		{"state", a.home.State, "--state DIR"},
	} {
		if err := disk.CheckCreatable(need.path); err != nil {
			return &remedy.Error{Err: err,
				What: fmt.Sprintf("the folder %s of Holdfast's %s can't be written", need.path, need.what),
				Fix: fmt.Sprintf("as root, make the folder for this user (install -d -m 700 -o %d %s); "+
					"or name another folder by %s",
					os.Geteuid(), need.path, need.flag)}
		}
	}
	return nil
}

// namesInstance reports whether the command line locates the instance.
func (v *setup) namesInstance() bool {
	i := v.config.Instance
	return i.GoToSocial != "" || i.Unit != "" || i.EnvFile != ""
}

// findInstance looks for an instance that the command line does not locate.
func (v *setup) findInstance(a *app) error {
	v.config.Root = a.home.Root
	if v.namesInstance() {
		return nil
	}
	switch found := gotosocial.Find(a.home.Root); {
	case len(found) == 1:
		v.config.Instance.GoToSocial, v.config.Instance.Unit = found[0].File, found[0].Unit
		a.term.Say("✓ found        %s", found[0].How)
	case len(found) > 1:
		var names []string
		for _, f := range found {
			names = append(names, cmp.Or(f.Unit, f.File))
		}
		return usage(fmt.Errorf("this machine has several GoToSocial servers: %s", strings.Join(names, ", ")),
			"name the server to back up by --unit UNIT or --gotosocial CONFIG")
	}
	return nil
}

// inspect opens the instance and a view of the database, as first checks. The unit of
// the instance goes into the configuration.
func (v *setup) inspect(ctx context.Context, a *app) (domain string, facts manifest.Facts, err error) {
	if err := v.config.CheckBinary(); err != nil {
		return "", facts, err
	}
	i, err := v.config.OpenInstance(a.observer(nil))
	if err != nil {
		if !v.namesInstance() {
			err = usage(fmt.Errorf("no systemd unit runs GoToSocial's server, "+
				"and init found no configuration file: %w", err),
				"name its configuration file by --gotosocial, its unit by --unit, "+
					"or its container's environment file by --env-file")
		}
		return "", facts, err
	}
	defer i.Close()
	if err := v.config.CheckOutside(i, a.home.State); err != nil {
		return "", facts, err
	}
	v.config.Instance.Unit = i.Config().Unit
	view, err := i.Begin(ctx)
	if err != nil {
		return "", facts, fmt.Errorf("%w: %w", vault.ErrSource, err)
	}
	return i.Domain(), view.Facts(), errors.Join(checkFiles(ctx, a.term, i), view.Close())
}

// create makes the remote.
func (v *setup) create(ctx context.Context, a *app) (agent.Location, remote.Store, error) {
	l, err := v.config.Locate(ctx, *v.remote(), a.observer(nil))
	if err != nil {
		return l, nil, err
	}
	if !l.Pin.IsZero() {
		return l, nil, usage(errors.New("the URL has a pin (#hf1…), the ID of an existing repository"),
			"name a new folder or prefix, without a pin")
	}
	store, err := remote.Create(ctx, l.URL, l.Remote)
	if err != nil {
		return l, nil, agent.RemoteError(err)
	}
	return l, store, nil
}
