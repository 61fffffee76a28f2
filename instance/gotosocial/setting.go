package gotosocial

import (
	"strings"

	"holdfast/remedy"
)

// Setting is a value and its origin.
type Setting struct {
	Key    string // as in the file: "db-address"
	Value  string // a list is joined by commas
	Origin Origin
}

// Origin tells where a setting comes from.
type Origin struct {
	Kind OriginKind
	// File is the file that holds the setting: the configuration file, a unit, a
	// drop-in or an environment file. A default and a variable of Holdfast's own
	// environment have no file.
	File string
}

// OriginKind is the kind of an origin.
type OriginKind string

// The kinds. Each kind overrides the kinds before.
const (
	FromDefault     OriginKind = "default"
	FromFile        OriginKind = "file"
	FromEnvironment OriginKind = "environment"
	FromFlag        OriginKind = "flag"
)

// variable returns the environment variable of a setting: GTS_DB_TYPE for db-type.
func variable(key string) string { return "GTS_" + strings.ToUpper(strings.ReplaceAll(key, "-", "_")) }

// From names the file, variable or flag that holds the value.
func (s Setting) From() string {
	switch o := s.Origin; {
	case o.Kind == FromFile:
		return o.File
	case o.Kind == FromEnvironment && o.File == "":
		return variable(s.Key) + " of Holdfast's own environment"
	case o.Kind == FromEnvironment:
		return variable(s.Key) + " in " + o.File
	case o.Kind == FromFlag:
		return "--" + s.Key + " in " + o.File
	}
	return string(s.Origin.Kind)
}

// Secret reports whether the value is a secret.
func (s Setting) Secret() bool {
	for _, word := range []string{"password", "secret", "access-key", "connection-string", "token"} {
		if strings.Contains(s.Key, word) {
			return true
		}
	}
	return remedy.Redact(s.Value) != s.Value
}

// defaults are GoToSocial's own defaults, from internal/config/defaults.go. A setting
// that is absent here, such as db-user, has no default; [Config.Get] returns "" for it.
var defaults = map[string]string{
	"account-domain":           "",
	"db-address":               "",
	"db-database":              "gotosocial",
	"db-port":                  "5432",
	"db-tls-ca-cert":           "",
	"db-tls-mode":              "disable",
	"db-type":                  "",
	"host":                     "",
	"letsencrypt-cert-dir":     "/gotosocial/storage/certs",
	"storage-backend":          "local",
	"storage-local-base-path":  "/gotosocial/storage",
	"storage-s3-bucket":        "",
	"storage-s3-bucket-lookup": "auto",
	"storage-s3-endpoint":      "",
	"storage-s3-key-prefix":    "",
	"storage-s3-use-ssl":       "true",
	"tls-certificate-chain":    "",
	"tls-certificate-key":      "",
	"web-asset-base-dir":       "./web/assets/",
	"web-template-base-dir":    "./web/template/",
}
