package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/agent/location"
	"holdfast/agent/userfolder"
	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/seal"
	"holdfast/vault"
)

// SetUpConfig says how to set up a host.
type SetUpConfig struct {
	Config       Config // with one remote, and absolute paths; the instance may be absent: then SetUp finds it
	KitFile      string // default: holdfast-kit-DOMAIN.txt; the name must be free
	WithoutKit   bool   // the owners have identities
	KeepIdentity bool   // leave the kit's identity on this host too
	Version      string // of Holdfast, for the record
	Observer
}

// SetUp is the set-up of a host, in stages: [Home.SetUp] inspects the instance,
// [SetUp.CreateRemote] makes the remote, and [SetUp.Publish] makes the repository. Each
// stage may fail; until Publish, a failed set-up leaves nothing that a repeated set-up
// does not accept.
type SetUp struct {
	How      string // tells a person how the instance was found; "" if the configuration names the instance
	Instance *Inspection

	home     Home
	cfg      SetUpConfig
	unlock   func() error
	location location.Location
	store    remote.Store
}

// SetUp checks that the files of the host are free, finds and inspects the instance,
// and takes the lock. The caller closes the set-up.
func (h Home) SetUp(ctx context.Context, cfg SetUpConfig) (*SetUp, error) {
	s := &SetUp{home: h, cfg: cfg}
	if err := s.checkNew(); err != nil {
		return nil, err
	}
	if err := s.find(); err != nil {
		return nil, err
	}
	if err := s.inspect(ctx); err != nil {
		return nil, err
	}
	var err error
	s.cfg.KitFile, err = filepath.Abs(cmp.Or(s.cfg.KitFile, "holdfast-kit-"+s.Instance.Domain+".txt"))
	if err != nil {
		return nil, err
	}
	if err := s.checkWritable(); err != nil {
		return nil, err
	}
	s.unlock, err = h.Lock("init")
	return s, err
}

// Close releases the lock.
func (s *SetUp) Close() error {
	if s.store != nil {
		s.store.Close()
	}
	return s.unlock()
}

// checkNew refuses a host that is set up already.
func (s *SetUp) checkNew() error {
	if left := s.home.SetupFiles(); len(left) > 0 {
		there := refuseExisting(left...)
		there.Fix = "if this host is set up, run holdfast backup; " +
			"for another instance, name other files by -c and --state; " + StartOver(left)
		return there
	}
	if s.cfg.KitFile != "" {
		return s.checkNewKit()
	}
	return nil
}

// checkNewKit refuses an existing file in the place of the kit. After a restore, the old
// kit often lies in the current folder.
func (s *SetUp) checkNewKit() error {
	if len(existing(s.cfg.KitFile)) == 0 {
		return nil
	}
	there := refuseExisting(s.cfg.KitFile)
	there.Fix = "name another file by --kit FILE, or move the existing file away first"
	return there
}

// find looks for an instance that the configuration does not name.
func (s *SetUp) find() error {
	s.cfg.Config.Root = s.home.Root
	if s.cfg.Config.Instance.isNamed() {
		return nil
	}
	switch found := gotosocial.Find(s.home.Root); {
	case len(found) == 1:
		s.cfg.Config.Instance.GoToSocial, s.cfg.Config.Instance.Unit = found[0].File, found[0].Unit
		s.How = found[0].How
	case len(found) > 1:
		var names []string
		for _, f := range found {
			names = append(names, cmp.Or(f.Unit, f.File))
		}
		return &remedy.Error{Kind: remedy.Setting,
			What: "this machine has several GoToSocial servers: " + strings.Join(names, ", "),
			Fix:  "name the server to back up by --unit UNIT or --gotosocial CONFIG"}
	}
	return nil
}

// isNamed reports whether the configuration locates the instance.
func (c InstanceConfig) isNamed() bool { return c.GoToSocial != "" || c.Unit != "" || c.EnvFile != "" }

// inspect opens the instance and a view of the database, as first checks. The unit of
// the instance goes into the configuration.
func (s *SetUp) inspect(ctx context.Context) error {
	c := &s.cfg.Config
	own := []string{s.home.State}
	if !s.cfg.WithoutKit {
		own = append(own, cmp.Or(s.cfg.KitFile, "holdfast-kit.txt"))
	}
	var err error
	s.Instance, err = c.inspect(ctx, own, s.cfg.Observer)
	if err != nil && s.Instance.config == nil && !c.Instance.isNamed() {
		return &remedy.Error{Kind: remedy.Setting,
			What: "no systemd unit runs GoToSocial's server, and init found no configuration file", Err: err,
			Fix: "name its configuration file by --gotosocial, its unit by --unit, " +
				"or its container's environment file by --env-file"}
	}
	if err != nil {
		return err
	}
	c.Instance.Unit = s.Instance.config.Unit
	return nil
}

// checkWritable refuses unwritable folders for the files of the host and the kit. So
// far, the set-up has made nothing.
func (s *SetUp) checkWritable() error {
	if !s.cfg.WithoutKit {
		if err := s.checkNewKit(); err != nil {
			return err
		}
		if err := disk.CheckWritable(filepath.Dir(s.cfg.KitFile)); err != nil {
			return &remedy.Error{Kind: remedy.Setting,
				What: fmt.Sprintf("the recovery kit %s can't be written", s.cfg.KitFile), Err: err,
				Fix: "make that folder, change (cd) to a folder that you may write, or name another file by --kit FILE"}
		}
		if err := checkKitGuarded(s.cfg.KitFile); err != nil {
			return err
		}
	}
	for _, need := range []struct{ what, path, flag string }{
		{"configuration", filepath.Dir(s.home.ConfigFile), "-c FILE"},
		{"state", s.home.State, "--state DIR"},
	} {
		if err := disk.CheckCreatable(need.path); errors.Is(err, unix.EROFS) {
			return &remedy.Error{Kind: remedy.Setting, Err: err,
				What: fmt.Sprintf("the folder %s of Holdfast's %s is on a read-only disk", need.path, need.what),
				Fix:  "mount that disk read-write, or name another folder by " + need.flag}
		} else if err != nil {
			return &remedy.Error{Err: err,
				What: fmt.Sprintf("the folder %s of Holdfast's %s can't be written", need.path, need.what),
				Fix: fmt.Sprintf("as root, make the folder for this user: %s; or the usual folders, which this user's "+
					"Holdfast then finds: %s; or name another folder by %s",
					userfolder.MakeCommand(need.path), userfolder.MakeCommand(serviceConfig, serviceState), need.flag)}
		}
	}
	return nil
}

// CreateRemote makes the remote, tries all that a backup needs, and returns the remote's
// name for a person.
func (s *SetUp) CreateRemote(ctx context.Context) (name string, err error) {
	c := &s.cfg.Config
	if s.location, err = c.Locate(ctx, c.Remotes[0], s.cfg.Observer); err != nil {
		return "", err
	}
	if !s.location.Pin.IsZero() {
		return "", &remedy.Error{Kind: remedy.Setting,
			What: "the URL has a pin (#hf1…), the ID of an existing repository",
			Fix:  "name a new folder or prefix, without a pin"}
	}
	s.store, err = remote.Create(ctx, s.location.URL, s.location.Remote)
	if err := s.folderError(err); err != nil {
		return "", err
	}
	if err != nil {
		return "", location.Explain(err)
	}
	if err := remote.Probe(ctx, s.store); err != nil {
		return "", err
	}
	if strings.HasPrefix(s.location.URL, "s3") {
		c.Remotes[0].Region = s.location.Remote.Region // also from the environment: a region is not secret
	}
	return s.store.String(), nil
}

// folderError adds a fix to an error of making the remote's folder, or returns nil.
func (s *SetUp) folderError(err error) error {
	folder := s.location.Folder()
	refused := &remedy.Error{Err: err, Effect: "no repository was made"}
	switch {
	case folder == "":
		return nil
	case errors.Is(err, remote.ErrRights):
		refused.Kind = remedy.Credentials
		refused.Fix = "as root, make the folder for this user, then run init again: " + userfolder.MakeCommand(folder)
	case errors.Is(err, remote.ErrNotMounted):
		refused.Kind = remedy.Unreachable
		refused.Fix = "mount the disk of the folder, or correct the path; if the folder lies on no other disk, " +
			"make the folder as root, then run init again: " + userfolder.MakeCommand(folder)
	default:
		return nil
	}
	return refused
}

// SetUpReport is the result of a set-up.
type SetUpReport struct {
	Kit     Kit
	KitFile string // "" without a kit
	// Unsaved reports that the credentials came from the environment: each run needs the
	// same environment.
	Unsaved bool
}

// Publish makes the keys and the repository, writes the files of the host and the kit,
// and puts the first record last. After a failure Publish removes the new files, and a
// person can try again. Without owners Publish makes an identity for the kit.
func (s *SetUp) Publish(ctx context.Context, owners []seal.Owner) (*SetUpReport, error) {
	kit := Kit{Instance: s.Instance.Domain, Region: s.location.Remote.Region,
		OwnCA: s.location.Remote.CAFile != "" || os.Getenv("SSL_CERT_FILE") != ""}
	if !s.cfg.WithoutKit {
		var err error
		if kit.Identity, kit.Recipient, err = seal.NewIdentity(); err != nil {
			return nil, err
		}
		owner, err := seal.ParseOwner(kit.Recipient)
		if err != nil {
			return nil, err
		}
		owners = append([]seal.Owner{owner}, owners...)
	}
	founding, err := vault.NewFounding(s.Instance.Domain, s.cfg.Version, owners)
	if err != nil {
		return nil, err
	}
	kit.Repository = founding.Host.Repository
	kit.Remote = s.location.Pinned(kit.Repository)
	undo, err := s.save(founding.Host, kit)
	if err != nil {
		return nil, err
	}
	if err := founding.Publish(ctx, s.store); err != nil {
		undo()
		if errors.Is(err, vault.ErrRefused) {
			return nil, &remedy.Error{Kind: remedy.Refused, Err: err, Effect: "nothing was changed",
				Fix: "choose another prefix or folder; if an interrupted init left these objects, " +
					"and the place holds no backup, delete them"}
		}
		return nil, err
	}
	report := &SetUpReport{Kit: kit}
	if kit.Identity != "" {
		report.KitFile = s.cfg.KitFile
	}
	report.Unsaved = strings.HasPrefix(kit.Remote, "s3") && s.cfg.Config.Remotes[0].SecretKey == ""
	return report, nil
}

// save writes all files of the host, or no file. undo removes the files.
func (s *SetUp) save(host *seal.Host, kit Kit) (undo func(), err error) {
	if err := os.MkdirAll(filepath.Dir(s.home.ConfigFile), 0o700); err != nil {
		return nil, err
	}
	var made []string
	undo = func() {
		for _, path := range made {
			os.Remove(path)
		}
	}
	write := func(path string, write func(string) error) {
		if err == nil {
			if err = write(path); err == nil {
				made = append(made, path)
			}
		}
	}
	write(s.home.HostFile(), host.Save)
	if kit.Identity != "" {
		write(s.cfg.KitFile, kit.save)
	}
	if s.cfg.KeepIdentity {
		write(s.home.IdentityFile(), func(path string) error {
			return seal.SaveIdentity(path, kit.Identity, kit.Recipient, kit.Repository)
		})
	}
	write(s.home.ConfigFile, func(path string) error {
		s.cfg.Config.Remotes[0].URL = kit.Remote
		text, err := s.cfg.Config.Text()
		if err != nil {
			return err
		}
		return WriteNew(path, strings.NewReader(text))
	})
	if err != nil {
		undo()
	}
	return undo, err
}
