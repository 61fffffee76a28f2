package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"holdfast/manifest"
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
	Progress   *Progress
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
	Warnings      []string
}

// verify is one run.
type verify struct {
	repo    *Repository
	cfg     VerifyConfig
	records []*manifest.Record
	needed  map[string]int64 // object to size
	report  VerifyReport

	mu  sync.Mutex // guards bad
	bad map[string]string
}

// Verify checks that every object that a kept record names is there at its
// size, and of Data's share that its bytes hash to its name. It needs no key.
// Problems are no error: they are in the report.
func (r *Repository) Verify(ctx context.Context, cfg VerifyConfig) (*VerifyReport, error) {
	v := &verify{repo: r, cfg: cfg, records: r.Records(), needed: map[string]int64{}, bad: map[string]string{}}
	v.report.Warnings = slices.Clone(r.Warnings)
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
	for name := range v.repo.kept() {
		object := manifest.RecordObject(name)
		switch err := v.repo.bad[name]; {
		case v.repo.records[name] != nil:
			v.needed[object] = v.repo.objects[object].Size
		case err != nil:
			v.bad[object] = err.Error()
		default:
			v.bad[object] = "is missing"
		}
	}
	for name, err := range v.repo.bad {
		v.bad[manifest.RecordObject(name)] = err.Error()
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
			v.bad[object] = "is missing"
		case o.Size != size:
			v.bad[object] = fmt.Sprintf("has %d bytes, want %d", o.Size, size)
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
	if want := strings.ToLower(v.cfg.ExpectHead); want != "" && !v.repo.Keeps(want) {
		v.bad[manifest.RecordObjectPrefix+want] = "was expected to be the newest snapshot or one before it, and is neither: newer snapshots were removed, or the remote was rolled back"
	}
}

// data hashes the chosen share of the objects that are there.
func (v *verify) data(ctx context.Context) error {
	if v.cfg.Data <= 0 {
		return nil
	}
	var all []string
	var size int64
	for object := range v.needed {
		// Records were hashed when they were read.
		if v.bad[object] == "" && !strings.HasPrefix(object, manifest.RecordObjectPrefix) {
			all = append(all, object)
			size += v.needed[object]
		}
	}
	slices.Sort(all)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var chosen int64
	n := 0
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
	v.report.Hashed, v.report.HashedN = chosen, n
	return g.Wait()
}

func (v *verify) hash(ctx context.Context, object string) error {
	body, err := v.repo.store.Get(ctx, object)
	if errors.Is(err, fs.ErrNotExist) {
		v.found(object, "is missing")
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify %s: %w", object, err)
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(body, v.needed[object]+1))
	if err != nil {
		return fmt.Errorf("verify %s: %w", object, err)
	}
	if _, want, _ := strings.Cut(object, "/"); manifest.Hash(sum.Sum(nil)).Hex() != want {
		v.found(object, "has other bytes than were stored")
	}
	v.cfg.Progress.did(1, n)
	v.cfg.Progress.moved(n)
	return nil
}

func (v *verify) found(object, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bad[object] = what
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
				if v.bad[p.Object()] != "" {
					hurts[p.Object()] = append(hurts[p.Object()], id)
				}
			}
		}
	}
	kept := map[string]bool{}
	for name := range v.repo.kept() {
		kept[manifest.RecordObject(name)] = true
	}
	for object, what := range v.bad {
		kind, hex, _ := strings.Cut(object, "/")
		p := Problem{Object: object, What: what, Hurts: hurts[object]}
		switch {
		case v.cfg.ExpectHead != "" && object == manifest.RecordObjectPrefix+strings.ToLower(v.cfg.ExpectHead):
			p.Fix = "look into the provider's log for who deleted or replaced objects; the snapshots that are listed can be restored"
		case kind == "packs":
			p.Fix = "copy the object back from a mirror; or delete it, if it is there, and run holdfast backup, which then stores again what the instance still has"
		case kind == "keys":
			p.Fix = "copy the object back from a mirror, or have another owner's key add it again; without any key object nothing can be restored"
		default:
			if kept[object] {
				p.Fix = "copy the object back from a mirror; other snapshots are not affected"
				p.Hurts = append(p.Hurts, hex[:min(10, len(hex))])
			} else {
				p.Fix = "no snapshot of this repository needs it: find out who put it there, then delete it"
			}
		}
		v.report.Problems = append(v.report.Problems, p)
	}
	slices.SortFunc(v.report.Problems, func(a, b Problem) int { return strings.Compare(a.Object, b.Object) })
	return nil
}
