package machine

import (
	"errors"
	"path/filepath"

	"holdfast/disk"
	"holdfast/remedy"
)

// Subject is the subject of a finding. The text is shown to a person, and part of the
// JSON output.
type Subject string

// The subjects, in the order of [Machine.Inspect].
const (
	DomainSubject Subject = "domain"
	UserSubject   Subject = "user"
	ServerSubject Subject = "GoToSocial"
	// ContainerSubject are the folders of the server's container.
	ContainerSubject Subject = "container"
	DatabaseSubject  Subject = "database"
	MediaSubject     Subject = "media"
	FileSubject      Subject = "file"
	SpaceSubject     Subject = "space"
)

// Finding is one result of the inspection before a rebuild.
type Finding struct {
	Subject Subject `json:"what"`
	Detail  string  `json:"detail"`        // for a person
	Fix     string  `json:"fix,omitempty"` // what the person can do
	Refused bool    `json:"refused,omitempty"`
}

// refused returns the finding of an error. The finding forbids the rebuild.
func refused(s Subject, err error) Finding {
	return Finding{Subject: s, Detail: err.Error(), Fix: fixOf(err), Refused: true}
}

// explainInTheWay adds the fix to an error about something in the way, or about a
// misleading link, unless the error has a fix.
func explainInTheWay(err error) error {
	err = explainMisled(err)
	var there *disk.InTheWay
	if !errors.As(err, &there) || fixOf(err) != "" {
		return err
	}
	fix := "--replace renames it to " + filepath.Base(there.Path) + disk.AsideSuffix
	return &remedy.Error{Kind: remedy.Refused, Err: err, Fix: fix}
}

// explainMisled adds the fix to an error about a misleading link.
func explainMisled(err error) error {
	var misled *disk.Misled
	if !errors.As(err, &misled) || fixOf(err) != "" {
		return err
	}
	return &remedy.Error{Kind: remedy.Refused, Err: err,
		Fix: "find out who made the link; if the files belong there, run: " +
			remedy.ShellLine([]string{"chown", "-h", "root", misled.Link}) + "; else remove the link"}
}

// fixOf returns the fix of an error, or "".
func fixOf(err error) string {
	var p *remedy.Error
	if errors.As(err, &p) {
		return p.Fix
	}
	return ""
}
