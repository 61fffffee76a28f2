package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"holdfast/instance/gotosocial"
)

// setting is one value and where it comes from, for --json. The value of a
// secret never appears.
type setting struct {
	Program string `json:"program"` // "holdfast" or "gotosocial"
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"`
}

// showConfig prints every setting that counts.
func (a *app) showConfig() error {
	c, err := a.config()
	if err != nil {
		return err
	}
	gts, err := c.Instance.settings()
	for _, s := range a.settings(c, gts) {
		a.showSetting(s)
	}
	if err != nil {
		return err
	}
	for _, warning := range gts.Warnings {
		a.warn("%s", warning)
	}
	for _, s := range gts.Settings() {
		value := s.Value
		if s.Secret() && value != "" {
			value = "(secret)"
		}
		a.showSetting(setting{"gotosocial", s.Key, value, s.From()})
	}
	return nil
}

func (a *app) showSetting(s setting) {
	a.item("setting", s, fmt.Sprintf("%-10s  %-34s  %-44s  %s", s.Program, s.Key, cmp.Or(s.Value, `""`), s.Origin))
}

// settings are Holdfast's own, defaults included; gts, or nil, is what these come
// to.
func (a *app) settings(c *config, gts *gotosocial.Config) []setting {
	if gts == nil {
		gts = new(gotosocial.Config)
	}
	var all []setting
	add := func(key, value, fallback string) {
		s := setting{"holdfast", key, value, a.configFile}
		if value == "" {
			s.Value, s.Origin = fallback, "default"
		}
		all = append(all, s)
	}
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	found := func(key, value, found string) {
		add(key, value, found)
		if value == "" && found != "" {
			all[len(all)-1].Origin = "found"
		}
	}
	found("instance.gotosocial", c.Instance.GoToSocial, gts.File)
	found("instance.unit", c.Instance.Unit, gts.Unit)
	add("instance.env_file", c.Instance.EnvFile, "")
	for _, theirs := range slices.Sorted(maps.Keys(c.Instance.Paths)) {
		add("instance.paths", theirs+": "+c.Instance.Paths[theirs], "")
	}
	found("instance.working_dir", c.Instance.WorkingDir, gts.WorkingDir)
	add("instance.binary", c.Instance.Binary, cmp.Or(gts.Binary, "looked for"))
	add("instance.extra", strings.Join(c.Instance.Extra, ", "), "")
	for i, r := range c.Remotes {
		at := fmt.Sprintf("remotes[%d].", i)
		add(at+"url", withoutPassword(r.URL), "")
		if !strings.HasPrefix(r.URL, "s3") {
			continue
		}
		add(at+"access_key", r.AccessKey.String(), "env:AWS_ACCESS_KEY_ID")
		add(at+"secret_key", r.SecretKey.String(), "env:AWS_SECRET_ACCESS_KEY")
		add(at+"region", r.Region, "env:AWS_REGION, else as the endpoint tells")
	}
	add("spool", number(int64(c.Spool)), "1GiB")
	add("workers", number(int64(c.Workers)), "2")
	return append(all, setting{"holdfast", "state", a.state, a.stateOrigin()})
}

func (a *app) stateOrigin() string {
	switch a.state {
	case os.Getenv("HOLDFAST_STATE"):
		return "HOLDFAST_STATE"
	case defaultState():
		return "default"
	}
	return "--state"
}

// withoutPassword hides what stands before the @ of a URL.
func withoutPassword(rawURL string) string {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	at := strings.LastIndex(rest, "@")
	if !ok || at < 0 {
		return rawURL
	}
	return scheme + "://…" + rest[at:]
}
