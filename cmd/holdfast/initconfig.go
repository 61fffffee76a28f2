package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// config is the text of the configuration file.
func (v *initVerb) config(pinned string) string {
	var b strings.Builder
	b.WriteString("# Holdfast's configuration. holdfast config show explains it, config check tries it.\ninstance:\n")
	setting := func(indent, key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s%s: %s\n", indent, key, quote(value))
		}
	}
	setting("  ", "gotosocial", v.instance.GoToSocial)
	setting("  ", "unit", v.instance.Unit)
	setting("  ", "env_file", v.instance.EnvFile)
	if len(v.instance.Paths) > 0 {
		b.WriteString("  paths:\n")
		for _, theirs := range slices.Sorted(maps.Keys(v.instance.Paths)) {
			fmt.Fprintf(&b, "    %s: %s\n", quote(theirs), quote(v.instance.Paths[theirs]))
		}
	}
	setting("  ", "working_dir", v.instance.WorkingDir)
	setting("  ", "binary", v.instance.Binary)
	if len(v.instance.Extra) > 0 {
		b.WriteString("  extra:\n")
		for _, path := range v.instance.Extra {
			fmt.Fprintf(&b, "    - %s\n", quote(path))
		}
	}
	b.WriteString("remotes:\n")
	fmt.Fprintf(&b, "  - url: %s\n", quote(pinned))
	setting("    ", "access_key", string(v.remote.AccessKey))
	setting("    ", "secret_key", string(v.remote.SecretKey))
	setting("    ", "region", v.remote.Region)
	return b.String()
}

// quote writes a YAML string: JSON is one.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(text)
}
