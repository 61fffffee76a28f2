package postgres

import (
	"errors"
	"strings"
	"testing"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgres/client"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/remedy"
)

func TestOnlyABackupNeedsPgDump(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	c, err := gotosocial.Load("", []string{"GTS_DB_POSTGRES_CONNECTION_STRING=" +
		s.URL(postgrestest.Owner, "gotosocial")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/nowhere")
	folders := client.Folders
	client.Folders = nil
	defer func() { client.Folders = folders }()
	// It is missed at once, before anything was read.
	if _, err := p.Begin(t.Context(), "social.example.org"); err == nil || !strings.Contains(err.Error(),
		"there is no pg_dump") {
		t.Errorf("a backup begins: %v", err)
	}
	n := 0
	all, err := p.Tables(t.Context(), "social.example.org")
	if err == nil {
		err = errors.Join(all.Each(t.Context(), gotosocial.LocalMedia, nil,
			func([]*string) error { n++; return nil }), all.Close())
	}
	if err != nil || n != len(postgrestest.LocalMedia) {
		t.Errorf("an export reads %d keys, %v", n, err)
	}
}

func TestMissingPostgresNamesTheInstallCommand(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	folders := client.Folders
	client.Folders = nil
	defer func() { client.Folders = folders }()
	c, err := gotosocial.Load("", []string{"GTS_DB_ADDRESS=127.0.0.1", "GTS_DB_PORT=1", "GTS_DB_USER=gotosocial"})
	if err != nil {
		t.Fatal(err)
	}
	target, err := NewTarget(c)
	if err != nil {
		t.Fatal(err)
	}
	var refused *remedy.Error
	_, err = target.Inspect(t.Context(), manifest.Facts{Server: "15.18"}, &disk.Mover{})
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "not installed here") ||
		!strings.Contains(refused.Fix, "apt install postgresql") || !strings.Contains(refused.Fix, "15.18") {
		t.Errorf("%v, %+v", err, refused)
	}
}
