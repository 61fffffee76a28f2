package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"holdfast/seal"
)

// RecordFormat is the version of records that this program writes.
const RecordFormat = 1

// MaxRecord bounds a record, in bytes: that of a terabyte has 4 MiB.
const MaxRecord = 64 << 20

// The kinds of records.
const (
	KindInit   = "init"
	KindBackup = "backup"
	KindRetire = "retire"
)

// Record is a signed entry of the repository's log. In the bucket it is a line
// of JSON and a line with its ed25519 signature, and lies in clear: it tells
// sizes, counts and dates, never a file's name. A record is an inventory by
// itself: every pack it needs, every key object, every record still kept.
type Record struct {
	Format     int               `json:"format"`
	Kind       string            `json:"kind"`
	Repository seal.RepositoryID `json:"repository"`
	Instance   string            `json:"instance"` // the domain
	Sequence   int64             `json:"sequence"` // one more than the highest of Previous; init has 0
	// Previous are the heads that this record continues: one, or several where
	// it joins a fork.
	Previous []Hash `json:"previous"`
	// Kept are all other records that are still kept, Previous among them.
	Kept []Hash `json:"kept"`
	// Retired are records that were taken out of the inventory and whose
	// objects may still lie in the remote: they are no heads.
	Retired []Hash `json:"retired,omitempty"`

	Started  time.Time `json:"started"` // of the run
	Time     time.Time `json:"time"`    // of the database's view: what the snapshot shows
	Finished time.Time `json:"finished"`
	Holdfast string    `json:"holdfast"` // version of the program that wrote it
	Facts    Facts     `json:"facts,omitzero"`

	Parts map[Part]Total `json:"parts,omitempty"`
	// Stored is what this run added to the remote, in sealed bytes; Read is
	// what it had to read of the instance.
	Stored int64 `json:"stored"`
	Read   int64 `json:"read"`
	// Missing counts files that the database names and the storage lacked.
	Missing int64 `json:"missing,omitempty"`

	Keys  []Key           `json:"keys"`
	Packs map[Part][]Pack `json:"packs,omitempty"`
	// ListingAt is where the listing's bytes lie, in order.
	ListingAt *ListingAt `json:"listing,omitempty"`

	Epoch       int              `json:"epoch"`
	Certificate seal.Certificate `json:"certificate"`

	name Hash
}

// Total sums up a part.
type Total struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// ListingAt is where the listing lies.
type ListingAt struct {
	Size    int64    `json:"size"`
	SHA256  Hash     `json:"sha256"`
	Extents []Extent `json:"extents"`
}

// Pack is an entry of the inventory; in JSON [number, name, size].
type Pack struct {
	Number uint32
	Name   Hash
	Size   int64 // sealed bytes
}

// Key is a key object of the inventory; in JSON [name, size].
type Key struct {
	Name Hash
	Size int64
}

// The kinds of objects, as prefixes of their names in the remote.
const (
	PackObjectPrefix   = "packs/"
	KeyObjectPrefix    = "keys/"
	RecordObjectPrefix = "snapshots/"
)

// Object is the pack's name in the remote.
func (p Pack) Object() string { return PackObjectPrefix + p.Name.Hex() }

// Object is the key's name in the remote.
func (k Key) Object() string { return KeyObjectPrefix + k.Name.Hex() }

// RecordObject is a record's name in the remote.
func RecordObject(name Hash) string { return RecordObjectPrefix + name.Hex() }

// Name is the SHA-256 of the record's bytes; zero before it was signed.
func (r *Record) Name() Hash { return r.name }

// ID is what a person types: the first 10 hexadecimal digits of the name.
func (r *Record) ID() string { return r.name.String() }

// Sign returns the record's bytes, and gives the record its name.
func (r *Record) Sign(host *seal.Host) ([]byte, error) {
	r.Certificate = host.Certificate
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write record: %w", err)
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("write record: %w", err)
	}
	text := fmt.Appendf(nil, "%s\n%s\n", line, base64.StdEncoding.EncodeToString(host.SignRecord(line)))
	r.name = sha256.Sum256(text)
	return text, nil
}

// ErrNewer means that a newer version of Holdfast wrote something: update.
var ErrNewer = errors.New("it takes a newer version of holdfast")

// ParseRecord reads a record's bytes and checks everything that can be checked
// without another object: its signature, that of its host's certificate by the
// repository's own root, and that its numbers agree. Callers who know which
// repository they want compare Repository.
func ParseRecord(text []byte) (*Record, error) {
	line, rest, ok := bytes.Cut(text, []byte("\n"))
	encoded, end, ok2 := bytes.Cut(rest, []byte("\n"))
	if !ok || !ok2 || len(end) != 0 {
		return nil, errors.New("read record: not two lines")
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(line, &version); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if version.Format != RecordFormat {
		return nil, fmt.Errorf("read record: format %d, this program knows %d: %w", version.Format, RecordFormat, ErrNewer)
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(string(encoded))
	if err != nil {
		return nil, fmt.Errorf("read record: signature: %w", err)
	}
	if err := r.Certificate.Verify(r.Repository, r.Instance); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if err := r.Certificate.VerifyRecord(line, signature); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	r.name = sha256.Sum256(text)
	return &r, nil
}

// validate refuses what would lead a reader astray.
func (r *Record) validate() error {
	switch {
	case r.Kind != KindInit && r.Kind != KindBackup && r.Kind != KindRetire:
		return fmt.Errorf("kind %q is not known", r.Kind)
	case r.Instance == "" || !printable(r.Instance):
		return fmt.Errorf("instance %q is no domain", r.Instance)
	case !printable(r.Holdfast + r.Facts.Engine + r.Facts.Server + r.Facts.User + r.Facts.AccountDomain + r.Facts.GoToSocial + r.Facts.Migration):
		return errors.New("facts or version hold control characters")
	case len(r.Keys) == 0:
		return errors.New("it names no key object: nobody could open it")
	case r.Sequence < 0 || (r.Sequence == 0) != (r.Kind == KindInit) || (r.Kind == KindInit) != (len(r.Previous) == 0):
		return fmt.Errorf("a record of kind %q can't have sequence %d and %d before it", r.Kind, r.Sequence, len(r.Previous))
	case (r.Kind == KindBackup) != (r.ListingAt != nil), r.Kind != KindBackup && len(r.Packs) > 0:
		return fmt.Errorf("a record of kind %q with or without listing and packs", r.Kind)
	}
	seen := map[uint32]bool{}
	names := map[Hash]bool{}
	for part, packs := range r.Packs {
		if part != Database && part != Files && part != Media && part != Listing {
			return fmt.Errorf("packs of the part %q, which is not known", part)
		}
		for _, p := range packs {
			if p.Size <= 0 || p.Number == 0 || seen[p.Number] || names[p.Name] {
				return fmt.Errorf("pack %d of %s is listed twice, or has no number or no size", p.Number, part)
			}
			seen[p.Number], names[p.Name] = true, true
		}
	}
	if r.ListingAt == nil {
		return nil
	}
	var size int64
	for _, e := range r.ListingAt.Extents {
		if !seen[e.Pack] || e.Offset < 0 || e.Length <= 0 {
			return fmt.Errorf("the listing's extent %v leads nowhere", e)
		}
		size += e.Length
	}
	if size != r.ListingAt.Size {
		return fmt.Errorf("the listing has %d bytes, its extents %d", r.ListingAt.Size, size)
	}
	return nil
}

// printable reports whether text can do no harm on a terminal or in a file of
// lines.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

// Inventory are the record's packs by number.
func (r *Record) Inventory() map[uint32]Pack {
	all := map[uint32]Pack{}
	for _, packs := range r.Packs {
		for _, p := range packs {
			all[p.Number] = p
		}
	}
	return all
}

// MaxPack is the highest pack number in the record.
func (r *Record) MaxPack() uint32 {
	var highest uint32
	for _, packs := range r.Packs {
		for _, p := range packs {
			highest = max(highest, p.Number)
		}
	}
	return highest
}

// MarshalJSON writes [number, name, size].
func (p Pack) MarshalJSON() ([]byte, error) { return json.Marshal([]any{p.Number, p.Name, p.Size}) }

// UnmarshalJSON reads [number, name, size].
func (p *Pack) UnmarshalJSON(text []byte) error { return tuple(text, &p.Number, &p.Name, &p.Size) }

// MarshalJSON writes [name, size].
func (k Key) MarshalJSON() ([]byte, error) { return json.Marshal([]any{k.Name, k.Size}) }

// UnmarshalJSON reads [name, size].
func (k *Key) UnmarshalJSON(text []byte) error { return tuple(text, &k.Name, &k.Size) }

// MarshalJSON writes [pack, offset, length].
func (e Extent) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d,%d]", e.Pack, e.Offset, e.Length), nil
}

// UnmarshalJSON reads [pack, offset, length].
func (e *Extent) UnmarshalJSON(text []byte) error { return tuple(text, &e.Pack, &e.Offset, &e.Length) }

// tuple reads a JSON array of exactly these fields.
func tuple(text []byte, fields ...any) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	if len(raw) != len(fields) {
		return fmt.Errorf("%s has %d fields, want %d", text, len(raw), len(fields))
	}
	for i, f := range fields {
		if err := json.Unmarshal(raw[i], f); err != nil {
			return err
		}
	}
	return nil
}
