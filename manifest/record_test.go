package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/seal"
)

var update = flag.Bool("update", false, "write the golden files anew")

func host(t testing.TB) *seal.Host {
	t.Helper()
	keys, err := seal.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	h, err := keys.Certify("example.org", 1, "")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sampleRecord(h *seal.Host) *Record {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	return &Record{
		Format: 1, Kind: KindBackup, Repository: h.Repository, Instance: h.Instance, Sequence: 12,
		Previous: []Hash{{7}}, Kept: []Hash{{7}, {8}}, Retired: []Hash{{9}},
		Started: at, Time: at.Add(time.Second), Finished: at.Add(time.Minute),
		Holdfast: "1.0.0", Facts: Facts{Engine: "sqlite", Migration: "20250715095446", Accounts: 3},
		Parts: map[Part]Total{Database: {1, 40960}, Media: {2, 17}}, Stored: 20480, Read: 41000, Missing: 1,
		Keys: []Key{{Hash{1}, 900}},
		Packs: map[Part][]Pack{
			Database: {{1, Hash{2}, 8192}}, Media: {{2, Hash{3}, 8192}}, Listing: {{3, Hash{4}, 4096}},
		},
		ListingAt: &ListingAt{Size: 300, SHA256: Hash{5}, Extents: []Extent{{3, 0, 300}}}, Epoch: 1,
	}
}

func TestRecordReadsBackAsSigned(t *testing.T) {
	h := host(t)
	want := sampleRecord(h)
	text, err := want.Sign(h)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(Hash{}), cmp.AllowUnexported(Record{})); diff != "" {
		t.Error(diff)
	}
	if got.Name() != sha256.Sum256(text) {
		t.Error("the name is not the hash of the bytes")
	}
}

func TestPackCountOutlivesThePacks(t *testing.T) {
	h := host(t)
	for name, c := range map[string]struct {
		change func(*Record)
		want   int
	}{
		"backup": {func(*Record) {}, 3},
		"backup with two packs of media": {func(r *Record) {
			r.Packs[Media] = append(r.Packs[Media], Pack{4, Hash{6}, 1})
		}, 4},
		"init": {func(r *Record) {
			r.Kind, r.Sequence, r.Previous, r.Kept, r.Packs, r.ListingAt = KindInit, 0, []Hash{}, []Hash{}, nil, nil
		}, 0},
	} {
		written := sampleRecord(h)
		c.change(written)
		text, err := written.Sign(h)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := ParseRecord(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range []*Record{written, parsed} {
			before := rec.PackCount()
			rec.DropPacks()
			if before != c.want || rec.PackCount() != c.want || rec.Packs != nil || rec.ListingAt != nil {
				t.Errorf("%s: %d packs, %d after DropPacks, want %d", name, before, rec.PackCount(), c.want)
			}
		}
	}
}

func TestRecordWithAnyBitFlippedDoesNotCount(t *testing.T) {
	text, err := sampleRecord(host(t)).Sign(host(t))
	if err == nil {
		// Signed by a host of another root: refused as a whole.
		if _, err := ParseRecord(text); !errors.Is(err, seal.ErrForged) {
			t.Errorf("another root's host: %v", err)
		}
	}
	h := host(t)
	if text, err = sampleRecord(h).Sign(h); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[i] ^= 1 << bit
			if _, err := ParseRecord(bad); err == nil {
				t.Fatalf("bit %d of byte %d", bit, i)
			}
		}
	}
}

func TestRecordThatContradictsItselfIsRefused(t *testing.T) {
	h := host(t)
	for name, spoil := range map[string]func(*Record){
		"unknown kind":              func(r *Record) { r.Kind = "party" },
		"init with a sequence":      func(r *Record) { r.Kind, r.ListingAt = KindInit, nil },
		"backup without a listing":  func(r *Record) { r.ListingAt = nil },
		"backup without previous":   func(r *Record) { r.Previous = nil },
		"pack twice":                func(r *Record) { r.Packs[Media] = append(r.Packs[Media], r.Packs[Database]...) },
		"pack of no size":           func(r *Record) { r.Packs[Media][0].Size = 0 },
		"listing in no pack":        func(r *Record) { r.ListingAt.Extents[0].Pack = 77 },
		"listing of another length": func(r *Record) { r.ListingAt.Size++ },
		"an extent before its pack": func(r *Record) { r.ListingAt.Extents[0].Offset = -1 },
		"a domain of two lines":     func(r *Record) { r.Instance = "a\nb" },
		"a domain that erases":      func(r *Record) { r.Instance = "a\x1b[2J" },
		"an engine of two lines":    func(r *Record) { r.Facts.Engine = "sqlite\nreboot" },
		"a version of two lines":    func(r *Record) { r.Facts.GoToSocial = "0.20.0\rreboot" },
		"a migration of two lines":  func(r *Record) { r.Facts.Migration = "2025\nreboot" },
		"a server of two lines":     func(r *Record) { r.Facts.Server = "15\nreboot" },
		"a user of two lines":       func(r *Record) { r.Facts.User = "a:b\nreboot" },
		"a sequence without end":    func(r *Record) { r.Sequence = MaxNumber + 1 },
		"sizes that overflow":       func(r *Record) { r.Parts[Media] = Total{1, math.MaxInt64} },
		"files that overflow":       func(r *Record) { r.Parts[Media] = Total{math.MaxInt64, 1} },
		"a negative size":           func(r *Record) { r.Parts[Database] = Total{1, -1} },
		"fewer than none missing":   func(r *Record) { r.Missing = -1 },
		"bytes that overflow":       func(r *Record) { r.Read = math.MaxInt64 },
		"two account domains":       func(r *Record) { r.Facts.AccountDomain = "a\nb" },
		"a writer that erases":      func(r *Record) { r.Holdfast = "1.0.0\u009b2J" },
	} {
		r := sampleRecord(h)
		spoil(r)
		if _, err := r.Sign(h); err == nil {
			t.Errorf("%s was signed", name)
		}
		line, _ := json.Marshal(r)
		if _, err := ParseRecord(signed(h, string(line))); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestNewerFormatIsNamed(t *testing.T) {
	h := host(t)
	r := sampleRecord(h)
	r.Format = 2
	text, err := r.Sign(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRecord(text); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("got %v", err)
	}
}

// A hundred gigabytes are 6,400 packs.
func TestRecordOfAHundredGigabytesStaysSmall(t *testing.T) {
	h := host(t)
	r := sampleRecord(h)
	for i := range 6400 {
		sum := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		r.Packs[Media] = append(r.Packs[Media], Pack{uint32(i + 10), sum, 16_700_000})
	}
	text, err := r.Sign(h)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 420_000 {
		t.Errorf("%d bytes", len(text))
	}
}

// Records of format 1 stay readable for ever.
func TestGoldenRecord(t *testing.T) {
	const file = "testdata/record-1"
	if *update {
		h := host(t)
		text, err := sampleRecord(h).Sign(h)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleRecord(&seal.Host{Repository: got.Repository, Instance: "example.org"})
	want.Certificate = got.Certificate
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Record{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzRecord(f *testing.F) {
	h := host(f)
	text, err := sampleRecord(h).Sign(h)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		ParseRecord(text)
		// Past the signature too: what a stolen key could sign.
		line, _, _ := bytes.Cut(text, []byte("\n"))
		if r, err := ParseRecord(signed(h, string(line))); err == nil {
			r.Inventory()
		}
	})
}
