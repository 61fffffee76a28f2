package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/agent"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/units"
	"holdfast/manifest"
	"holdfast/remedy"
	"holdfast/vault"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	from string
	data string
	head *manifest.Hash // of --expect-head; nil: any
}

func verifyCommand(a *app) *cobra.Command {
	var v verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that the storage holds what the snapshots need; needs no key",
		Long: `Check that the storage holds every object that a snapshot needs, at the right
size. With --data, verify also reads a random share of the objects, or all of
them, and checks that their bytes are unchanged. No key is needed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if v.head, err = expectedHead(cmd.Flags()); err != nil {
				return err
			}
			return verify(cmd.Context(), a, v)
		},
	}
	fromFlag(cmd, &v.from)
	cmd.Flags().StringVar(&v.data, "data", "", "read and hash this `SHARE` of the bytes: 5%, or all")
	expectHeadFlag(cmd.Flags())
	return cmd
}

func expectHeadFlag(flags *pflag.FlagSet) {
	flags.String("expect-head", "",
		"fail unless the record with this whole `ID` is still in the history; detects deleted snapshots")
}

// expectedHead reads --expect-head; nil is any head. Some digits of an ID
// are not enough: a thief of the host's key can sign records until one starts so.
func expectedHead(flags *pflag.FlagSet) (*manifest.Hash, error) {
	f := flags.Lookup("expect-head")
	if !f.Changed {
		return nil, nil
	}
	head, err := manifest.ParseHex(strings.ToLower(f.Value.String()))
	if err != nil {
		return nil, problem.Usage(fmt.Errorf("--expect-head: %.100q is not a whole ID of 64 digits", f.Value),
			"take the whole head that holdfast backup printed, or leave the flag out")
	}
	return &head, nil
}

// verifyResult is the result of verify, for --json.
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

// verifyProblem is a damaged object, for --json.
type verifyProblem struct {
	Object string   `json:"object"`
	What   string   `json:"what"`
	Hurts  []string `json:"hurts,omitempty"`
	Fix    string   `json:"fix"`
}

func verify(ctx context.Context, a *app, v verifyFlags) error {
	share, err := parseShare(v.data)
	if err != nil {
		return problem.Usage(err, "write --data 5% or --data all")
	}
	p := new(vault.Progress)
	cfg := agent.VerifyConfig{OpenConfig: a.openConfig(v.from), Data: share, ExpectHead: v.head}
	cfg.Observer = a.observer(p)
	var r *agent.VerifyReport
	err = a.term.Watch(ctx, "read", p, func(ctx context.Context) (err error) {
		r, err = a.home.Verify(ctx, cfg)
		return err
	})
	if err != nil {
		return err
	}
	a.term.Result = verifyResult{
		r.Snapshots, r.Head.Name().Hex(), r.Head.Time, r.Objects, r.Bytes, r.HashedN, r.Hashed,
		r.Unneeded, r.UnneededBytes, r.Foreign, len(r.Problems),
	}
	printVerify(a.term, r.VerifyReport)
	if problem := foundDamage(r.VerifyReport); problem != nil {
		return problem
	}
	if r.Newest == nil {
		return vault.ErrEmpty
	}
	a.term.Say("✓ nothing is %s; the newest snapshot, %s, is %s old", absent(share), r.Newest.ID(),
		units.Age(r.Newest.Time))
	return nil
}

// absent names the trouble ruled out by a verification without problems.
func absent(share float64) string {
	switch share {
	case 0:
		return "missing"
	case 1:
		return "damaged"
	}
	return "damaged in the part that was read"
}

// foundDamage is the problem of a repository with damage, or nil.
func foundDamage(r *vault.VerifyReport) error {
	const fix = "follow the lines above, then verify again"
	if r.KeysGone {
		return &remedy.Error{Kind: remedy.Damage, What: "nobody can restore: every key object is damaged or missing",
			Effect: "the snapshots exist, but no key opens them", Fix: fix}
	}
	if len(r.Problems) == 0 {
		return nil
	}
	effect := "all listed snapshots are undamaged"
	if slices.ContainsFunc(r.Problems, func(p vault.Problem) bool { return len(p.Hurts) > 0 }) {
		effect = "the snapshots named above can't be restored completely"
	}
	return &remedy.Error{Kind: remedy.Damage, What: units.Count(len(r.Problems), "damaged or missing object"),
		Effect: effect, Fix: fix}
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
		return 0, fmt.Errorf("--data: %q is not a percentage", s)
	}
	return n / 100, nil
}

func printVerify(t *terminal.Terminal, r *vault.VerifyReport) {
	t.Say("compared with the storage's own list: %s, %s, named by %s",
		units.Count(r.Objects, "object"), units.Size(r.Bytes), units.Count(r.Snapshots, "snapshot"))
	if r.HashedN > 0 {
		t.Say("read and hashed: %s, %s", units.Count(r.HashedN, "object"), units.Size(r.Hashed))
	}
	if r.Unneeded > 0 {
		t.Say("no snapshot needs %s, %s: interrupted runs leave such packs, "+
			"and a backup uses the packs that its index knows",
			units.Count(r.Unneeded, "pack"), units.Size(r.UnneededBytes))
	}
	foreign := make([]string, len(r.Foreign))
	for i, name := range r.Foreign {
		foreign[i] = terminal.Quote(name)
	}
	t.WarnEach("not a Holdfast object: %s", foreign)
	for _, w := range r.Warnings {
		t.Warn("%s", w)
	}
	for _, p := range r.Problems {
		if t.JSON {
			t.Line("problem", verifyProblem{p.Object, p.What, p.Hurts, p.Fix})
			continue
		}
		fmt.Fprintf(t.Err, "✗ %s %s\n", terminal.Quote(p.Object), terminal.EscapeLine(p.What))
		if len(p.Hurts) > 0 {
			fmt.Fprintf(t.Err, "  affects  %s\n", strings.Join(p.Hurts, ", "))
		}
		fmt.Fprintf(t.Err, "  fix      %s\n", p.Fix)
	}
}
