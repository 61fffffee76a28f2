package main

import (
	"bytes"
	"errors"
	"testing"
)

func TestKeysAreNotForAScreen(t *testing.T) {
	_, terminal := pty(t)
	var p *problem
	a := &app{out: &checkedWriter{w: terminal}}
	if err := new(exportVerb).check(a, ""); !errors.As(err, &p) || p.exit != exitUsage || p.fix == "" {
		t.Errorf("%v", err)
	}
	if err := (&exportVerb{output: t.TempDir() + "/new.json"}).check(a, ""); err != nil {
		t.Error(err)
	}
	a.out = &checkedWriter{w: new(bytes.Buffer)}
	if err := new(exportVerb).check(a, ""); err != nil {
		t.Errorf("a pipe: %v", err)
	}
}
