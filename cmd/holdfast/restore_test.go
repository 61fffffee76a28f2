package main

import (
	"os"
	"testing"
)

func TestScratchLiesBesideTheTargetEvenWhereFoldersAreMissing(t *testing.T) {
	dir := t.TempDir()
	for to, want := range map[string]string{
		dir + "/restored":         dir,
		dir + "/not/yet/restored": dir,
		"":                        os.TempDir(),
	} {
		if got := besides(to); got != want {
			t.Errorf("%q: %q, want %q", to, got, want)
		}
	}
}
