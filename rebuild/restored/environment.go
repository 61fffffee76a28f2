package restored

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"text/template"

	"holdfast/instance"
	"holdfast/instance/gotosocial"
	"holdfast/instance/media"
	"holdfast/remedy"
	"holdfast/vault"
)

const environmentName = "run.env"

// environment is the content of run.env: settings for a server over a restored folder.
// Both EnvironmentFile= of systemd and a shell read the file. Paths and values are
// quoted for both.
type environment struct {
	File        string   // the path of run.env
	Config      string   // the path of the restored configuration file, or ""
	HasConfig   bool     // the folder has a configuration of the domain, in a file or elsewhere
	Container   bool     // the server ran in a container
	Starter     string   // the restored compose file or quadlet, or ""
	Folder      string   // the restored folder
	Mount       string   // the folder at its own path in the container
	User        string   // "USER:GROUP" of the server
	Others      []string // more configuration files of the domain
	Variables   []string // files with variables or flags of the server
	Loaded      []string // those of Variables that a shell must load
	GoToSocial  string   // the version, or ""
	Migration   string   // the last migration, or ""
	Database    string   // how a person makes the database, or ""
	Assignments []string // "GTS_KEY=VALUE"
}

var environmentText = template.Must(template.New(environmentName).Parse(
	`# Settings that start GoToSocial over this restored folder.
{{- if .Container}}
#
# The server ran in a container. In its service in {{or .Starter "the compose file"}}, replace the old
# mounts by this folder, and read this file last:
#
#   env_file: [{{range .Variables}}{{.}}, {{end}}{{.File}}]
#   volumes: [{{.Mount}}]
{{- if .Config}}
#   command: ["--config-path", {{.Config}}, "server", "start"]
{{- end}}
#
# Then start the server, in the folder of that file: docker compose up --detach
{{- else}} In a shell, as the server's user:
#
#   set -a; . {{.File}}; set +a
{{- if not .HasConfig}}
#   gotosocial --config-path YOUR-CONFIG server start
#
# The snapshot holds no configuration file of this domain. Before the first start, set all
# other settings as they were. Never change account-domain: set the old value if the lines
# below lack the setting.
{{- else if not .Config}}
#   gotosocial server start
#
# The server had no configuration file for this domain: the files below hold its settings.
{{- else}}
#   gotosocial --config-path {{.Config}} server start
{{- end}}{{end}}
{{- with .Others}}
#
# These files configure the same domain. If the server used one of them, name that file in
# the command above, and take the paths below from that file:
{{- range .}}
#   {{.}}{{end}}{{end}}
{{- with .Loaded}}
#
# The server also got variables or flags from these restored files, perhaps passwords. Load
# these files first, and the lines below last. Write a flag (--host) as a variable (GTS_HOST):
{{- range .}}
#   {{.}}{{end}}{{end}}
#
{{if .Container}}# Give the folder to the container's user: chown -R {{.User}} {{.Folder}}
{{- else}}# As a service: name this file by EnvironmentFile= in the unit. Give the folder to the
# server's user: chown -R gotosocial: FOLDER
{{- end}}
{{- if or .GoToSocial .Migration}}
# Use GoToSocial {{or .GoToSocial "of the old server's version"}} or newer (last migration {{or .Migration "unknown"}}).
{{- end}}
{{.Database}}
{{- range .Assignments}}{{.}}
{{end}}`))

// environment returns the text of run.env for a folder whose files lie in staging.
func (d *Folder) environment(staging fs.FS, s vault.Restored) (string, error) {
	s.Facts = s.Facts.Plausible()
	// A configuration that can't be read tells nothing about the server.
	server, _ := Server(staging, d.Holdfast, d.ParseServer)
	restored := gotosocial.RestoredFolder{Path: d.Path, Files: staging, Server: server}
	remains := restored.Remains(s.Domain)
	database := instance.OpenRestored(s.Facts, d.Verbatim)
	e := environment{
		File:       gotosocial.Quote(filepath.Join(d.Path, environmentName)),
		HasConfig:  remains.Config != nil,
		GoToSocial: s.Facts.GoToSocial,
		Migration:  s.Facts.Migration,
		Database:   database.Instructions(d.Path, s.Facts),
	}
	if c := remains.Config; c != nil && c.Container {
		e.Container, e.Folder, e.Mount = true, gotosocial.Quote(d.Path), gotosocial.Quote(d.Path+":"+d.Path)
		e.User = remedy.QuoteShell(cmp.Or(s.Facts.User, "1000:1000"))
		if c.Starter != "" {
			e.Starter = gotosocial.Quote(filepath.Join(d.Path, FilesFolder, c.Starter))
		}
	}
	if remains.Config != nil && remains.Config.File != "" {
		e.Config = gotosocial.Quote(restored.ResolvedPath(remains.Config.File))
	}
	for _, file := range remains.Others {
		e.Others = append(e.Others, gotosocial.Quote(restored.ResolvedPath(file)))
	}
	for _, file := range remains.Environment {
		e.Variables = append(e.Variables, gotosocial.Quote(file))
	}
	if !e.Container {
		e.Loaded = e.Variables
	}
	for _, setting := range d.settings(restored, remains.Config, database, s) {
		key := strings.ToUpper(strings.ReplaceAll(setting.Key, "-", "_"))
		e.Assignments = append(e.Assignments, fmt.Sprintf("GTS_%s=%s", key, gotosocial.Quote(setting.Value)))
	}
	var b strings.Builder
	err := environmentText.Execute(&b, e)
	return b.String(), err
}

// restoredPaths are the settings whose files the folder may hold.
var restoredPaths = []string{
	"letsencrypt-cert-dir", "tls-certificate-chain", "tls-certificate-key", "web-template-base-dir",
	"web-asset-base-dir",
}

// settings returns what a server over the folder needs to be told. config may be nil.
func (d *Folder) settings(
	restored gotosocial.RestoredFolder, config *gotosocial.Config, database instance.RestoredDatabase, s vault.Restored,
) []gotosocial.Setting {
	set := []gotosocial.Setting{{Key: "host", Value: s.Domain}}
	account := s.Facts.AccountDomain
	if config != nil {
		account = cmp.Or(account, config.Get("account-domain"))
	}
	if account != "" {
		set = append(set, gotosocial.Setting{Key: "account-domain", Value: account})
	}
	set = append(set, database.Settings(d.Path)...)
	set = append(set, gotosocial.Setting{Key: "storage-backend", Value: "local"},
		gotosocial.Setting{Key: "storage-local-base-path", Value: filepath.Join(d.Path, media.StorageFolder)})
	if config == nil {
		return set
	}
	for _, key := range restoredPaths {
		if path := restored.Find(config.Absolute(config.Get(key))); path != "" {
			set = append(set, gotosocial.Setting{Key: key, Value: filepath.Join(d.Path, path)})
		}
	}
	return set
}
