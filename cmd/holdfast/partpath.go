package main

import (
	"fmt"
	"slices"
	"strings"

	"holdfast/cmd/holdfast/problem"
	"holdfast/manifest"
)

// checkPartPath refuses the path of a file in a snapshot that starts with no part. People
// type the path that the file has on the server.
func checkPartPath(path string) error {
	part, _, _ := strings.Cut(path, "/")
	if slices.Contains(manifest.Parts, manifest.Part(part)) {
		return nil
	}
	fix := "write database/…, files/… or media/…, as holdfast ls SNAP lists the files"
	if strings.HasPrefix(path, "/") {
		fix = fmt.Sprintf("for a file of the configuration write %q; holdfast ls SNAP lists all files",
			string(manifest.Files)+path)
	}
	return problem.Usage(fmt.Errorf("%q does not start with a part of a snapshot", path), fix)
}
