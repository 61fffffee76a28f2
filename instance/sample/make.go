// Package sample makes a small GoToSocial instance, and changes the instance day by
// day. Demonstrations and tests use samples without a server. Schema, storage
// layout and key format equal those of GoToSocial v0.20. A seed invents people,
// words and pictures.
package sample

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config is the size of a sample. The zero value makes a database of 8 MB and a
// storage folder of 6 MB in about a second.
type Config struct {
	Seed          uint64 // the same seed makes the same bytes
	AccountDomain string // default "holdfast.example"; the domain is "social."+AccountDomain
	Accounts      int    // remote accounts, default 150; there are always three local accounts
	Statuses      int    // default 3000; one in ten is local
	Media         int    // local pictures, default 24, with a third as many remote pictures
	MediaBytes    int    // average bytes of a picture, default 96 KiB, at most 8 MiB
	VideoBytes    int64  // bytes of a local video; 0 for no video
}

// Instance is a sample on disk: config.yaml, sqlite.db and storage/ in Dir, as a
// stopped server with the working directory Dir leaves its files. The two fields
// are the whole state, so another process can use a copy of an Instance.
type Instance struct {
	Dir    string
	Config Config
}

// dawn is the time of the newest status in a fresh sample. An invented clock makes
// the same bytes in each run.
var dawn = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// Make writes a new instance into dir, and creates dir if necessary. If dir holds a
// database, the error is fs.ErrExist.
func Make(dir string, cfg Config) (*Instance, error) {
	cfg.AccountDomain = cmp.Or(cfg.AccountDomain, "holdfast.example")
	cfg.Accounts = cmp.Or(cfg.Accounts, 150)
	cfg.Statuses = cmp.Or(cfg.Statuses, 3000)
	cfg.Media = cmp.Or(cfg.Media, 24)
	cfg.MediaBytes = cmp.Or(cfg.MediaBytes, 96<<10)
	s := &Instance{Dir: dir, Config: cfg}

	if err := s.make(); err != nil {
		return nil, fmt.Errorf("make sample in %q: %w", dir, err)
	}
	return s, nil
}

// Domain returns the domain of the instance.
func (s *Instance) Domain() string { return "social." + s.Config.AccountDomain }

// Database returns the path of the SQLite file.
func (s *Instance) Database() string { return filepath.Join(s.Dir, "sqlite.db") }

// Storage returns the path of the media folder.
func (s *Instance) Storage() string { return filepath.Join(s.Dir, "storage") }

// LocalMedia returns the media that a backup must hold: storage keys with the
// SHA-256 in lower-case hexadecimal digits. Make and Night write this list to
// local-media.sha256 together with the files, without a look at the database.
// `sha256sum -c local-media.sha256` checks a restored copy.
func (s *Instance) LocalMedia() (map[string]string, error) {
	f, err := os.Open(s.ledger())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	media := make(map[string]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			return nil, fmt.Errorf("read %q: no checksum in line %q", f.Name(), lines.Text())
		}
		media[strings.TrimPrefix(name, "storage/")] = sum
	}
	return media, lines.Err()
}

func (s *Instance) ledger() string { return filepath.Join(s.Dir, "local-media.sha256") }

func (s *Instance) make() error {
	if err := os.MkdirAll(s.Storage(), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(s.Database(), os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	f.Close() // closing the file later would drop the locks of SQLite
	if err := os.WriteFile(filepath.Join(s.Dir, "config.yaml"), []byte(s.yaml()), 0o644); err != nil {
		return err
	}
	db, err := open(s.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrate(db); err != nil {
		return err
	}
	c, err := s.begin(db, dawn.Add(-30*day), 0)
	if err != nil {
		return err
	}
	c.people(s.Config.Accounts)
	c.post(s.Config.Statuses, 30*day)
	c.decorate(s.Config)
	c.certificate()
	if err := c.commit(); err != nil {
		return err
	}
	// GoToSocial also computes statistics after its migrations.
	if _, err := db.Exec("ANALYZE"); err != nil {
		return err
	}
	return db.Close()
}

// yaml returns the configuration of the server. All paths are relative to Dir.
func (s *Instance) yaml() string {
	return fmt.Sprintf(`# A sample instance made by Holdfast. Paths are relative: the working directory is this folder.
host: %q
account-domain: %q
protocol: "https"
bind-address: "127.0.0.1"
port: 8080
db-type: "sqlite"
db-address: "sqlite.db"
storage-backend: "local"
storage-local-base-path: "storage"
letsencrypt-enabled: true
letsencrypt-cert-dir: "storage/certs"
media-remote-cache-days: 7
accounts-registration-open: false
`, s.Domain(), s.Config.AccountDomain)
}
