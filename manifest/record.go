package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/strict"
	"holdfast/seal"
)

// Record is a signed entry of the repository's log. In the bucket a record is a
// line of JSON and a line with an ed25519 signature, in clear: sizes, counts and
// dates, never a file's name. A record names every object that a restore of the
// record needs, and every record that is still kept.
type Record struct {
	Format     int               `json:"format"`
	Kind       string            `json:"kind"`
	Repository seal.RepositoryID `json:"repository"`
	Instance   string            `json:"instance"` // the domain
	Sequence   int64             `json:"sequence"` // one more than the highest of Previous; init has 0
	// Previous are the heads that this record continues: one head, or several to
	// join a fork.
	Previous Hashes `json:"previous"`
	// Kept are the other kept records, Previous included.
	Kept Hashes `json:"kept"`
	// Retired are records that are no longer kept. The objects of a retired record
	// may still lie in the remote; a retired record is not a head.
	Retired Hashes `json:"retired,omitempty"`

	Started  time.Time `json:"started"` // of the run
	Time     time.Time `json:"time"`    // of the database transaction that the snapshot shows
	Finished time.Time `json:"finished"`
	Holdfast string    `json:"holdfast"` // version of the program that wrote the record
	Facts    Facts     `json:"facts,omitzero"`

	Parts map[Part]Total `json:"parts,omitempty"`
	// Stored counts the sealed bytes that the run added to the remote. Read counts
	// the bytes that the run read from the instance.
	Stored int64 `json:"stored"`
	Read   int64 `json:"read"`
	// Missing counts media that the database names and the media storage lacks.
	Missing int64 `json:"missing,omitempty"`

	Keys []Key `json:"keys"`
	// Packs are the packs of each part. After DropPacks, Packs is nil: use PackCount
	// for the number of packs.
	Packs map[Part][]Pack `json:"packs,omitempty"`
	// ListingAt locates the listing; set if Kind is "backup". After DropPacks,
	// ListingAt is nil.
	ListingAt *ListingAt `json:"listing,omitempty"`

	Epoch       int              `json:"epoch"`
	Certificate seal.Certificate `json:"certificate"`

	name      Hash
	packCount int
}

// RecordFormat is the version of the records that this program writes.
const RecordFormat = 1

// MaxRecord bounds a record, in bytes. A terabyte needs a record of 4 MiB. A
// reader of a record of this size needs less than 128 MiB.
const MaxRecord = 16 << 20

// MaxNumber bounds the sequence, sizes and counts of a record. Sums of several such
// numbers never overflow, and each JSON reader represents them exactly.
const MaxNumber = 1 << 53

// The kinds of records.
const (
	KindInit   = "init"
	KindBackup = "backup"
	KindRetire = "retire"
)

// Total sums up a part.
type Total struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Plus returns the sum of two parts.
func (t Total) Plus(other Total) Total {
	return Total{Files: t.Files + other.Files, Bytes: t.Bytes + other.Bytes}
}

// ListingAt locates the listing.
type ListingAt struct {
	Size    int64   `json:"size"` // bytes
	SHA256  Hash    `json:"sha256"`
	Extents Extents `json:"extents"` // in order
}

// Name returns the SHA-256 of the record's bytes; zero before Sign.
func (r *Record) Name() Hash { return r.name }

// ID returns the first 10 hexadecimal digits of the name, for people.
func (r *Record) ID() string { return r.name.String() }

// Sign sets the certificate and the name of the record, and returns the record's
// bytes.
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
	if len(text) > MaxRecord {
		return nil, fmt.Errorf("write record: it has %d bytes, and a record has at most %d", len(text), MaxRecord)
	}
	r.settle(text)
	return text, nil
}

// ErrNewer means that only a newer version of Holdfast can read a record.
var ErrNewer = errors.New("update holdfast: a newer version wrote the record")

// ParseRecord reads a record's bytes and checks the record without any other
// object: the signature, the root's signature of the host's certificate, and the
// numbers. A wrong signature is [seal.ErrForged], an unknown format [ErrNewer].
// Callers compare Repository with the repository that they want.
func ParseRecord(text []byte) (*Record, error) {
	if len(text) > MaxRecord {
		return nil, fmt.Errorf("read record: it has %d bytes, and a record has at most %d", len(text), MaxRecord)
	}
	line, rest, ok := bytes.Cut(text, []byte("\n"))
	encoded, end, ok2 := bytes.Cut(rest, []byte("\n"))
	if !ok || !ok2 || len(end) != 0 {
		return nil, errors.New("read record: not two lines")
	}
	format, err := verifyLine(line, encoded)
	if err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if format != RecordFormat {
		return nil, fmt.Errorf("read record: format %d, known is %d: %w", format, RecordFormat, ErrNewer)
	}
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	r.settle(text)
	return &r, nil
}

// verifyLine checks the two signatures of a record and returns the record's format. Nothing else is read before:
// bytes that nobody signed cost no more memory than their own.
func verifyLine(line, encoded []byte) (format int, err error) {
	members, err := strict.Members(line, "format", "repository", "instance", "certificate")
	if err != nil {
		return 0, err
	}
	var id seal.RepositoryID
	var instance string
	var host seal.Certificate
	for i, to := range []any{&format, &id, &instance, &host} {
		if members[i] == nil || len(members[i]) > maxMember {
			return 0, errors.New("format, repository, instance or certificate is missing or too long")
		}
		if err := json.Unmarshal(members[i], to); err != nil {
			return 0, err
		}
	}
	signature, err := strict.Base64(base64.StdEncoding, encoded)
	if err != nil {
		return 0, fmt.Errorf("signature: %w", err)
	}
	if err := host.Verify(id, instance); err != nil {
		return 0, err
	}
	return format, host.VerifyRecord(line, signature)
}

// maxMember bounds each member that [ParseRecord] reads before it knows the signer, in bytes.
const maxMember = 4 << 10

// settle sets the fields that follow from the bytes of the record.
func (r *Record) settle(text []byte) {
	r.name = sha256.Sum256(text)
	r.packCount = 0
	for _, packs := range r.Packs {
		r.packCount += len(packs)
	}
}

// validate checks the rules of docs/format.md for one record.
func (r *Record) validate() error {
	switch {
	case r.Kind != KindInit && r.Kind != KindBackup && r.Kind != KindRetire:
		return fmt.Errorf("kind %.100q is not known", r.Kind)
	case r.Instance == "" || !printable(r.Instance):
		return fmt.Errorf("instance %.100q is not a domain", r.Instance)
	case !printable(r.Holdfast) || !r.Facts.printable():
		return errors.New("facts or version hold control characters")
	case len(r.Keys) == 0:
		return errors.New("the record names no key object, so nobody could open a snapshot")
	case r.Sequence < 0 || (r.Sequence == 0) != (r.Kind == KindInit) || (r.Kind == KindInit) != (len(r.Previous) == 0):
		return fmt.Errorf("kind %.100q contradicts sequence %d after %d records", r.Kind, r.Sequence, len(r.Previous))
	case (r.Kind == KindBackup) != (r.ListingAt != nil), r.Kind != KindBackup && len(r.Packs) > 0:
		return fmt.Errorf("kind %.100q contradicts the listing and packs of the record", r.Kind)
	}
	if err := r.validateNumbers(); err != nil {
		return err
	}
	numbers, err := r.validatePacks()
	if err != nil {
		return err
	}
	if r.ListingAt == nil {
		return nil
	}
	return r.ListingAt.validate(numbers)
}

// validateNumbers checks the sequence, the sizes and the counts.
func (r *Record) validateNumbers() error {
	all := []int64{r.Sequence, r.Stored, r.Read, r.Missing}
	for _, total := range r.Parts {
		all = append(all, total.Files, total.Bytes)
	}
	for _, n := range all {
		if n < 0 || n > MaxNumber {
			return fmt.Errorf("the number %d is not from 0 to 2^53", n)
		}
	}
	return nil
}

// validatePacks returns the numbers of the record's packs.
func (r *Record) validatePacks() (numbers map[uint32]bool, err error) {
	numbers = map[uint32]bool{}
	names := map[Hash]bool{}
	for part, packs := range r.Packs {
		if part != Database && part != Files && part != Media && part != Listing {
			return nil, fmt.Errorf("packs of an unknown part %.100q", part)
		}
		for _, p := range packs {
			if p.Size <= 0 || p.Number == 0 || numbers[p.Number] || names[p.Name] {
				return nil, fmt.Errorf("pack %d of %s is named twice, or has no number or no size", p.Number, part)
			}
			numbers[p.Number], names[p.Name] = true, true
		}
	}
	return numbers, nil
}

// validate checks that the listing lies in the numbered packs.
func (l *ListingAt) validate(packs map[uint32]bool) error {
	var size int64
	for _, e := range l.Extents {
		if !packs[e.Pack] || e.Offset < 0 || e.Length <= 0 {
			return fmt.Errorf("extent %v of the listing is not in a pack of the record", e)
		}
		size += e.Length
	}
	if size != l.Size {
		return fmt.Errorf("the listing has %d bytes, the extents %d", l.Size, size)
	}
	return nil
}

// PackCount returns the number of packs, also after DropPacks; zero before Sign.
func (r *Record) PackCount() int { return r.packCount }

// DropPacks sets Packs and ListingAt to nil. A program with many records then needs
// less memory. PackCount does not change.
func (r *Record) DropPacks() { r.Packs, r.ListingAt = nil, nil }

// Inventory returns the record's packs by number.
func (r *Record) Inventory() map[uint32]Pack {
	all := map[uint32]Pack{}
	for _, packs := range r.Packs {
		for _, p := range packs {
			all[p.Number] = p
		}
	}
	return all
}

// MaxPack returns the highest pack number in the record.
func (r *Record) MaxPack() uint32 {
	var highest uint32
	for _, packs := range r.Packs {
		for _, p := range packs {
			highest = max(highest, p.Number)
		}
	}
	return highest
}
