package remedy

import (
	"regexp"
	"strings"
)

var (
	identities = regexp.MustCompile(`(?i)\b(AGE-SECRET-KEY-(?:PQ-)?1|AGE-PLUGIN-[A-Z0-9]+-1)[0-9A-Z]+`)
	passwords  = regexp.MustCompile(`(?i)\b(password=)('[^'"]*'|[^\s&"'\\]+)`)
	pem        = regexp.MustCompile(`-----BEGIN ([A-Z ]*PRIVATE KEY)-----(?:[A-Za-z0-9+/=\s]|\\[nrt])*` +
		`(?:-----END [A-Z ]*-----)?`)
	authority = regexp.MustCompile("://[^\\s\"'`<>]+")
)

// Redact takes the secrets out of a text whose form tells them: identities of age, private keys,
// and passwords in URLs and connection strings. Redact is the last line of defence: no error
// should quote a secret in the first place. A JSON text stays a JSON text.
func Redact(text string) string {
	text = identities.ReplaceAllString(text, "${1}…")
	text = pem.ReplaceAllString(text, "-----BEGIN $1-----…")
	text = passwords.ReplaceAllString(text, "${1}…")
	return authority.ReplaceAllStringFunc(text, redactAuthority)
}

// redactAuthority takes the password out of "://USER:PASSWORD@HOST…". The password may hold
// each sign but white space and quotes. "://HOST:PORT/PATH" has no password.
func redactAuthority(text string) string {
	user, rest, ok := strings.Cut(strings.TrimPrefix(text, "://"), ":")
	at := strings.LastIndex(rest, "@")
	port, _, path := strings.Cut(rest, "/")
	if !ok || at < 0 || strings.ContainsAny(user, "/@") || path && strings.Trim(port, "0123456789") == "" {
		return text
	}
	return "://" + user + ":…" + rest[at:]
}

// HoldsIdentity reports whether a text holds an identity of age or a private key of ssh, or
// begins like an identity.
func HoldsIdentity(text string) bool {
	upper := strings.ToUpper(strings.TrimSpace(text))
	return identities.MatchString(text) || pem.MatchString(text) || strings.HasPrefix(upper, "AGE-SECRET-KEY") ||
		strings.HasPrefix(upper, "AGE-PLUGIN-")
}
