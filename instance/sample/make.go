// Package sample makes a small GoToSocial instance that never served anyone,
// and ages it by days: for demonstrations, and for tests that need no server.
// Its schema, storage layout and key format are GoToSocial v0.20's; its people,
// words and pictures are made up from a seed.
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

// Config is the sample's size. The zero value makes a database of 8 MB and
// storage of 6 MB in about a second.
type Config struct {
	Seed       uint64 // the same seed makes the same bytes
	Domain     string // the account domain, "holdfast.example" by default; the host is "social." before it
	Accounts   int    // remote accounts, default 150; the local ones are always three
	Statuses   int    // default 3000, one in ten of them local
	Media      int    // local pictures, default 24; a third as many remote ones come with them
	MediaBytes int    // bytes of a picture, more or less, default 96 KiB; none exceeds 8 MiB
	VideoBytes int64  // bytes of one local video, default none
}

// Instance is a sample on disk: config.yaml, sqlite.db and storage/ in Dir, as
// a server whose working directory is Dir would leave them when it stops. The
// two fields that Make filled in are all of it: another process can go on with
// them.
type Instance struct {
	Dir    string
	Config Config
}

// dawn is when the newest status of a fresh sample was written. Made-up clocks
// keep made-up bytes the same from run to run.
var dawn = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// Make writes a new instance into dir, which it creates where needed. It
// fails with fs.ErrExist where dir holds a database already.
func Make(dir string, cfg Config) (*Instance, error) {
	cfg.Domain = cmp.Or(cfg.Domain, "holdfast.example")
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

// Host is where the server would answer.
func (s *Instance) Host() string { return "social." + s.Config.Domain }

// Database is the path of the SQLite file.
func (s *Instance) Database() string { return filepath.Join(s.Dir, "sqlite.db") }

// Storage is the path of the media directory.
func (s *Instance) Storage() string { return filepath.Join(s.Dir, "storage") }

// LocalMedia is what a backup must hold of the storage directory: storage key
// to lower-case hexadecimal SHA-256. It is read from local-media.sha256, which
// was written along with the files and not from the database; there,
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
	f.Close() // before SQLite opens it: closing later would drop its locks
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
	// GoToSocial leaves the planner's statistics behind after its migrations.
	if _, err := db.Exec("ANALYZE"); err != nil {
		return err
	}
	return db.Close()
}

// yaml is the server's configuration: flat keys, paths relative to Dir.
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
`, s.Host(), s.Config.Domain)
}
