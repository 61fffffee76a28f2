package main

import (
	"context"
	"os"
	"strings"
	"testing"

	"holdfast/cmd/holdfast/problem"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

func TestCommandThatGoesOnHoldsNoSecret(t *testing.T) {
	here, err := os.Getwd()
	testkit.OK(t, err)
	var out strings.Builder
	a := newApp(terminal.New(os.Stdin, &out, &out))
	for _, c := range []struct{ args, want string }{
		{"--from|/remote#hf1abc|--identity|-|--yes|social.example.org|--verbatim|--plan",
			"--from '/remote#hf1abc' --identity - --verbatim --yes social.example.org"},
		{"--from|s3://key:hunter2@host/bucket|--passphrase=cmd:echo hunter2",
			"--from s3://key:xxxxx@host/bucket --passphrase='cmd:…'"},
		{"--from|./repo|--identity|kit.txt", "--from " + here + "/repo --identity " + here + "/kit.txt"},
		{"--only|database|--only|files", "--only database --only files"},
		{"--path|/a=/my disk|--path|/b=/b", "--path '/a=/my disk' --path /b=/b"},
		{"--passphrase|--replace=false|--work|/it's here|--resume", "--passphrase --work '/it'\\''s here'"},
	} {
		cmd := restoreCommand(a)
		v := &restoreFlags{flags: cmd.Flags()}
		if err := cmd.ParseFlags(strings.Split(c.args, "|")); err != nil {
			t.Fatal(err)
		}
		if got := v.again("0123456789"); got != "holdfast restore 0123456789 "+c.want+" --resume" {
			t.Errorf("%s: %s", c.args, got)
		}
	}
}

// The same command does not continue an interrupted restore onto this machine.
func TestCommandThatGoesOnIsSaidOnce(t *testing.T) {
	const command = "holdfast restore --resume"
	err := error(continueBy(&remedy.Error{Kind: remedy.Full, What: "full", Fix: "make room"}, command))
	for range 2 {
		p := problem.Explain(t.Context(), err)
		if p.Fix != "make room; continue the restore with this command:\n"+command {
			t.Errorf("%q", p.Fix)
		}
		err = p
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := problem.Explain(ctx, continueBy(problem.Explain(ctx, context.Canceled), command))
	if p.Kind != remedy.Interrupted || p.Fix != "continue the restore with this command:\n"+command {
		t.Errorf("%q", p.Fix)
	}
}
