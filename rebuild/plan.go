package rebuild

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/disk"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Inspect looks at the machine, and asks for the server of the domain. Inspect changes
// nothing. sizes are the parts of the snapshot. A Refused finding forbids the
// rebuild.
func (m *Machine) Inspect(ctx context.Context, sizes map[manifest.Part]manifest.Total, oldIsDead bool) []Finding {
	findings := []Finding{m.inspectDomain(ctx, oldIsDead), m.inspectUser(), m.inspectServer(ctx)}
	findings = append(findings, m.inspectRunning(ctx)...)
	findings = append(findings, m.inspectDatabase(ctx)...)
	findings = append(findings, m.inspectMedia(ctx))
	findings = append(findings, m.inspectServerFolders()...)
	findings = append(findings, m.inspectFiles()...)
	return append(findings, m.inspectSpace(sizes))
}

// inspectDatabase looks for a database in the way, and for the server of PostgreSQL.
func (m *Machine) inspectDatabase(ctx context.Context) (findings []Finding) {
	details, err := m.databaseDetails(ctx)
	if err != nil {
		return []Finding{refused(DatabaseSubject, err)}
	}
	for _, detail := range details {
		findings = append(findings, Finding{Subject: DatabaseSubject, Detail: detail})
	}
	return findings
}

func (m *Machine) databaseDetails(ctx context.Context) ([]string, error) {
	if engine := m.Config.Engine(); engine != m.Facts.Engine {
		return nil, &remedy.Error{Kind: remedy.Setting,
			What: fmt.Sprintf("the snapshot is of %s, the configuration of %s", m.Facts.Engine, engine),
			Fix:  "give a configuration of the snapshot's engine by --gotosocial"}
	}
	target, err := m.database()
	if err != nil {
		return nil, err
	}
	mover, err := m.mover()
	if err != nil {
		return nil, err
	}
	details, err := target.Inspect(ctx, m.Facts, mover)
	return details, explainInTheWay(err)
}

// inspectMedia looks for media in the way.
func (m *Machine) inspectMedia(ctx context.Context) Finding {
	mover, err := m.mover()
	if err != nil {
		return refused(MediaSubject, err)
	}
	detail, err := m.media().Inspect(ctx, filepath.Dir(m.Folder), mover)
	if err != nil {
		return refused(MediaSubject, err)
	}
	return Finding{Subject: MediaSubject, Detail: detail}
}

// inspectFiles names every file of the files part, because the snapshot decides the
// paths.
func (m *Machine) inspectFiles() (findings []Finding) {
	server := m.serverCommands()
	missing := map[string][][]string{} // the commands that create each user
	for _, file := range m.Files {
		if _, asked := missing[file.User]; !asked && os.Geteuid() == 0 {
			missing[file.User] = subtract(userCommands(file.User), server)
		}
		findings = append(findings, m.inspectFile(file, missing[file.User]))
	}
	return findings
}

// inspectFile looks at the path of one file. missing are the commands that create the
// file's user.
func (m *Machine) inspectFile(file manifest.File, missing [][]string) Finding {
	path := "/" + file.Path
	f := Finding{Subject: FileSubject, Detail: path}
	if file.Link != "" {
		f.Detail += " -> " + string(file.Link)
	}
	switch {
	case file.Missing:
		f.Detail += ": missing in the snapshot"
		return f
	case len(missing) > 0:
		f.Detail += fmt.Sprintf(": its user %s does not exist on this machine", file.User)
		f.Refused = true
		f.Fix = "install the package that makes the user or group, or run: " + remedy.ShellLine(missing...)
		return f
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
	case isSameFile(path, info, file):
		f.Detail += " stays: the contents are the same"
	case m.Replace:
		f.Detail += "; the restore renames the existing file to " + filepath.Base(path) + disk.AsideSuffix
	default:
		f.Detail += " is there already, with other contents"
		f.Fix, f.Refused = fixOf(explainInTheWay(&disk.InTheWay{Path: path})), true
	}
	return f
}

// isSameFile reports whether path is the snapshot's file or link.
func isSameFile(path string, info fs.FileInfo, file manifest.File) bool {
	link, err := os.Readlink(path)
	if file.Link != "" || err == nil {
		return link == string(file.Link)
	}
	return info.Size() == file.Size && hasSum(path, file.SHA256)
}

// hasSum reports whether a file has the hash of the snapshot's file.
func hasSum(path string, want *manifest.Hash) bool {
	f, err := disk.Open(path)
	if err != nil || want == nil {
		return false
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return err == nil && manifest.Hash(sum.Sum(nil)) == *want
}

// inspectSpace compares the sizes with the free space for the fetched data.
func (m *Machine) inspectSpace(sizes map[manifest.Part]manifest.Total) Finding {
	var need int64
	for _, total := range sizes {
		need += total.Bytes
	}
	dir := disk.Nearest(m.Folder)
	free, err := disk.Free(dir)
	if err != nil {
		return refused(SpaceSubject, err)
	}
	f := Finding{Subject: SpaceSubject}
	f.Detail = fmt.Sprintf("the restore needs %d MiB; the disk of %s has %d MiB free", need>>20, dir, free>>20)
	if need > free {
		f.Fix, f.Refused = "make room, or name a folder on another disk by --work", true
	}
	return f
}
