package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"holdfast/disk"
	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/instance/postgres"
	"holdfast/instance/sqlite"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// Directory is what a restore makes: a folder with sqlite.db, or database/*.sql
// and *.copy for psql, storage/KEY, files/ABSOLUTE/PATH, and a run.env that makes
// a server start over them.
type Directory struct {
	Path string // the folder's final, absolute path
	// Verbatim leaves the database as it was, byte for byte. Otherwise remote
	// media, which no backup holds, are marked as not cached: the server would
	// answer 404 for them for ever.
	Verbatim bool
}

// PathOf is where a file belongs in the folder.
func (d *Directory) PathOf(f manifest.File) (string, error) {
	if !manifest.ValidPath(f.Path) {
		return "", fmt.Errorf("%q is no path of a listing", f.Path)
	}
	switch f.Part {
	case manifest.Database:
		switch ext := path.Ext(f.Path); {
		case f.Path == sqlite.FileName && f.PageSize > 0:
			return sqlite.FileName, nil
		case f.PageSize == 0 && (ext == ".sql" || ext == ".copy") && !strings.Contains(f.Path, "/"):
			return path.Join(postgres.Folder, f.Path), nil
		}
		return "", fmt.Errorf("database file %q is none of a SQLite or PostgreSQL instance: a newer Holdfast may know it", f.Path)
	case manifest.Media:
		return path.Join(media.StorageFolder, f.Path), nil
	case manifest.Files:
		return path.Join("files", f.Path), nil
	}
	return "", fmt.Errorf("part %q has no place in a folder", f.Part)
}

// DamageNote begins the note about a database that is damaged, and was wanted
// verbatim.
const DamageNote = "the database is damaged, and is as it was: "

// CheckDatabase checks a SQLite database and, unless it is wanted verbatim, marks remote
// media as not cached. The file is durable then, and no log or journal is left. A
// damaged one is an error, or a note where it is wanted verbatim.
func (d *Directory) CheckDatabase(ctx context.Context, staging *os.Root) (notes []string, err error) {
	if _, err := staging.Lstat(sqlite.FileName); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // of PostgreSQL there is nothing to check before it is loaded
	}
	file := filepath.Join(staging.Name(), sqlite.FileName)
	note, err := sqlite.Check(ctx, file)
	var damaged *remedy.DamageError
	if errors.As(err, &damaged) && d.Verbatim {
		return []string{DamageNote + strings.Join(damaged.Findings, "; ")}, nil
	}
	if err != nil {
		return nil, err
	}
	notes = append(notes, note)
	if d.Verbatim {
		return notes, nil
	}
	n, err := sqlite.Uncache(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("mark remote media as not cached: %w", sqlite.Damage(err))
	}
	if n > 0 {
		notes = append(notes, fmt.Sprintf("%d remote media marked as not cached: the server fetches them again when somebody looks", n))
	}
	return notes, nil
}

// isComplete reports whether a restore filled the folder, and ended.
func (d *Directory) isComplete() bool {
	_, err := os.Stat(filepath.Join(d.Path, environmentName))
	return err == nil && !vault.Unfinished(d.Path)
}

// Finish makes the storage folder where there is none, and writes run.env,
// durably. Without the database part there is nothing to do.
func (d *Directory) Finish(_ context.Context, staging *os.Root, s vault.Restored) (notes []string, err error) {
	if !s.Parts[manifest.Database] {
		return nil, nil
	}
	if err := staging.Mkdir(media.StorageFolder, 0o755); err != nil && !os.IsExist(err) {
		return nil, err
	}
	if !s.Parts[manifest.Media] {
		notes = append(notes, "without the media part the server answers 404 for local media: restore it before the start")
	}
	if err := instance.OpenRestored(s.Facts, d.Verbatim).Finish(staging); err != nil {
		return nil, err
	}
	if err := disk.WriteIn(staging, environmentName, d.environment(staging.FS(), s)); err != nil {
		return nil, fmt.Errorf("write %s: %w", environmentName, err)
	}
	return append(notes, "to start the server: see "+filepath.Join(d.Path, environmentName)), nil
}

const environmentName = "run.env"

// environment is what makes a server start over the folder, in the form that
// both systemd's EnvironmentFile= and a shell read.
func (d *Directory) environment(staging fs.FS, s vault.Restored) string {
	restored := gotosocial.RestoredFolder{Path: d.Path, Files: staging}
	found := restored.Remains(s.Domain)
	config := found.Config
	var b strings.Builder
	b.WriteString("# GoToSocial over this restored folder. To start it in a shell, as the server's user:\n#\n")
	fmt.Fprintf(&b, "#   set -a; . %s; set +a\n", gotosocial.Quote(filepath.Join(d.Path, environmentName)))
	switch {
	case config == nil:
		b.WriteString("#   gotosocial --config-path YOUR-CONFIG server start\n#\n")
		b.WriteString("# No configuration file was restored: set all else as it was before the first start,\n")
		b.WriteString("# account-domain too where it is not below. It is never to change.\n")
	case config.File == "":
		b.WriteString("#   gotosocial server start\n#\n# No configuration file of this domain was restored: all stood in the files below.\n")
	default:
		fmt.Fprintf(&b, "#   gotosocial --config-path %s server start\n", gotosocial.Quote(restored.Here(config.File)))
	}
	if len(found.Others) > 0 {
		b.WriteString("#\n# Other configurations of this domain were restored. If the server's own is among them,\n" +
			"# name that one, and set the paths below as it has them:\n")
	}
	for _, file := range found.Others {
		fmt.Fprintf(&b, "#   %s\n", gotosocial.Quote(restored.Here(file)))
	}
	if len(found.Environment) > 0 {
		b.WriteString("#\n# The server also got variables or flags from these restored files, passwords maybe among\n" +
			"# them. Give it those first, what is below last; of a flag (--host) make a variable (GTS_HOST):\n")
	}
	for _, file := range found.Environment {
		fmt.Fprintf(&b, "#   %s\n", gotosocial.Quote(file))
	}
	b.WriteString("#\n# As a service: EnvironmentFile= with this file. The folder must belong to the\n# server's user: chown -R gotosocial: FOLDER\n")
	if s.Facts.GoToSocial != "" || s.Facts.Migration != "" {
		fmt.Fprintf(&b, "# Use GoToSocial %s or newer (last migration %s).\n", orUnknown(s.Facts.GoToSocial), orUnknown(s.Facts.Migration))
	}
	database := instance.OpenRestored(s.Facts, d.Verbatim)
	b.WriteString(database.Instructions(d.Path, s.Facts))
	set := func(key, value string) {
		fmt.Fprintf(&b, "GTS_%s=%s\n", strings.ToUpper(strings.ReplaceAll(key, "-", "_")), gotosocial.Quote(value))
	}
	set("host", s.Domain)
	account := s.Facts.AccountDomain
	if account == "" && config != nil {
		account = config.Get("account-domain")
	}
	if account != "" {
		set("account-domain", account)
	}
	for _, setting := range database.Settings(d.Path) {
		set(setting.Key, setting.Value)
	}
	set("storage-backend", "local")
	set("storage-local-base-path", filepath.Join(d.Path, media.StorageFolder))
	if config != nil {
		for _, key := range []string{"letsencrypt-cert-dir", "tls-certificate-chain", "tls-certificate-key", "web-template-base-dir", "web-asset-base-dir"} {
			if place := restored.Find(config.Absolute(config.Get(key))); place != "" {
				set(key, filepath.Join(d.Path, place))
			}
		}
	}
	return b.String()
}

// orUnknown is s for a comment, which must not end before its line does.
func orUnknown(s string) string { return cmp.Or(remedy.Printable(s), "(unknown)") }
