package export_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

// line is one of an export.
type line struct {
	Type, ID, Username, Domain, PrivateKey, PublicKey, Note string
	AccountID, TargetAccountID, SuspendedAt                 string
}

func lines(t testing.TB, export string) (all []line) {
	t.Helper()
	for text := range strings.Lines(export) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

func TestExportedKeysAreTheDatabasesOwn(t *testing.T) {
	dir := people(t)
	text, err := exportLive(t, dir)
	db := testkit.OpenSQLite(t, filepath.Join(dir, "sqlite.db"), "")
	defer db.Close()
	found := 0
	for _, l := range lines(t, noError(t, text, err)) {
		if l.Type != "account" {
			continue
		}
		// Compared as digits: nobody has read them as numbers here.
		digits := func(column, name string) string {
			stored := testkit.Query[string](t, db, "SELECT "+column+" FROM accounts WHERE id='"+l.ID+"'")
			return regexp.MustCompile(`"` + name + `":(\d+)`).FindStringSubmatch(stored)[1]
		}
		public := parsePEM(t, l.PublicKey, x509.ParsePKCS1PublicKey)
		if public.N.String() != digits("public_key", "N") {
			t.Errorf("%s: another public key", l.Username)
		}
		if l.Domain != "" {
			if l.PrivateKey != "" {
				t.Errorf("%s of %s has a private key", l.Username, l.Domain)
			}
			continue
		}
		found++
		private := parsePEM(t, l.PrivateKey, x509.ParsePKCS1PrivateKey)
		if private.N.String() != digits("private_key", "N") || private.D.String() != digits("private_key", "D") ||
			len(digits("private_key", "N")) < 600 {
			t.Errorf("%s: another private key", l.Username)
		}
	}
	if found != 4 {
		t.Errorf("%d local accounts, want 4", found)
	}
}

func parsePEM[K any](t testing.TB, text string, parse func([]byte) (K, error)) K {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		t.Fatalf("no PEM: %q", text)
	}
	key, err := parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestExportHoldsRelationsOfLocalAccounts(t *testing.T) {
	text, err := exportLive(t, people(t))
	text = noError(t, text, err)
	written := map[string]bool{}
	odd := 0
	for _, l := range lines(t, text) {
		if written[l.ID] {
			t.Errorf("%s %s is there twice", l.Type, l.ID)
		}
		written[l.ID] = true
		if l.Note == oddNote {
			odd++
		}
	}
	tied := map[string]bool{}
	for _, l := range lines(t, text) {
		if l.TargetAccountID == "" {
			continue
		}
		tied[l.AccountID], tied[l.TargetAccountID] = true, true
		if !written[l.AccountID] || !written[l.TargetAccountID] {
			t.Errorf("%s %s leads to an account that is not there", l.Type, l.ID)
		}
	}
	for _, l := range lines(t, text) {
		if l.Type == "account" && l.Domain != "" && l.SuspendedAt == "" && !tied[l.ID] {
			t.Errorf("%s of %s has to do with nobody here", l.Username, l.Domain)
		}
	}
	for id, want := range map[string]bool{"01B": true, "01C": true, "01D": false, "01F": true, "01G": true,
		"01H": false, "01Q": true, "01X": true} {
		if written[id] != want {
			t.Errorf("%s is written: %v", id, written[id])
		}
	}
	if odd != 1 {
		t.Errorf("%d notes are what was written", odd)
	}
	if n := strings.Count(text, `"suspendedAt":"2026-01-02T03:04:05.1Z","suspensionOrigin":"`); n != 2 {
		t.Errorf("%d suspended accounts", n)
	}
}
