package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/disk"
	"holdfast/instance/gotosocial"
	"holdfast/instance/postgrestest"
	"holdfast/manifest"
	"holdfast/remedy"
)

func TestDumpOfTheServersOwnVersionComesFirst(t *testing.T) {
	for _, c := range []struct {
		have   []int
		server int
		want   int // 0: none will do
		says   string
	}{
		{[]int{14, 15, 17}, 15, 15, ""},
		{[]int{14, 16, 17}, 15, 17, ""},
		{[]int{14, 15}, 17, 0, "pg_dump 15 cannot dump PostgreSQL 17"},
		{nil, 15, 0, "there is no pg_dump on this machine"},
	} {
		dir := t.TempDir()
		for _, version := range c.have {
			program := filepath.Join(dir, fmt.Sprint(version), "pg_dump")
			if err := os.Mkdir(filepath.Dir(program), 0o755); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("#!/bin/sh\necho 'pg_dump (PostgreSQL) %d.3 (Debian %d.3-1)'\n", version, version)
			if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", "/nowhere")
		places := dumpPlaces
		dumpPlaces = []string{filepath.Join(dir, "*", "pg_dump")}
		got, err := (&Database{}).findDump(t.Context(), c.server)
		dumpPlaces = places
		if c.want != 0 {
			if err != nil || got != filepath.Join(dir, fmt.Sprint(c.want), "pg_dump") {
				t.Errorf("%v for %d: %s, %v", c.have, c.server, got, err)
			}
			continue
		}
		var p *remedy.Error
		if !errors.As(err, &p) || !strings.Contains(err.Error(), c.says) || p.Fix != fmt.Sprintf("apt install postgresql-client-%d, or what your distribution calls it", c.server) {
			t.Errorf("%v for %d: %v", c.have, c.server, err)
		}
	}
}

func TestOnlyABackupNeedsPgDump(t *testing.T) {
	s := postgrestest.Start(t)
	s.NewDatabase(t, "gotosocial")
	s.ExecAs(t, postgrestest.Owner, "gotosocial", postgrestest.Schema)
	c, err := gotosocial.Load("", []string{"GTS_DB_POSTGRES_CONNECTION_STRING=" + s.URL(postgrestest.Owner, "gotosocial")})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/nowhere")
	places := dumpPlaces
	dumpPlaces = nil
	defer func() { dumpPlaces = places }()
	// It is missed at once, before anything was read.
	if _, err := p.Begin(t.Context(), "social.example.org"); err == nil || !strings.Contains(err.Error(), "there is no pg_dump") {
		t.Errorf("a backup begins: %v", err)
	}
	n := 0
	all, err := p.Tables(t.Context(), "social.example.org")
	if err == nil {
		err = errors.Join(all.Each(t.Context(), gotosocial.LocalMedia, nil, func([]*string) error { n++; return nil }), all.Close())
	}
	if err != nil || n != len(postgrestest.LocalMedia) {
		t.Errorf("an export reads %d keys, %v", n, err)
	}
}

func TestMissingPostgresIsToldWithTheCommandThatInstallsIt(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	places := dumpPlaces
	dumpPlaces = nil
	defer func() { dumpPlaces = places }()
	c, err := gotosocial.Load("", []string{"GTS_DB_ADDRESS=127.0.0.1", "GTS_DB_PORT=1", "GTS_DB_USER=gotosocial"})
	if err != nil {
		t.Fatal(err)
	}
	target, err := NewTarget(c, &disk.Mover{}, false)
	if err != nil {
		t.Fatal(err)
	}
	var refused *remedy.Error
	_, err = target.Look(t.Context(), manifest.Facts{Server: "15.18"})
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "not installed here") || !strings.Contains(refused.Fix, "apt install postgresql") || !strings.Contains(refused.Fix, "15.18") {
		t.Errorf("%v, %+v", err, refused)
	}
}
