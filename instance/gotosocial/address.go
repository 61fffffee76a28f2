package gotosocial

import (
	"encoding/hex"
	"strings"
)

// sqlitePath returns the path of the file that a server opens for db-address, or "" if
// SQLite would refuse the address. GoToSocial drops the text after "?" and a first
// "file:", and hands the rest to SQLite as a URI (buildSQLiteAddress). SQLite's rules for
// a URI are those of https://www.sqlite.org/uri.html: "#" begins a fragment, "%20" is a
// space, "%00" ends the path, and an authority is empty or localhost.
func sqlitePath(address string) string {
	address, _, _ = strings.Cut(address, "?")
	address, _, _ = strings.Cut(strings.TrimPrefix(address, "file:"), "#")
	if rest, ok := strings.CutPrefix(address, "//"); ok {
		authority, path, _ := strings.Cut(rest, "/")
		if authority != "" && authority != "localhost" {
			return ""
		}
		address = "/" + path
	}
	path, _, _ := strings.Cut(unescape(address), "\x00")
	return path
}

// SQLiteAddress returns the value of db-address for which a server opens the file.
func SQLiteAddress(file string) string {
	return strings.NewReplacer("%", "%25", "#", "%23", "?", "%3f").Replace(file)
}

// unescape replaces each "%" with two hexadecimal digits by the byte, as SQLite does. All
// other "%" stay.
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if octet, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				b.Write(octet)
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
