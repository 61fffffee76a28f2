package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"holdfast/instance"
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
	for _, s := range a.settings(c) {
		a.showSetting(s)
	}
	gts, err := c.Instance.settings()
	if err != nil {
		return err
	}
	for _, s := range gts.Settings() {
		value := s.Value
		if s.Secret() && value != "" {
			value = "(secret)"
		}
		a.showSetting(setting{"gotosocial", s.Key, value, origin(gts, s)})
	}
	return nil
}

func (a *app) showSetting(s setting) {
	a.item("setting", s, fmt.Sprintf("%-10s  %-34s  %-44s  %s", s.Program, s.Key, cmp.Or(s.Value, `""`), s.Origin))
}

// settings are Holdfast's own, defaults included.
func (a *app) settings(c *config) []setting {
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
	add("instance.gotosocial", c.Instance.GoToSocial, "")
	add("instance.working_dir", c.Instance.WorkingDir, "the folder of that file")
	add("instance.binary", c.Instance.Binary, "looked for")
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

// origin names the very file or variable.
func origin(c *instance.Config, s instance.Setting) string {
	switch s.Origin {
	case instance.FromFile:
		return c.File
	case instance.FromEnvironment:
		return "GTS_" + strings.ToUpper(strings.ReplaceAll(s.Key, "-", "_"))
	}
	return string(s.Origin)
}
