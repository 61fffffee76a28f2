package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"holdfast/agent"
	"holdfast/cmd/holdfast/terminal"
	"holdfast/instance/gotosocial"
)

// setting is a value and the origin of the value, for --json. The value of a secret never
// appears.
type setting struct {
	Program string `json:"program"` // "holdfast" or "gotosocial"
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
}

// showConfig prints every setting in force.
func showConfig(a *app) error {
	c, err := a.home.Config()
	if err != nil {
		return err
	}
	theirs, err := c.Settings()
	for _, s := range holdfastSettings(a, c, theirs) {
		printSetting(a.term, s)
	}
	if err != nil {
		return err
	}
	for _, warning := range theirs.Warnings {
		a.term.Warn("%s", warning)
	}
	for _, s := range theirs.Settings() {
		value := s.Value
		if s.Secret() && value != "" {
			value = "(secret)"
		}
		printSetting(a.term, setting{"gotosocial", s.Key, value, s.From()})
	}
	return nil
}

func printSetting(t *terminal.Terminal, s setting) {
	t.Item("setting", s, fmt.Sprintf("%-10s  %-34s  %-44s  %s", s.Program, s.Key, cmp.Or(s.Value, `""`), s.Origin))
}

// holdfastSettings lists Holdfast's own settings, defaults included. theirs is
// GoToSocial's configuration, or nil after an error.
func holdfastSettings(a *app, c *agent.Config, theirs *gotosocial.Config) []setting {
	if theirs == nil {
		theirs = new(gotosocial.Config)
	}
	var all []setting
	add := func(key, value, fallback, origin string) {
		if value == "" {
			all = append(all, setting{"holdfast", key, fallback, origin})
		} else {
			all = append(all, setting{"holdfast", key, value, a.home.ConfigFile})
		}
	}
	withDefault := func(key, value, fallback string) { add(key, value, fallback, "default") }
	orFound := func(key, value, found string) {
		if found == "" {
			withDefault(key, value, "")
		} else {
			add(key, value, found, "found")
		}
	}
	i := c.Instance
	orFound("instance.gotosocial", i.GoToSocial, theirs.File)
	orFound("instance.unit", i.Unit, theirs.Unit)
	withDefault("instance.env_file", i.EnvFile, "")
	for _, path := range slices.Sorted(maps.Keys(i.Paths)) {
		withDefault("instance.paths", path+": "+i.Paths[path], "")
	}
	orFound("instance.working_dir", i.WorkingDir, theirs.WorkingDir)
	withDefault("instance.binary", i.Binary, cmp.Or(theirs.Binary, "gotosocial in PATH or in the working folder"))
	withDefault("instance.extra", strings.Join(i.Extra, ", "), "")
	for n, r := range c.Remotes {
		key := fmt.Sprintf("remotes[%d].", n)
		withDefault(key+"url", withoutPassword(r.URL), "")
		if !strings.HasPrefix(r.URL, "s3") {
			continue
		}
		withDefault(key+"access_key", r.AccessKey.String(), "env:AWS_ACCESS_KEY_ID")
		withDefault(key+"secret_key", r.SecretKey.String(), "env:AWS_SECRET_ACCESS_KEY")
		withDefault(key+"region", r.Region, "env:AWS_REGION, else found in the endpoint's name")
	}
	withDefault("spool", digits(int64(c.Spool)), "1GiB")
	withDefault("workers", digits(int64(c.Workers)), "2")
	return append(all, setting{"holdfast", "state", a.home.State, stateOrigin(a.home.State)})
}

// digits writes a number, and nothing for 0.
func digits(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func stateOrigin(state string) string {
	switch state {
	case os.Getenv("HOLDFAST_STATE"):
		return "HOLDFAST_STATE"
	case defaultState():
		return "default"
	}
	return "--state"
}

// withoutPassword hides the part of a URL before the @.
func withoutPassword(rawURL string) string {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	at := strings.LastIndex(rest, "@")
	if !ok || at < 0 {
		return rawURL
	}
	return scheme + "://…" + rest[at:]
}
