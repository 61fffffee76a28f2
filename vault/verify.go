package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
	"holdfast/manifest/index"
	"holdfast/remote"
)

// VerifyConfig says how much to verify. With the zero value, Verify compares
// the remote's LIST with the records.
type VerifyConfig struct {
	// Data is the share of the packs, 0 to 1, whose sealed bytes Verify reads and
	// hashes. Each run draws other packs.
	Data float64
	// ExpectHead is the name of a record; nil: none. The log must keep the record:
	// otherwise the end of the log is missing.
	ExpectHead *manifest.Hash
	// Memory is the knowledge of the repository's host about the log's end.
	Memory   index.Memory
	Progress *Progress
}

// VerifyReport holds the findings of Verify.
type VerifyReport struct {
	Snapshots     int
	Objects       int      // that the snapshots need
	Bytes         int64    // of these objects
	Hashed        int64    // sealed bytes that were read and hashed
	HashedN       int      // objects that were read and hashed
	Unneeded      int      // packs of interrupted runs, which no snapshot needs
	UnneededBytes int64    // of these packs
	Foreign       []string // objects whose names are not Holdfast's
	Problems      []Problem
	KeysGone      bool     // no key object is whole: nobody can restore anything
	Warnings      []string // beside those of the repository
}

// verify is one run.
type verify struct {
	repo    *Repository
	cfg     VerifyConfig
	records []*manifest.Record
	needed  map[string]int64 // objects that the records need, and their sizes
	report  VerifyReport

	mu       sync.Mutex // guards findings
	findings map[string]finding
}

// Verify compares the objects of all kept records with the remote's LIST, names
// and sizes. For a share of the objects, Verify also reads the bytes and
// compares their hash with the object's name. Damage is not an error but part
// of the report. Verify needs no key.
func (r *Repository) Verify(ctx context.Context, cfg VerifyConfig) (*VerifyReport, error) {
	v := &verify{repo: r, cfg: cfg, records: r.Records(), needed: map[string]int64{}, findings: map[string]finding{}}
	for _, rec := range v.records {
		if rec.Kind == manifest.KindBackup {
			v.report.Snapshots++
		}
	}
	v.checkRecords()
	v.checkObjects()
	v.sortUnneeded()
	v.checkEnd()
	if err := v.hashShare(ctx); err != nil {
		return nil, err
	}
	if err := v.explain(ctx); err != nil {
		return nil, err
	}
	return &v.report, nil
}

// note records damage to an object.
func (v *verify) note(object string, f finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.findings[object] = f
}

// checkRecords checks the kept records, and all objects below snapshots/.
func (v *verify) checkRecords() {
	for _, name := range v.repo.log.Kept() {
		object := manifest.RecordObject(name)
		if v.repo.log.Record(name) != nil {
			v.needed[object], _ = v.repo.objects.size(object)
		} else if v.repo.bad[name] == nil {
			v.note(object, finding{what: "is missing"})
		}
	}
	for name, err := range v.repo.bad {
		unreadable := (*unreadableError)(nil)
		v.note(manifest.RecordObject(name), finding{what: err.Error(), unreadable: errors.As(err, &unreadable)})
	}
}

// checkObjects compares the LIST with the records.
func (v *verify) checkObjects() {
	for _, rec := range v.records {
		for _, k := range rec.Keys {
			v.needed[k.Object()] = k.Size
		}
	}
	for name, size := range v.repo.named {
		v.needed[manifest.Pack{Name: name}.Object()] = size
	}
	for object, size := range v.needed {
		v.report.Objects++
		v.report.Bytes += size
		switch listed, there := v.repo.objects.size(object); {
		case !there:
			v.note(object, finding{what: "is missing"})
		case listed != size:
			v.note(object, finding{what: fmt.Sprintf("has %d bytes, want %d", listed, size)})
		}
	}
}

// sortUnneeded counts the objects that no record needs.
func (v *verify) sortUnneeded() {
	for name, size := range v.repo.objects.all() {
		if _, needed := v.needed[name]; needed {
			continue
		}
		prefix, _, own := manifest.ParseObject(name)
		hex, probe := strings.CutPrefix(name, remote.ProbePrefix)
		_, err := manifest.ParseHex(hex)
		switch {
		case own && prefix == manifest.PackObjectPrefix:
			v.report.Unneeded++
			v.report.UnneededBytes += size
		case own:
			// checkRecords notes objects that do not count as records. A
			// retired record stays until its deletion.
		case probe && err == nil:
			// A probe stays if the storage denies its deletion.
		default:
			v.report.Foreign = append(v.report.Foreign, name)
		}
	}
	slices.Sort(v.report.Foreign)
}

// checkEnd compares the log's end with the expectations of the caller and the
// memory of this host.
func (v *verify) checkEnd() {
	if rec, err := manifest.ParseRecord(v.cfg.Memory.Text); err == nil && rec.Repository == v.repo.ID {
		v.checkMemory(v.cfg.Memory)
	}
	if want := v.cfg.ExpectHead; want != nil && !v.repo.Keeps(*want) {
		object := manifest.RecordObject(*want)
		v.note(object, finding{expected: true, remembered: v.findings[object].remembered,
			what: "is neither the newest snapshot nor an earlier one: " +
				"somebody deleted snapshots, or the remote was rolled back"})
	}
}

func (v *verify) checkMemory(m index.Memory) {
	if v.repo.log.Lacks(m.Head, v.repo.listed) {
		v.note(manifest.RecordObject(m.Head), finding{remembered: true,
			what: "is gone, and was the newest record that this host knew: " +
				"somebody deleted the record, or the remote was rolled back"})
	}
	before := slices.DeleteFunc(slices.Clone(m.LostHeads), func(name manifest.Hash) bool {
		return name == m.Head || !v.repo.log.Lacks(name, v.repo.listed)
	})
	if len(before) > 0 {
		v.report.Warnings = append(v.report.Warnings, lostBefore(before))
	}
}

// hashShare hashes the chosen share of the listed objects, and every key
// object: key objects are small, and every snapshot needs them. readNew has
// hashed the records.
func (v *verify) hashShare(ctx context.Context) error {
	var keys, rest []string
	var size, chosen int64
	for object, bytes := range v.needed {
		if v.findings[object].what != "" || strings.HasPrefix(object, manifest.RecordObjectPrefix) {
			continue
		}
		size += bytes
		if !strings.HasPrefix(object, manifest.KeyObjectPrefix) {
			rest = append(rest, object)
			continue
		}
		keys = append(keys, object)
		chosen += bytes
	}
	rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	all, n := append(keys, rest...), len(keys)
	for n < len(all) && float64(chosen) < v.cfg.Data*float64(size) {
		chosen += v.needed[all[n]]
		n++
	}
	v.cfg.Progress.begin("verify", int64(n), chosen)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, object := range all[:n] {
		g.Go(func() error { return v.hash(gctx, object) })
	}
	if v.cfg.Data > 0 {
		v.report.Hashed, v.report.HashedN = chosen, n
	}
	return g.Wait()
}

// hash reads an object and compares its hash with its name.
func (v *verify) hash(ctx context.Context, object string) error {
	var sum manifest.Hash
	var n int64
	f := v.repo.fetch(object)
	for f.next(ctx) {
		hash := sha256.New()
		read, err := io.Copy(hash, io.LimitReader(f, v.needed[object]+1))
		n, sum = read, manifest.Hash(hash.Sum(nil))
		f.done(err)
	}
	err := f.end(ctx)
	unreadable := (*unreadableError)(nil)
	switch _, want, _ := manifest.ParseObject(object); {
	case errors.As(err, &unreadable):
		v.note(object, finding{what: unreadable.Error(), unreadable: true})
	case errors.Is(err, ErrDamage):
		v.note(object, finding{what: "is missing"})
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case sum != want:
		v.note(object, finding{what: "has other bytes than were stored"})
	}
	v.cfg.Progress.did(1, n)
	v.cfg.Progress.moved(n)
	return nil
}
