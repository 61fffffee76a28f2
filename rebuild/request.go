package rebuild

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/manifest"
	"holdfast/rebuild/machine"
)

// Request names the source and the targets of a run. Two runs with equal requests do
// the same work. The fields are the resolved values: a default and the same value by a
// flag are equal.
type Request struct {
	Snapshot manifest.Hash `json:"snapshot"` // the record's name
	Domain   string        `json:"domain"`
	Database string        `json:"database"`        // a path, or a server with a database's name
	Media    string        `json:"media"`           // a path, or a bucket with its endpoint
	Config   string        `json:"config"`          // GoToSocial's configuration file
	User     string        `json:"user"`            // "USER:GROUP" of the server
	Paths    string        `json:"paths,omitempty"` // the container's moved folders, "THEIRS=OURS", joined by commas
	Verbatim bool          `json:"verbatim"`        // the database stays as it was
	Parts    string        `json:"parts,omitempty"` // the chosen parts; "" is all
}

// newRequest returns the resolved request.
func newRequest(m *machine.Machine, snapshot manifest.Hash) Request {
	return Request{
		Snapshot: snapshot, Domain: m.Domain, Database: unicode(m.DatabaseName()), Media: unicode(m.MediaName()),
		Config: unicode(m.Config.File), User: m.User, Paths: unicode(m.MovedText()), Verbatim: m.Verbatim,
		Parts: m.PartNames(),
	}
}

// unicode quotes a text that is not valid UTF-8: JSON would hold another text.
func unicode(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return strconv.QuoteToASCII(text)
}

// ID identifies the request: only equal requests have the same ID.
func (r Request) ID() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings, a hash and a bool always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// difference names the differing fields of two requests, with both values.
func (r Request) difference(other Request) string {
	var fields []string
	for _, f := range []struct{ name, was, is string }{
		{"snapshot", r.Snapshot.Hex(), other.Snapshot.Hex()},
		{"domain", r.Domain, other.Domain},
		{"database", r.Database, other.Database},
		{"media", r.Media, other.Media},
		{"configuration", r.Config, other.Config},
		{"user", r.User, other.User},
		{"parts", r.Parts, other.Parts},
		{"paths", r.Paths, other.Paths},
		{"verbatim", fmt.Sprint(r.Verbatim), fmt.Sprint(other.Verbatim)},
	} {
		if f.was != f.is {
			fields = append(fields, fmt.Sprintf("%s was %q and is %q", f.name, f.was, f.is))
		}
	}
	return strings.Join(fields, "; ")
}

// Options are a person's choices for a run.
type Options struct {
	machine.Options
	Work      string // an existing or new folder for the work folder; default: near the media
	State     string // the folder for the work folder if neither media nor database are on this machine
	Resume    bool   // continue an unfinished run
	OldIsDead bool   // the server of the domain, if any, is not the old server
}
