package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/cmd/holdfast/commandline"
	"holdfast/manifest"
)

// release is the version of a build without version control.
const release = "0.1.0"

// version returns the program's version, as records carry it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || !strings.HasPrefix(info.Main.Version, "v") || strings.HasPrefix(info.Main.Version, "v0.0.0-") {
		return release
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

// versionResult names the versions, for --json.
type versionResult struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	Record  int    `json:"record_format"`
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the program and of its formats",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { printVersion(a) },
	}
}

func printVersion(a *app) {
	v := versionResult{Version: version(), Record: manifest.RecordFormat}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	a.term.Result = v
	if !a.term.JSON {
		fmt.Fprintf(a.term.Out, "holdfast %s\nrecord format %d, %s\n", commandline.Join(v.Version, v.Commit),
			v.Record, v.Go)
	}
}
