package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/remedy"
)

// The environment may hold the storage's keys. The program is any pg_dump on PATH.
func TestPgDumpGetsNoSecretsAndIsTrusted(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
	dir := t.TempDir()
	program, seen := filepath.Join(dir, "pg_dump"), filepath.Join(dir, "seen")
	text := fmt.Sprintf("#!/bin/sh\nenv >> %s\necho 'pg_dump (PostgreSQL) 15.3'\n", seen)
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	folders := Folders
	Folders = nil
	defer func() { Folders = folders }()
	if path, err := FindDump(t.Context(), 15); err != nil || path != program {
		t.Errorf("%q, %v", path, err)
	}
	if _, err := Options(t.Context(), program); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(seen); err != nil || strings.Contains(string(got), "a-secret") || len(got) == 0 {
		t.Errorf("the program sees %s, %v", got, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if path, err := FindDump(t.Context(), 15); err == nil || !strings.Contains(err.Error(), "others may") {
		t.Errorf("from a folder of all users: %q, %v", path, err)
	}
}

func TestPgDumpWithoutAnAnswerIsNamed(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "pg_dump")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	folders := Folders
	Folders = nil
	defer func() { Folders = folders }()
	_, err := FindDump(t.Context(), 15)
	if err == nil || !strings.Contains(err.Error(), "ask "+program+" for its version: exit status 7") {
		t.Errorf("%v", err)
	}
	var p *remedy.Error
	if _, err := Options(t.Context(), program); !errors.As(err, &p) || !strings.Contains(p.Fix, program) {
		t.Errorf("%v", err)
	}
}

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
		folders := Folders
		Folders = []string{filepath.Join(dir, "*")}
		got, err := FindDump(t.Context(), c.server)
		Folders = folders
		if c.want != 0 {
			if err != nil || got != filepath.Join(dir, fmt.Sprint(c.want), "pg_dump") {
				t.Errorf("%v for %d: %s, %v", c.have, c.server, got, err)
			}
			continue
		}
		var p *remedy.Error
		if !errors.As(err, &p) || !strings.Contains(err.Error(), c.says) ||
			p.Fix != fmt.Sprintf("apt install postgresql-client-%d, or your distribution's package", c.server) {
			t.Errorf("%v for %d: %v", c.have, c.server, err)
		}
	}
}
