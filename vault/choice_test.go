package vault

import (
	"fmt"
	"testing"

	"holdfast/manifest"
)

// A full restore first asks for each small file of the files part by its path. Each
// path against each file took 49 s with 80,000 files, and would run into go test's limit here.
func TestManyChosenPathsAreCheap(t *testing.T) {
	const n = 100_000
	cfg := RestoreConfig{Paths: []string{"media/whole/"}}
	for i := range n {
		cfg.Paths = append(cfg.Paths, fmt.Sprintf("files/srv/extra/some/where/%d", i))
	}
	choice := newChoice(cfg.Parts, cfg.Paths, cfg.Which)
	held := 0
	for i := range 2 * n {
		if choice.holds(&manifest.File{Part: manifest.Files, Path: fmt.Sprintf("srv/extra/some/where/%d", i)}) {
			held++
		}
	}
	if held != n {
		t.Errorf("%d files chosen, want %d", held, n)
	}
	for path, want := range map[string]bool{"whole": true, "whole/a/b": true, "wholly": false, "a/whole": false} {
		if got := choice.holds(&manifest.File{Part: manifest.Media, Path: path}); got != want {
			t.Errorf("media/%s: %v", path, got)
		}
	}
}
