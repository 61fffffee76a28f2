package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/agent"
	"holdfast/cmd/holdfast/commandline"
	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/units"
	"holdfast/remedy"
)

func configCommand(a *app) *cobra.Command {
	cmd := commandline.Group(&cobra.Command{Use: "config", Short: "Check or show the configuration"})
	cmd.AddCommand(
		asUser(a, &cobra.Command{
			Use:   "check",
			Short: "Try the instance, the paths, the host key and the storage of the configuration",
			Args:  cobra.NoArgs,
			RunE:  func(cmd *cobra.Command, _ []string) error { return checkConfig(cmd.Context(), a) },
		}),
		asUser(a, &cobra.Command{
			Use:   "show",
			Short: "Show every setting of Holdfast and of GoToSocial, with its origin",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return showConfig(a) },
		}),
	)
	return cmd
}

// checkResult is the outcome of a check, for --json.
type checkResult struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// checkConfig prints all checks. The first failure decides the exit code.
func checkConfig(ctx context.Context, a *app) error {
	var failed int
	var first *remedy.Error
	err := a.home.CheckConfig(ctx, a.observer(nil), func(c agent.Check) {
		if c.Instance != nil && c.Err == nil {
			warnUnsaved(a.term, c.Instance)
		}
		if failure := printCheck(ctx, a.term, c); failure != nil {
			failed++
			first = cmp.Or(first, failure)
		}
	})
	if err != nil || first == nil {
		return err
	}
	return &remedy.Error{Kind: first.Kind, What: units.Count(failed, "check") + " failed",
		Fix: "follow the fixes above"}
}

// printCheck prints the outcome of a check, and returns a failure.
func printCheck(ctx context.Context, t *terminal.Terminal, c agent.Check) (failure *remedy.Error) {
	done := checkResult{Check: c.Name, OK: c.Err == nil, Detail: c.Detail}
	mark := "✓"
	if c.Err != nil {
		failure = problem.Explain(ctx, c.Err)
		done.Detail, done.Fix, mark = failure.Error(), failure.Fix, "✗"
	}
	if t.Quiet && done.OK {
		return nil
	}
	text := fmt.Sprintf("%s %-13s %s", mark, c.Name, done.Detail)
	if done.Fix != "" {
		text += "\n  fix           " + done.Fix
	}
	t.Item("check", done, text)
	return failure
}

// warnUnsaved names the files that a backup would not save.
func warnUnsaved(t *terminal.Terminal, found *agent.Inspection) {
	var unsaved []string
	for _, f := range found.Unsaved {
		unsaved = append(unsaved, fmt.Sprintf("%s (%v)", terminal.Quote(f.Path), f.Err))
	}
	t.WarnEach("can't be saved: %s", unsaved)
	t.WarnEach("left out: %s", found.LeftOut)
}
