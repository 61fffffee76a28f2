package remedy_test

import (
	"testing"

	"holdfast/remedy"
)

func TestSecretsWithAFormOfTheirOwnAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"open AGE-SECRET-KEY-1QQPZRY9X8: no such file": "open AGE-SECRET-KEY-1…: no such file",
		"open age-secret-key-pq-1qqpzry9x8, and":       "open age-secret-key-pq-1…, and",
		`"AGE-PLUGIN-YUBIKEY-1QQPZ"`:                   `"AGE-PLUGIN-YUBIKEY-1…"`,
		"type the key (AGE-SECRET-KEY-1…)":             "type the key (AGE-SECRET-KEY-1…)",
		`"postgres://me:hunter2@host/db?x"`:            `"postgres://me:…@host/db?x"`,
		"postgres://me:hun/ter@2@host":                 "postgres://me:…@host",
		"s3+http://:hunter2@h:9000/b and s3://k:s@h":   "s3+http://:…@h:9000/b and s3://k:…@h",
		"http://127.0.0.1:9000/bucket/user@host":       "http://127.0.0.1:9000/bucket/user@host",
		"http://[::1]:9000/bucket, me@host:/path":      "http://[::1]:9000/bucket, me@host:/path",
		"s3://fsn1.example.org/bucket/x#hf1abc":        "s3://fsn1.example.org/bucket/x#hf1abc",
		"open -----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----: no": "open " +
			"-----BEGIN OPENSSH PRIVATE KEY-----…: no",
		"open -----BEGIN PRIVATE KEY-----\nb3Bl\nb3":       "open -----BEGIN PRIVATE KEY-----…",
		"host=h password=hunter2 user=u":                   "host=h password=… user=u",
		"postgres://h/d?password=hunter2&user=u":           "postgres://h/d?password=…&user=u",
		"host=h password='hun ter2' user=u":                "host=h password=… user=u",
		"the password of the server, at 10:30, and a://b:": "the password of the server, at 10:30, and a://b:",
	} {
		if got := remedy.Redact(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestIdentityIsKnownByItsBegin(t *testing.T) {
	for text, want := range map[string]bool{
		"AGE-SECRET-KEY-1QQ": true, " age-secret-key-1qq": true, "file:AGE-SECRET-KEY-1QQ": true,
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl": true,
		"AGE-PLUGIN-X-1Q": true,
		"AGE-SECRET-KEY":  true, "age1qqpzry": false, "kit.txt": false, "": false, "-": false,
	} {
		if remedy.HoldsIdentity(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
