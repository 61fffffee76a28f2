package agent

import (
	"reflect"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

func TestConfigTextReadsBackAsTheSameConfig(t *testing.T) {
	for _, c := range []Config{
		{Remotes: []RemoteConfig{{URL: "/storage#hf1abc"}}},
		{
			Instance: InstanceConfig{
				GoToSocial: "/gotosocial/it's: \"odd\".yaml",
				Unit:       "gotosocial.service", EnvFile: "/etc/gotosocial.env", ComposeFile: "/srv/compose.yaml",
				Paths: map[string]string{"/b": "/srv/b",
					"/a": "/srv/a"}, WorkingDir: "/gotosocial", Binary: "/usr/bin/gotosocial",
				Postgres: "/run/postgresql:5432", PostgresUser: "holdfast", PostgresPassword: "file:/etc/holdfast/db",
				CA:    "/etc/holdfast/media.pem",
				Extra: []string{"/etc/nginx", "/tab\there"},
			},
			Remotes: []RemoteConfig{{URL: "s3://host/bucket", AccessKey: "env:KEY", SecretKey: "cmd:pass show s3",
				Region: "here", CA: "/etc/holdfast/ca.pem"}},
		},
	} {
		text, err := c.Text()
		testkit.OK(t, err)
		got, err := parseConfig([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(*got, c) {
			t.Errorf("%+v\n%s", got, text)
		}
	}
}

func TestConfigFromAnEditorIsRead(t *testing.T) {
	for _, text := range []string{
		"\xef\xbb\xbfworkers: 3\r\n",
		"\xff\xfew\x00o\x00r\x00k\x00e\x00r\x00s\x00:\x00 \x003\x00",
	} {
		if c, err := parseConfig([]byte(text)); err != nil || c.Workers != 3 {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func TestConfigNamesTheMistake(t *testing.T) {
	for text, want := range map[string]string{
		"":                          " the file is empty",
		"remotes:\n  - regin: x":    `2:5: unknown field "regin"; did you mean region?`,
		"workers: many":             "1:10: a whole number belongs here",
		"workers: 65":               " workers: 65 is not between 1 and 64",
		"spool: much":               `"much" is not a size such as 1GiB`,
		"remotes: [{url: storage}]": `"storage" is not a remote`,
		"remotes: [{url: /x, secret_key: hunter2}]":                 " remotes[0].secret_key holds the secret itself",
		"remotes: [{url: /x, ca: ca.pem}]":                          `path "ca.pem" is relative`,
		"instance: {ca: ca.pem}":                                    `path "ca.pem" is relative`,
		"instance: {extra: [etc]}":                                  `path "etc" is relative`,
		"instance: {postgres_password: hunter2}":                    " instance.postgres_password holds the secret",
		"instance: {postgres_user: x, postgres_password: 'file:x'}": `path "file:x" is relative`,
		"instance: {postgres_password: 'file:/x'}":                  "set instance.postgres_user",
	} {
		_, err := parseConfig([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// A snapshot may come from a Holdfast with other settings.
func TestConfigurationInASnapshotTellsHowTheServerRan(t *testing.T) {
	got, err := serverOf([]byte("instance: {env_file: /p/own.env, paths: {/a: /b}, working_dir: /w, newer: 1}\n" +
		"remotes: [{url: odd}]\n"))
	testkit.OK(t, err)
	if got.EnvFile != "/p/own.env" || got.Paths["/a"] != "/b" || got.WorkingDir != "/w" {
		t.Errorf("%+v", got)
	}
	for _, text := range []string{"instance: [", "instance: {paths: {a: /b}}", "instance: {paths: 5}"} {
		if got, err := serverOf([]byte(text)); err == nil || got.Paths != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
