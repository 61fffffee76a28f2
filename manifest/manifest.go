// Package manifest is the documents of a snapshot: the signed record and the
// listing. Package manifest uses neither disk nor network. docs/format.md
// specifies the documents.
package manifest

// Part is one of the three parts of an instance.
type Part string

// The parts, in the order of the listing. Listing is the part of the listing's
// own packs, and not a part of an instance.
const (
	Database Part = "database"
	Files    Part = "files"
	Media    Part = "media"
	Listing  Part = "listing"
)

// Parts are the parts of an instance, in the order of the listing.
var Parts = []Part{Database, Files, Media}
