package agent

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/instance/gotosocial"
)

// Setting is a value of the configuration and the origin of the value.
type Setting struct {
	Key    string // "instance.gotosocial"
	Value  string // never a secret itself
	Origin string // for a person: a file, "default" or "found"
}

// OwnSettings lists Holdfast's own settings, defaults included. theirs is GoToSocial's
// configuration, or nil after an error.
func (c *Config) OwnSettings(theirs *gotosocial.Config) []Setting {
	if theirs == nil {
		theirs = new(gotosocial.Config)
	}
	var all []Setting
	add := func(key, value, fallback, origin string) {
		if value == "" {
			all = append(all, Setting{key, fallback, origin})
		} else {
			all = append(all, Setting{key, value, c.File})
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
	orFound("instance.compose_file", i.ComposeFile, theirs.Starter)
	for _, path := range slices.Sorted(maps.Keys(i.Paths)) {
		withDefault("instance.paths", path+": "+i.Paths[path], "")
	}
	orFound("instance.working_dir", i.WorkingDir, theirs.WorkingDir)
	withDefault("instance.postgres", i.Postgres, "")
	withDefault("instance.postgres_user", i.PostgresUser, "")
	withDefault("instance.postgres_password", i.PostgresPassword.String(), "")
	lockWait := ""
	if i.LockWait != 0 {
		lockWait = time.Duration(i.LockWait).String()
	}
	withDefault("instance.lock_wait", lockWait, "5m")
	withDefault("instance.ca", i.CA, "")
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
		withDefault(key+"ca", r.CA, "the certificates that the system trusts, or SSL_CERT_FILE")
	}
	withDefault("spool", digits(int64(c.Spool)), "1GiB")
	withDefault("workers", digits(int64(c.Workers)), "2")
	return all
}

// digits writes a number, and nothing for 0.
func digits(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
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
