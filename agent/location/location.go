// Package location reads the address of a remote, as people write it.
package location

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"holdfast/remedy"
	"holdfast/remote"
	"holdfast/seal"
)

// Location is the URL of a remote, with the settings to open the remote.
type Location struct {
	URL    string            // without the pin; the path of a folder is absolute
	Pin    seal.RepositoryID // the repository that the remote must hold; zero: any
	Remote remote.Config     // with secrets
}

// Parse reads a URL or the path of a folder, with or without a pin.
func Parse(rawURL string) (Location, error) {
	plain, pin := remote.SplitPin(rawURL)
	if plain == "" {
		return Location{}, &remedy.Error{Kind: remedy.Setting, What: "the URL of the storage is empty",
			Fix: "name a folder or a URL, such as s3://ENDPOINT/BUCKET/PREFIX"}
	}
	l := Location{URL: plain}
	if !strings.Contains(plain, "://") {
		if first, _, _ := strings.Cut(plain, "/"); strings.Contains(first, ":") {
			return Location{}, &remedy.Error{Kind: remedy.Setting,
				What: "the storage's address has the form of another program: WORD:PATH or USER@HOST:PATH",
				Fix: "write s3://ENDPOINT/BUCKET/PREFIX, or the path of a folder: /PATH; " +
					"a folder with a colon in its name is ./NAME"}
		}
		if err := checkWord(plain); err != nil {
			return Location{}, err
		}
		abs, err := filepath.Abs(plain)
		if err != nil {
			return l, err
		}
		l.URL = abs
	}
	if pin != "" {
		id, err := seal.ParseRepositoryID(pin)
		if err != nil {
			return l, &remedy.Error{Kind: remedy.Setting, Err: err,
				Fix: "copy the pin from the recovery kit or the configuration: # and all that follows"}
		}
		l.Pin = id
	}
	return l, nil
}

// checkWord refuses a path that hardly anybody means: a shell or another system gives the
// path another meaning, and here the path would be a new folder below the working folder.
func checkWord(path string) error {
	what := ""
	switch first, _, _ := strings.Cut(path, "/"); {
	case strings.TrimSpace(path) != path:
		what = "begins or ends with white space"
	case strings.HasPrefix(path, "~"), strings.HasPrefix(path, "$"):
		what = "begins with a word that a shell replaces, and no shell replaced the word"
	case strings.Contains(first, "@"), strings.HasPrefix(path, `\\`):
		what = "begins like the name of another machine"
	default:
		return nil
	}
	return &remedy.Error{Kind: remedy.Setting, What: fmt.Sprintf("the storage's address %q %s", path, what),
		Fix: "write s3://ENDPOINT/BUCKET/PREFIX, or the full path of a folder: /PATH; " +
			"a folder of exactly that name is ./NAME"}
}

// Pinned returns the URL with a pin.
func (l Location) Pinned(id seal.RepositoryID) string { return l.URL + "#" + id.String() }

// Folder returns the folder of a local remote, or "" for a remote elsewhere.
func (l Location) Folder() string {
	if u, err := url.Parse(l.URL); err == nil && u.Scheme == "dir" {
		return u.Path
	}
	if strings.Contains(l.URL, "://") {
		return ""
	}
	return l.URL
}

// IsInBucket reports whether the remote lies in a bucket of an S3 endpoint.
func (l Location) IsInBucket(endpoint, bucket string) bool {
	u, err := url.Parse(l.URL)
	if err != nil || bucket == "" || !strings.HasPrefix(u.Scheme, "s3") || !strings.EqualFold(u.Host, endpoint) {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return first == bucket
}

// WithEnvironment fills empty settings of S3 from the environment.
func WithEnvironment(c remote.Config) remote.Config {
	if c.AccessKey == "" && c.SecretKey == "" { // a token belongs to its keys
		c.SessionToken = os.Getenv("AWS_SESSION_TOKEN")
	}
	c.AccessKey = cmp.Or(c.AccessKey, os.Getenv("AWS_ACCESS_KEY_ID"))
	c.SecretKey = cmp.Or(c.SecretKey, os.Getenv("AWS_SECRET_ACCESS_KEY"))
	c.Region = cmp.Or(c.Region, os.Getenv("AWS_REGION"))
	return c
}

// Explain gives an error of opening a remote the kind Setting, unless the remote
// answered or is unreachable, or the error has a fix already.
func Explain(err error) error {
	if said := (*remedy.Error)(nil); errors.As(err, &said) {
		return err
	}
	for _, answer := range []error{remote.ErrCredentials, remote.ErrUnreachable, remote.ErrFull, remote.ErrNoBucket} {
		if errors.Is(err, answer) {
			return err
		}
	}
	return &remedy.Error{Kind: remedy.Setting, Err: err,
		Fix: "write the remote as s3://ENDPOINT/BUCKET/PREFIX, or as a folder: /PATH"}
}
