package remote

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// CheckName returns an error that wraps [fs.ErrInvalid] unless name is
// "KIND/SHA256": lower-case letters other than "tmp", then 64 lower-case
// hexadecimal digits. Put, Get and Delete of every store refuse other names: no
// name leads out of the remote's root.
func CheckName(name string) error {
	kind, sum, _ := strings.Cut(name, "/")
	raw, err := hex.DecodeString(sum)
	if kind == "" || kind == tmp || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz") != "" ||
		err != nil || len(raw) != 32 || sum != strings.ToLower(sum) {
		return fmt.Errorf("object name %.100q is not KIND/SHA256: %w", name, fs.ErrInvalid)
	}
	return nil
}
