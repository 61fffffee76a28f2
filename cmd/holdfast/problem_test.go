package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/remedy"
	"holdfast/remote"
)

func TestRestoredDatabaseThatIsDamagedHasAWayOut(t *testing.T) {
	p := explain(t.Context(), fmt.Errorf("check the database: %w", &remedy.DamageError{Findings: []string{"row 1 missing from index"}}))
	if p.exit != exitDamage || !strings.Contains(p.fix, "holdfast cat") {
		t.Errorf("exit %d, %s", p.exit, p.fix)
	}
}

func TestKitTellsTheRegion(t *testing.T) {
	path := t.TempDir() + "/kit.txt"
	if err := (kit{Remote: "s3://garage.example/bucket", Region: "garage"}).save(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "AWS_SECRET_ACCESS_KEY=… AWS_REGION=garage\n") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestHolderOfTheLockIsNamedAlsoWhileItSigns(t *testing.T) {
	a := &app{state: t.TempDir()}
	unlock, err := a.lock("backup")
	if err != nil {
		t.Fatal(err)
	}
	path := a.state + "/lock"
	signed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// What a process left that was killed: its number may be anybody's by now.
	for _, before := range []string{"", strings.Replace(string(signed), fmt.Sprint(os.Getpid()), "4194305", 1)} {
		synctest.Test(t, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(300*time.Millisecond, func() {
				if err := os.WriteFile(path, signed, 0o600); err != nil {
					t.Error(err)
				}
			})
			_, err := a.lock("backup")
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d on", os.Getpid())) {
				t.Errorf("after %q: %v", before, err)
			}
		})
	}
	// Nobody signs at all.
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if _, err := a.lock("backup"); explain(t.Context(), err).exit != exitBusy {
			t.Errorf("%v", err)
		}
	})
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsPrintedCannotSteerTheTerminal(t *testing.T) {
	for name, want := range map[string]string{
		"media/ä b'.png":   "media/ä b'.png",
		"packs/a\x1b[31mb": `"packs/a\x1b[31mb"`,
		"new\nline":        `"new\nline"`,
		"no\xffutf8":       `"no\xffutf8"`,
		"turned\u202eback": `"turned\u202eback"`,
	} {
		if got := legible(name); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p := &problem{err: errors.New("said \x1b[2J\n✓ nothing is damaged"), fix: "one\ntwo\r"}
	if got := p.render("verify"); strings.ContainsAny(got, "\x1b\r") || strings.Contains(got, "\n✓") {
		t.Errorf("%q", got)
	}
	var out, err strings.Builder
	a := &app{out: &out, err: &err}
	a.warn("name %s", "a\n✓ nothing is damaged\x1b[2J")
	a.say("name %s", "a\x1b[2J")
	if got := out.String() + err.String(); strings.Contains(got, "\x1b") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}

func TestEachFailureHasItsOwnFix(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit int
		fix  string
	}{
		{remote.ErrCredentials, exitCredentials, "secret_key"},
		{remote.ErrRights, exitCredentials, "chown"},
		{remote.ErrUnreachable, exitUnreachable, "network"},
		{remote.ErrNotMounted, exitUnreachable, "mount the disk"},
		{remote.ErrReadOnly, exitUnreachable, "read-write"},
		{remote.ErrNoBucket, exitNoRepository, "bucket"},
		{remote.ErrFull, exitFull, "quota"},
		{syscall.ENOSPC, exitFull, "this machine's disk"},
		{&remedy.Error{Kind: remedy.Busy, What: "another restore", Fix: "wait"}, exitBusy, "wait"},
		{&remedy.Error{Kind: remedy.Source, What: "the disk of PostgreSQL", Err: syscall.ENOSPC, Fix: "on that disk"}, exitFull, "on that disk"},
		{&remedy.Error{Kind: remedy.Source, What: "a row", Err: &remedy.DamageError{}, Fix: "by psql"}, exitDamage, "by psql"},
	} {
		p := explain(t.Context(), fmt.Errorf("list: %w", c.err))
		if p.exit != c.exit || !strings.Contains(p.fix, c.fix) {
			t.Errorf("%v: exit %d, %s", c.err, p.exit, p.fix)
		}
	}
}
