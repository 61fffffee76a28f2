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
)

// VerifyConfig is how much to verify. The zero value compares the remote's LIST
// with what the records name.
type VerifyConfig struct {
	// Data is the share of the packs, 0 to 1, whose sealed bytes are read and
	// hashed. Which ones is drawn anew each time.
	Data float64
	// ExpectHead is the start of the name of a record that must be the newest,
	// or be kept by it: what a bucket alone can't tell is a missing end.
	ExpectHead string
	// Memory is what the host that adds to the repository knows of the log's end.
	Memory   index.Memory
	Progress *Progress
}

// Problem is damage to one object.
type Problem struct {
	Object string // "packs/…"
	What   string
	// Hurts are the IDs of the snapshots that need the object, newest first.
	Hurts []string
	Fix   string
}

// VerifyReport is what a verification saw.
type VerifyReport struct {
	Snapshots int
	Objects   int   // that the snapshots need
	Bytes     int64 // of these
	Hashed    int64 // sealed bytes that were read and hashed
	HashedN   int   // objects
	// Unneeded are objects that no snapshot needs: of interrupted runs.
	Unneeded      int
	UnneededBytes int64
	Foreign       []string // objects of no known kind or name
	Problems      []Problem
	// KeysGone: no key object is left, and nobody can restore anything.
	KeysGone bool
	Warnings []string // beside the repository's own
}

// verify is one run.
type verify struct {
	repo    *Repository
	cfg     VerifyConfig
	records []*manifest.Record
	needed  map[string]int64 // object to size
	report  VerifyReport

	mu  sync.Mutex // guards bad
	bad map[string]problem
}

// problem is what is wrong with an object.
type problem struct {
	what  string
	rot   bool   // the storage doesn't give it
	ended string // not "": the ID of a record that the log should end with, or keep
}

// Verify checks that every object that a kept record names is there at its
// size, and of Data's share that its bytes hash to its name. It needs no key.
// Problems are no error: they are in the report.
func (r *Repository) Verify(ctx context.Context, cfg VerifyConfig) (*VerifyReport, error) {
	v := &verify{repo: r, cfg: cfg, records: r.Records(), needed: map[string]int64{}, bad: map[string]problem{}}
	v.report.Snapshots = len(v.records)
	v.inventory()
	if err := v.data(ctx); err != nil {
		return nil, err
	}
	if err := v.explain(ctx); err != nil {
		return nil, err
	}
	return &v.report, nil
}

// inventory compares the LIST with what the records name.
func (v *verify) inventory() {
	for _, name := range v.repo.log.Kept() {
		object := manifest.RecordObject(name)
		switch err := v.repo.bad[name]; {
		case v.repo.log.Record(name) != nil:
			v.needed[object] = v.repo.objects[object].Size
		case err != nil:
			v.found(object, err.Error())
		default:
			v.found(object, "is missing")
		}
	}
	for name, err := range v.repo.bad {
		rot := (*unreadableError)(nil)
		v.bad[manifest.RecordObject(name)] = problem{what: err.Error(), rot: errors.As(err, &rot)}
	}
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
		switch o, there := v.repo.objects[object]; {
		case !there:
			v.found(object, "is missing")
		case o.Size != size:
			v.found(object, fmt.Sprintf("has %d bytes, want %d", o.Size, size))
		}
	}
	for name, o := range v.repo.objects {
		kind, hex, _ := strings.Cut(name, "/")
		_, err := manifest.ParseHex(hex)
		switch _, needed := v.needed[name]; {
		case needed:
		case kind == "packs" && err == nil:
			v.report.Unneeded++
			v.report.UnneededBytes += o.Size
		case (kind == "snapshots" || kind == "keys") && err == nil:
			// A record that does not count is a problem of its own; one that was
			// retired is on its way out.
		default:
			v.report.Foreign = append(v.report.Foreign, name)
		}
	}
	slices.Sort(v.report.Foreign)
	v.remember()
	if want := strings.ToLower(v.cfg.ExpectHead); want != "" && !v.repo.Keeps(want) {
		v.bad[manifest.RecordObjectPrefix+want] = problem{ended: want, what: "was expected to be the newest snapshot or one before it, and is neither: newer snapshots were removed, or the remote was rolled back"}
	}
}

// remember compares the log's end with what this host knows of it.
func (v *verify) remember() {
	m := v.cfg.Memory
	if rec, err := manifest.ParseRecord(m.Text); err != nil || rec.Repository != v.repo.ID {
		return
	}
	if v.repo.log.Lacks(m.Head, v.repo.listed) {
		v.bad[manifest.RecordObject(m.Head)] = problem{ended: m.Head.String(), what: "is gone, and was the newest record that this host knew: somebody deleted it, or the remote was rolled back"}
	}
	gone := slices.DeleteFunc(slices.Clone(m.Gone), func(name manifest.Hash) bool { return name == m.Head || !v.repo.log.Lacks(name, v.repo.listed) })
	if len(gone) > 0 {
		v.report.Warnings = append(v.report.Warnings, stillGone(gone))
	}
}

// data hashes the chosen share of the objects that are there.
func (v *verify) data(ctx context.Context) error {
	var keys, rest []string
	var size, chosen int64
	for object, bytes := range v.needed {
		switch {
		case v.bad[object].what != "", strings.HasPrefix(object, manifest.RecordObjectPrefix):
			continue // records were hashed when they were read
		case strings.HasPrefix(object, "keys/"):
			keys = append(keys, object)
			chosen += bytes
		default:
			rest = append(rest, object)
		}
		size += bytes
	}
	rand.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	// The keys whatever was asked for: they are small, and nothing opens without.
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
	rot := (*unreadableError)(nil)
	switch _, want, _ := strings.Cut(object, "/"); {
	case errors.As(err, &rot):
		v.mu.Lock()
		v.bad[object] = problem{what: rot.Error(), rot: true}
		v.mu.Unlock()
	case errors.Is(err, ErrDamage):
		v.found(object, "is missing")
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case sum.Hex() != want:
		v.found(object, "has other bytes than were stored")
	}
	v.cfg.Progress.did(1, n)
	v.cfg.Progress.moved(n)
	return nil
}

func (v *verify) found(object, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bad[object] = problem{what: what}
}

// explain says for each damaged object which snapshots it hurts and what to do.
func (v *verify) explain(ctx context.Context) error {
	if len(v.bad) == 0 {
		return nil
	}
	hurts := map[string][]string{}
	for _, rec := range v.records {
		whole, err := v.repo.Load(ctx, rec)
		if errors.Is(err, ErrDamage) {
			continue // it was there a moment ago, and is a problem of its own by the next run
		}
		if err != nil {
			return err
		}
		id := rec.ID()
		for _, k := range rec.Keys {
			hurts[k.Object()] = append(hurts[k.Object()], id)
		}
		for _, packs := range whole.Packs {
			for _, p := range packs {
				if v.bad[p.Object()].what != "" {
					hurts[p.Object()] = append(hurts[p.Object()], id)
				}
			}
		}
	}
	kept := map[string]bool{}
	for _, name := range v.repo.log.Kept() {
		kept[manifest.RecordObject(name)] = true
	}
	v.report.KeysGone = !slices.ContainsFunc(v.repo.log.Keys(), func(k manifest.Key) bool { return v.bad[k.Object()].what == "" })
	for object, bad := range v.bad {
		kind, hex, _ := strings.Cut(object, "/")
		p := Problem{Object: object, What: bad.what, Hurts: hurts[object]}
		switch {
		case bad.ended != "" && v.cfg.Memory.Head.Hex() == hex:
			p.Hurts = []string{bad.ended}
			p.Fix = "ask the storage's provider who deleted objects; holdfast backup puts the record back where its packs are still there; the snapshots that are listed can be restored"
		case bad.ended != "":
			p.Fix = "look into the provider's log for who deleted or replaced objects; the snapshots that are listed can be restored"
		case kind == "packs":
			p.Fix = "copy the object back from a mirror; or delete it, if it is there, and run holdfast backup, which then stores again what the instance still has"
		case kind == "keys" && v.report.KeysGone:
			p.Fix = ownKeysFix + "; else " + keysGoneFix
		case kind == "keys":
			p.Fix = ownKeysFix + "; else copy the object back from a mirror: without it its owner can't restore, only those of the other key objects can"
		case kept[object]:
			p.Fix = "copy the object back from a mirror; other snapshots are not affected"
			p.Hurts = append(p.Hurts, hex[:min(10, len(hex))])
		case bad.rot:
			p.Fix = "copy the object back from a mirror; where there is none, delete it: it may be the newest snapshot, and holdfast backup does not go on beside it"
		default:
			p.Fix = "no snapshot of this repository needs it: find out who put it there, then delete it"
		}
		if bad.rot {
			p.Fix = "see why the storage can't read it (its log, its disk, the file's owner); if it is lost, " + p.Fix
		}
		v.report.Problems = append(v.report.Problems, p)
	}
	slices.SortFunc(v.report.Problems, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	return nil
}
