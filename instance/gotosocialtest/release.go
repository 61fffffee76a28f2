// Package gotosocialtest runs a real GoToSocial server for tests, and uses the server
// as people do. The server answers on loopback and never asks other servers.
package gotosocialtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/testkit"
)

// Release is a release of GoToSocial that the Makefile built: a program, and beside it
// folders whose names begin with the program's name.
type Release struct{ program string }

// Find returns the release of tools/bin/gotosocial. Without the program Find calls
// [testkit.Missing].
func Find(t testing.TB) Release {
	t.Helper()
	return find(t, "gotosocial")
}

// FindOlder returns the release of tools/bin/gotosocial-older, like Find.
func FindOlder(t testing.TB) Release {
	t.Helper()
	return find(t, "gotosocial-older")
}

func find(t testing.TB, name string) Release {
	t.Helper()
	dir, err := os.Getwd()
	testkit.OK(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		program := filepath.Join(dir, "tools", "bin", name)
		if _, err := os.Stat(program); err == nil {
			return Release{program}
		}
	}
	testkit.Missing(t, "no %s: run `make tools/bin/%s`", name, name)
	return Release{}
}

// web is the folder of templates and assets.
func (r Release) web() string { return r.program + "-web" }

// compiled is the folder where GoToSocial keeps ffmpeg as machine code. The first server
// compiles ffmpeg, which takes twenty seconds.
func (r Release) compiled() string { return r.program + "-compiled" }

// install puts the program into a folder, and the compiled code into its subfolder.
func (r Release) install(t testing.TB, folder string) {
	t.Helper()
	link(t, r.program, filepath.Join(folder, programName))
	testkit.OK(t, os.MkdirAll(filepath.Join(folder, compiledName), 0o777))
	testkit.OK(t, os.Chmod(filepath.Join(folder, compiledName), 0o777))
	if _, err := os.Stat(r.compiled()); errors.Is(err, fs.ErrNotExist) {
		return
	}
	testkit.Walk(t, r.compiled(), func(name string) {
		link(t, filepath.Join(r.compiled(), name), filepath.Join(folder, compiledName, name))
	})
}

const (
	programName  = "gotosocial"
	compiledName = "compiled"
)

// keep keeps the compiled code of a server that started in a folder of install. A
// parallel test may do the same.
func (r Release) keep(t testing.TB, folder string) {
	t.Helper()
	if _, err := os.Stat(r.compiled()); err == nil {
		return
	}
	temp, err := os.MkdirTemp(filepath.Dir(r.compiled()), filepath.Base(r.compiled())+"-*")
	testkit.OK(t, err)
	defer os.RemoveAll(temp)
	testkit.OK(t, os.CopyFS(filepath.Join(temp, "whole"), os.DirFS(filepath.Join(folder, compiledName))))
	if err := os.Rename(filepath.Join(temp, "whole"), r.compiled()); !errors.Is(err, fs.ErrExist) {
		testkit.OK(t, err)
	}
}

// link makes a second name for a file, or copies the file to another disk.
func link(t testing.TB, from, to string) {
	t.Helper()
	testkit.OK(t, os.MkdirAll(filepath.Dir(to), 0o755))
	if os.Link(from, to) == nil {
		return
	}
	info, err := os.Stat(from)
	testkit.OK(t, err)
	testkit.Write(t, to, testkit.Read(t, from))
	testkit.OK(t, os.Chmod(to, info.Mode().Perm()))
}
