package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/manifest/index"
	"holdfast/seal"
	"holdfast/vault"
)

// verifyVerb checks what a repository holds.
type verifyVerb struct {
	from       string
	data       string
	expectHead string
}

func (a *app) verifyCommand() *cobra.Command {
	var v verifyVerb
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the storage holds what the snapshots need; needs no key",
		Long: `Check that the storage holds every object that a snapshot needs, at its size.
With --data also that a share of them, drawn anew each time, or all of them,
still have the bytes that were stored. No key is needed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkHead(cmd.Flags()); err != nil {
				return err
			}
			return v.run(cmd.Context(), a)
		},
	}
	fromFlag(cmd, &v.from)
	cmd.Flags().StringVar(&v.data, "data", "", "read and hash this `SHARE` of the bytes: 5%, or all")
	cmd.Flags().StringVar(&v.expectHead, "expect-head", "", "the newest record must be, or descend from, the one whose `ID` starts so")
	return cmd
}

// verifyResult is what verify saw, for --json.
type verifyResult struct {
	Snapshots     int       `json:"snapshots"`
	Head          string    `json:"head"`
	HeadTime      time.Time `json:"head_time"`
	Objects       int       `json:"objects"`
	Bytes         int64     `json:"bytes"`
	HashedObjects int       `json:"hashed_objects"`
	HashedBytes   int64     `json:"hashed_bytes"`
	Unneeded      int       `json:"unneeded"`
	UnneededBytes int64     `json:"unneeded_bytes"`
	Foreign       []string  `json:"foreign,omitempty"`
	Problems      int       `json:"problems"`
}

type verifyProblem struct {
	Object string   `json:"object"`
	What   string   `json:"what"`
	Hurts  []string `json:"hurts,omitempty"`
	Fix    string   `json:"fix"`
}

func (v *verifyVerb) run(ctx context.Context, a *app) error {
	frugal()
	share, err := parseShare(v.data)
	if err != nil {
		return usage(err, "write --data 5% or --data all")
	}
	// Before the LIST: a backup that goes on meanwhile writes the record first.
	memory := a.remembered(v.from)
	repo, err := a.open(ctx, v.from, seal.RepositoryID{})
	if err != nil {
		return err
	}
	defer repo.close()
	p := new(vault.Progress)
	var report *vault.VerifyReport
	err = a.watch(ctx, "read", p, func(ctx context.Context) (err error) {
		report, err = repo.Verify(ctx, vault.VerifyConfig{Data: share, ExpectHead: v.expectHead, Memory: memory, Progress: p})
		return err
	})
	if err != nil {
		return err
	}
	head := repo.Head()
	a.result = verifyResult{
		report.Snapshots, head.Name().Hex(), head.Time, report.Objects, report.Bytes, report.HashedN, report.Hashed,
		report.Unneeded, report.UnneededBytes, report.Foreign, len(report.Problems),
	}
	a.tellVerify(report)
	if report.KeysGone {
		return &problem{exit: exitDamage, err: errors.New("nobody can restore anything: no key object is whole"),
			effect: "the snapshots are there, and nothing opens them", fix: "follow the lines above, then verify again"}
	}
	if n := len(report.Problems); n > 0 {
		effect := "no snapshot that is listed is hurt"
		if slices.ContainsFunc(report.Problems, func(p vault.Problem) bool { return len(p.Hurts) > 0 }) {
			effect = "the snapshots named above can't be restored whole"
		}
		return &problem{exit: exitDamage, err: fmt.Errorf("%s not as it must be", count(int64(n), "object")),
			effect: effect, fix: "follow the lines above, then verify again"}
	}
	if head := latest(repo.Records()); head != nil {
		seen := "missing"
		if share > 0 {
			seen = "damaged in what was read"
		}
		if share == 1 {
			seen = "damaged"
		}
		a.say("✓ nothing is %s; the newest snapshot, %s, is %s old", seen, head.ID(), elapsed(head.Time))
	}
	return nil
}

// remembered is what this host knows of the log's end, where the verb reads the
// remote that it backs up to. Elsewhere it is nothing.
func (a *app) remembered(from string) (memory index.Memory) {
	c, err := a.config()
	if err != nil || len(c.Remotes) == 0 {
		return memory
	}
	if from != "" {
		home, err := newPlace(c.Remotes[0].URL)
		at, err2 := newPlace(from)
		if err != nil || err2 != nil || at.url != home.url {
			return memory
		}
	}
	if memory, err = index.ReadMemory(a.state); err != nil {
		a.warn("what this host knows of the newest snapshot could not be compared: %v", err)
	}
	return memory
}

// parseShare reads "", "all" or "5%".
func parseShare(s string) (float64, error) {
	switch s {
	case "":
		return 0, nil
	case "all":
		return 1, nil
	}
	number, ok := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(n > 0 && n <= 100) {
		return 0, fmt.Errorf("--data %q is no share", s)
	}
	return n / 100, nil
}

func (a *app) tellVerify(r *vault.VerifyReport) {
	a.say("compared with what the storage lists: %s, %s, of %s", count(int64(r.Objects), "object"), size(r.Bytes), count(int64(r.Snapshots), "record"))
	if r.HashedN > 0 {
		a.say("read and hashed: %s, %s", count(int64(r.HashedN), "object"), size(r.Hashed))
	}
	if r.Unneeded > 0 {
		a.say("needed by no snapshot: %s, %s; interrupted runs leave such; a backup uses those that its index still knows", count(int64(r.Unneeded), "pack"), size(r.UnneededBytes))
	}
	foreign := make([]string, len(r.Foreign))
	for i, name := range r.Foreign {
		foreign[i] = legible(name)
	}
	a.warnAll("no object of Holdfast's: %s", foreign)
	for _, w := range r.Warnings {
		a.warn("%s", w)
	}
	for _, p := range r.Problems {
		if a.json {
			a.line("problem", verifyProblem{p.Object, p.What, p.Hurts, p.Fix})
			continue
		}
		fmt.Fprintf(a.err, "✗ %s %s\n", legible(p.Object), oneLine(p.What))
		if len(p.Hurts) > 0 {
			fmt.Fprintf(a.err, "  hurts    %s\n", strings.Join(p.Hurts, ", "))
		}
		fmt.Fprintf(a.err, "  fix      %s\n", p.Fix)
	}
}
