package machine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// serverFolder is a folder in which the server makes files. SQLite makes the files of
// its log beside the database.
type serverFolder struct {
	subject Subject
	key     string // the setting with the path
	path    string
}

// serverFolders are the folders on this machine in which the server makes files.
func (m *Machine) serverFolders() (folders []serverFolder) {
	if database, err := m.database(); err == nil && m.Has(manifest.Database) {
		folders = append(folders, serverFolder{DatabaseSubject, "db-address", database.Destination().Folder})
	}
	if m.Has(manifest.Media) {
		folder := m.media().Destination().Folder
		folders = append(folders, serverFolder{MediaSubject, "storage-local-base-path", folder})
	}
	certificates := m.certificates()
	if _, err := os.Stat(certificates); err == nil && m.Config.Get("letsencrypt-enabled") == "true" {
		folders = append(folders, serverFolder{FileSubject, "letsencrypt-cert-dir", certificates})
	}
	return slices.DeleteFunc(folders, func(f serverFolder) bool { return f.path == "" })
}

// letRead are the tasks of a person for files that the server's user can't read, for
// example because --user names another user than the snapshot.
func (m *Machine) letRead() (tasks []string) {
	for _, path := range []string{
		cmp.Or(m.Replaced, m.Config.File), m.Config.Absolute(m.Config.Get("tls-certificate-chain")),
		m.Config.Absolute(m.Config.Get("tls-certificate-key")),
	} {
		_, err := os.Stat(path)
		if m.User != "" && os.Geteuid() == 0 && err == nil && disk.CheckAccess(m.User, path, disk.Read) != nil {
			tasks = append(tasks, fmt.Sprintf("the server's user %s can't read %s; if the file may belong to the "+
				"server, run: %s", m.User, path, remedy.ShellLine([]string{"chown", m.User, path})))
		}
	}
	return tasks
}

// inspectServerFolders looks whether the server's user will be able to make files in
// the folders that exist. MakeFolder gives new folders to that user.
func (m *Machine) inspectServerFolders() (findings []Finding) {
	for _, f := range m.serverFolders() {
		if checkFillable(f.path) != nil {
			continue // inspectDatabase, inspectMedia and inspectFiles refuse the folder
		}
		gives, err := m.inspectServerFolder(f)
		switch {
		case err != nil:
			findings = append(findings, refused(f.subject, err))
		case gives:
			findings = append(findings, Finding{Subject: f.subject, Detail: fmt.Sprintf(
				"at the end the restore gives the folder %s to %s", f.path, m.User)})
		}
	}
	return findings
}

// inspectServerFolder reports whether the restore will give an existing folder to the
// server's user. An error refuses the restore: the folder is closed to the user, and
// must not be given away.
func (m *Machine) inspectServerFolder(f serverFolder) (gives bool, err error) {
	existing := disk.Nearest(f.path)
	if existing != f.path {
		return false, m.checkReach(existing)
	}
	if disk.CheckAccess(m.User, f.path, disk.Fill) == nil {
		return false, nil
	}
	if err := m.checkReach(filepath.Dir(f.path)); err != nil {
		return false, err
	}
	if os.Geteuid() != 0 || m.User == "" {
		return false, &remedy.Error{Kind: remedy.Refused, What: "you can't write into " + f.path,
			Fix: "restore as root"}
	}
	return true, m.checkGivable(f)
}

// checkReach refuses a folder that the server's user can't pass.
func (m *Machine) checkReach(dir string) error {
	if disk.CheckAccess(m.User, dir, disk.Reach) == nil {
		return nil
	}
	for shut := dir; ; shut = filepath.Dir(shut) {
		if above := filepath.Dir(shut); above == shut || disk.CheckAccess(m.User, above, disk.Reach) == nil {
			return &remedy.Error{Kind: remedy.Refused,
				What: fmt.Sprintf("the server's user %s can't open files below %s", m.User, shut),
				Fix:  "run: " + remedy.ShellLine([]string{"chmod", "o+x", shut})}
		}
	}
}

// checkGivable refuses a folder that the restore must not give to the server's user.
func (m *Machine) checkGivable(f serverFolder) error {
	own := fmt.Sprintf("name a folder of the server's own by %s in a configuration, and give that configuration "+
		"by --gotosocial", f.key)
	closed := fmt.Sprintf("the server's user %s can't write into %s", m.User, f.path)
	if f.subject == DatabaseSubject {
		closed += ", where SQLite makes the files of its log"
	}
	real, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return err
	}
	if disk.IsSystems(real) {
		return &remedy.Error{Kind: remedy.Refused, Fix: own,
			What: closed + "; the restore does not give a folder of the system away"}
	}
	if real != f.path && disk.CheckGuarded(filepath.Dir(f.path)) != nil {
		return &remedy.Error{Kind: remedy.Refused, What: closed + ", a link that another user may change",
			Fix: "if the folder may belong to the server, run: " + remedy.ShellLine([]string{"chown", m.User, real})}
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if info.Mode()&0o300 != 0o300 {
		return &remedy.Error{Kind: remedy.Refused,
			What: fmt.Sprintf("%s: its mode is %04o", closed, info.Mode().Perm()),
			Fix:  "run: " + remedy.ShellLine([]string{"chmod", "u+rwx", f.path})}
	}
	why, err := m.foreign(f.path, disk.FileUser(info))
	if err != nil || why == "" {
		return err
	}
	command := remedy.ShellLine([]string{"chown", m.User, f.path})
	if commands := m.serverCommands(); len(commands) > 0 { // the user must exist
		command = remedy.ShellLine(commands...) + " && " + command
	}
	return &remedy.Error{Kind: remedy.Refused, What: closed + "; " + why,
		Fix: fmt.Sprintf("if the folder may belong to the server, run: %s; else %s", command, own)}
}

// foreign tells why a folder may belong to another program than the server, or
// returns "".
func (m *Machine) foreign(dir string, uid int) (why string, err error) {
	if _, err := user.LookupId(strconv.Itoa(uid)); uid != 0 && err == nil {
		return "the folder belongs to " + disk.UserName(uid), nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	known := m.knownEntries(dir)
	for _, e := range entries {
		name, _, _ := strings.Cut(e.Name(), disk.AsideSuffix)
		isOurs := slices.Contains(known, name) || strings.HasPrefix(name, "gotosocial") || m.isServers(e)
		if isOurs || strings.HasPrefix(name, filepath.Base(m.DatabaseName())) { // also the log of SQLite
			continue
		}
		return fmt.Sprintf("the folder also holds %s, which the restore does not know", e.Name()), nil
	}
	return "", nil
}

// isServers reports whether an entry belongs to the server's user.
func (m *Machine) isServers(e fs.DirEntry) bool {
	uid, _, err := disk.IDs(m.User)
	info, infoErr := e.Info()
	return errors.Join(err, infoErr) == nil && disk.FileUser(info) == uid
}

// unpacked are the names in the archive of a release of GoToSocial, and the names that
// GoToSocial's documents use beside them.
var unpacked = []string{
	"CHANGELOG.md", "LICENSE", "README.md", "config.yaml", "docker-compose.yaml", "docker-compose.yml", "example",
	"lost+found", "sqlite.db", "storage", "web",
}

// knownEntries are the names of the instance's own files in a folder.
func (m *Machine) knownEntries(dir string) []string {
	known := append(slices.Clone(unpacked), filepath.Base(filepath.Dir(m.Folder)))
	paths := []string{m.Config.File, m.media().Destination().Folder, m.certificates()}
	for _, f := range m.Files {
		paths = append(paths, m.pathOf(f))
	}
	for _, path := range paths {
		if below, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/"); ok {
			name, _, _ := strings.Cut(below, "/")
			known = append(known, name)
		}
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// GiveFolders gives the folders to the server's user in which the server makes files,
// even if such a folder is a mounted disk. The user may then rename the entries of the
// folder, and the work folder may be such an entry: GiveFolders comes last. If the user
// can't write into a folder afterwards, GiveFolders returns an error.
func (m *Machine) GiveFolders() error {
	mover, err := m.mover()
	if err != nil {
		return err
	}
	folders := m.serverFolders()
	// The server's user may change the links in a folder, so that the folder comes after
	// all folders below.
	slices.SortStableFunc(folders, func(a, b serverFolder) int { return len(b.path) - len(a.path) })
	for _, f := range folders {
		gives, err := m.inspectServerFolder(f)
		if err == nil && gives {
			err = explainMisled(mover.GiveFolder(f.path))
		}
		if err != nil {
			return err
		}
	}
	if m.Has(manifest.Media) {
		if err := explainMisled(m.media().GiveToServer(mover)); err != nil {
			return err
		}
	}
	for _, f := range folders {
		if err := disk.CheckAccess(m.User, f.path, disk.Fill); err != nil {
			return &remedy.Error{Kind: remedy.Refused, Err: err,
				What: fmt.Sprintf("the server's user %s can't write into %s", m.User, f.path),
				Fix:  "run: " + remedy.ShellLine([]string{"chown", m.User, f.path})}
		}
	}
	return nil
}
