package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"holdfast/cmd/holdfast/terminal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"holdfast": main,
		"sample":   sampleMain,
		"holdfast-at": func() {
			// holdfast-at ROOT [ARG]... looks for units and configurations below ROOT.
			a := newApp(terminal.New(os.Stdin, os.Stdout, os.Stderr))
			a.home.Root = os.Args[1]
			os.Exit(run(a, os.Args[2:]))
		},
	})
}

// TestScripts runs the real program. Its flags come from the environment:
// configuration and state lie in the script's own folder.
func TestScripts(t *testing.T) {
	unix.Umask(0o022) // a configuration that others can write is refused
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsWith,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOLDFAST_CONFIG", env.WorkDir+"/holdfast.yaml")
			env.Setenv("HOLDFAST_STATE", env.WorkDir+"/state")
			// On a slow machine it would say how far it is.
			env.Setenv("HOLDFAST_PROGRESS", "none")
			return nil
		},
	})
}

// exitsWith runs a program and wants an exit code: exits CODE PROGRAM [ARG]...
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG]...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	have := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		have = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if have != want {
		ts.Fatalf("exit code %d, want %d", have, want)
	}
}
