package rebuild

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/mod/semver"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/manifest"
	"holdfast/remedy"
)

// Finding is what a look at this machine showed before a restore changes it.
type Finding struct {
	What   string `json:"what"`   // "database", "domain", …
	Detail string `json:"detail"` // in words
	Fix    string `json:"fix,omitempty"`
	// Refused findings keep the restore from beginning.
	Refused bool `json:"refused,omitempty"`
}

// Look looks at this machine, and at who answers for the domain, and changes
// nothing. sizes are the parts of the snapshot.
func (r *Rebuild) Look(ctx context.Context, sizes map[manifest.Part]manifest.Total, oldIsDead bool) []Finding {
	findings := []Finding{r.lookDomain(ctx, oldIsDead), r.lookUser(), r.lookBinary(ctx)}
	findings = append(findings, r.lookDatabase(ctx)...)
	findings = append(findings, r.lookStorage(ctx))
	findings = append(findings, r.lookFiles()...)
	return append(findings, r.lookSpace(sizes))
}

// lookDomain asks who answers for the domain now. Two servers under one name
// lose what others send to the wrong one.
func (r *Rebuild) lookDomain(ctx context.Context, oldIsDead bool) Finding {
	f := Finding{What: "domain"}
	server, err := answers(ctx, r.Domain)
	switch {
	case err != nil:
		f.Detail = fmt.Sprintf("nobody answers for %s (%v)", r.Domain, err)
	case oldIsDead:
		f.Detail = fmt.Sprintf("%s answers for %s; you say that it is not the old server", server, r.Domain)
	default:
		f.Detail = fmt.Sprintf("%s answers for %s", server, r.Domain)
		f.Fix = "stop that server for good; if it is none, --old-is-dead says so"
		f.Refused = true
	}
	return f
}

// answers asks for what every server of the fediverse tells of itself. Who
// answers is the question, so no certificate is checked. Only where nobody takes
// the connection, or a web server knows of no such page, is it an error: a server
// that is overloaded, about to start, or behind a wall against robots lives.
func answers(ctx context.Context, domain string) (string, error) {
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+domain+"/.well-known/nodeinfo", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "holdfast") // GoToSocial answers none without one
	resp, err := client.Do(req)
	var name *net.DNSError
	var network *net.OpError
	switch {
	case errors.As(err, &name):
		return "", errors.New("the name leads nowhere")
	case errors.As(err, &network) && network.Op == "dial":
		return "", network.Err
	case err != nil:
		return "something that breaks off", nil
	}
	resp.Body.Close()
	server := cmp.Or(remedy.Printable(resp.Header.Get("Server")), "a server")
	switch resp.StatusCode {
	case http.StatusOK:
		return server, nil
	case http.StatusNotFound, http.StatusGone:
		return "", fmt.Errorf("a web server answers %d: no fediverse server behind it", resp.StatusCode)
	}
	return fmt.Sprintf("%s (status %d)", server, resp.StatusCode), nil
}

func fixOf(err error) string {
	var p *remedy.Error
	if errors.As(err, &p) {
		return p.Fix
	}
	return ""
}

// lookBinary compares the versions: an older server breaks a newer database.
func (r *Rebuild) lookBinary(ctx context.Context) Finding {
	f := Finding{What: "GoToSocial"}
	want := cmp.Or(r.Facts.GoToSocial, "an unknown version")
	have := r.version(ctx)
	switch {
	case have == "":
		f.Detail = fmt.Sprintf("not installed; the instance ran %s (last migration %s)", want, cmp.Or(r.Facts.Migration, "unknown"))
		f.Fix = fetchBinary(r.Facts.GoToSocial)
	case r.Facts.GoToSocial != "" && semver.Compare("v"+have, "v"+r.Facts.GoToSocial) < 0:
		f.Detail = fmt.Sprintf("GoToSocial %s is installed, the snapshot is of %s: an older server breaks a newer database", have, want)
		f.Fix = fetchBinary(r.Facts.GoToSocial)
		f.Refused = true
	default:
		f.Detail = fmt.Sprintf("GoToSocial %s is installed, the instance ran %s", have, want)
	}
	return f
}

func fetchBinary(version string) string {
	if version == "" {
		return "install the version that ran before, or a newer one: https://codeberg.org/superseriousbusiness/gotosocial/releases"
	}
	return fmt.Sprintf("install it: https://codeberg.org/superseriousbusiness/gotosocial/releases/download/v%s/gotosocial_%s_linux_amd64.tar.gz", version, version)
}

// version asks the binary on this machine, as a user without rights.
func (r *Rebuild) version(ctx context.Context) string {
	path := r.Config.Program()
	if path == "" {
		return ""
	}
	as := &syscall.Credential{Uid: nobody, Gid: nobody}
	if uid, gid, err := disk.IDs(r.User); err == nil && uid > 0 && os.Geteuid() == 0 {
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	version, err := gotosocial.AskVersion(ctx, path, as)
	if err != nil {
		return "" // as good as none
	}
	return version
}

const nobody = 65534

func (r *Rebuild) lookDatabase(ctx context.Context) []Finding {
	f := Finding{What: "database"}
	refuse := func(err error) []Finding {
		f.Detail, f.Fix, f.Refused = err.Error(), fixOf(err), true
		return []Finding{f}
	}
	if engine := r.Config.Engine(); engine != r.Facts.Engine {
		return refuse(&remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("the snapshot is of %s, the configuration of %s", r.Facts.Engine, engine), Fix: "give a configuration of the snapshot's engine by --gotosocial"})
	}
	target, err := r.database()
	if err != nil {
		return refuse(err)
	}
	details, err := target.Look(ctx, r.Facts)
	if err != nil {
		return refuse(inTheWay(err))
	}
	var findings []Finding
	for _, detail := range details {
		findings = append(findings, Finding{What: "database", Detail: detail})
	}
	return findings
}

func (r *Rebuild) lookStorage(ctx context.Context) Finding {
	detail, err := r.media().Look(ctx, filepath.Dir(r.From))
	if err != nil {
		return Finding{What: "media", Detail: err.Error(), Fix: fixOf(err), Refused: true}
	}
	return Finding{What: "media", Detail: detail}
}

// lookFiles names every file that would be written: a snapshot decides them.
func (r *Rebuild) lookFiles() (findings []Finding) {
	server := r.makeServer()
	missing := map[string][][]string{} // by owner: what makes him
	for _, file := range r.Files {
		if _, asked := missing[file.User]; !asked && os.Geteuid() == 0 {
			missing[file.User] = without(making(file.User), server)
		}
		to := "/" + file.Path
		f := Finding{What: "file", Detail: to}
		if file.Link != "" {
			f.Detail += " -> " + string(file.Link)
		}
		if file.Missing {
			f.Detail += ": missing in the snapshot"
		} else if commands := missing[file.User]; len(commands) > 0 {
			f.Detail += fmt.Sprintf(": it belongs to %s, whom this machine lacks", file.User)
			f.Fix, f.Refused = "install what brings that user or group, or: "+inShell(commands), true
		} else if info, err := os.Lstat(to); err == nil {
			switch {
			case isThere(to, info, file):
				f.Detail += ", as it is"
			case r.Replace:
				f.Detail += "; the one that is there is renamed to " + filepath.Base(to) + disk.AsideSuffix
			default:
				f.Fix, f.Refused = fixOf(inTheWay(&disk.InTheWay{Path: to})), true
				f.Detail += " is there already, and another"
			}
		}
		findings = append(findings, f)
	}
	return findings
}

// isThere reports whether what lies at path is the snapshot's file or link.
func isThere(path string, info fs.FileInfo, file manifest.File) bool {
	link, err := os.Readlink(path)
	if file.Link != "" || err == nil {
		return link == string(file.Link)
	}
	return info.Size() == file.Size && hasSum(path, file.SHA256)
}

// hasSum reports whether a file's bytes are those of the snapshot's.
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

func (r *Rebuild) lookSpace(sizes map[manifest.Part]manifest.Total) Finding {
	var need int64
	for _, total := range sizes {
		need += total.Bytes
	}
	f := Finding{What: "space"}
	place := disk.Nearest(r.From)
	free, err := disk.Free(place)
	if err != nil {
		f.Detail, f.Refused = err.Error(), true
		return f
	}
	f.Detail = fmt.Sprintf("%d MiB are needed, %d MiB are free on the disk of %s", need>>20, free>>20, place)
	if need > free {
		f.Fix, f.Refused = "make room, or name a folder on another disk by --work", true
	}
	return f
}
