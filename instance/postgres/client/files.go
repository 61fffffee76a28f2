package client

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"

	"holdfast/disk"
	"holdfast/remedy"
)

// fileSetting matches a setting that names a file, in a connection string of keywords or in a
// service file. Behind a quoted value the next keyword needs no space.
var fileSetting = regexp.MustCompile(
	`(?:^|[\s\v'])(` + strings.Join(fileKeys, "|") + `)[\s\v]*=[\s\v]*('(?:[^'\\]|\\.)*'|(?:[^\s\v\\]|\\.)*)`)

// fileKeys are the settings by which a connection string names files.
var fileKeys = []string{"servicefile", "passfile", "sslcert", "sslkey", "sslrootcert"}

// escaped matches a character behind a backslash.
var escaped = regexp.MustCompile(`\\(.)`)

// CheckFiles refuses a connection string of PostgreSQL that names a pipe, a device or a huge file.
// pgx would wait for the pipe for ever, and read a device until the memory ends. Another user may have written
// the string.
func CheckFiles(text string) error {
	files := map[string]string{}
	if u, err := url.Parse(text); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") {
		for _, key := range fileKeys {
			files[key] = u.Query().Get(key)
		}
	} else {
		files = filesOf(text)
	}
	for _, key := range fileKeys {
		content, err := readNamed(key, files[key])
		if err != nil || key != "servicefile" {
			if err != nil {
				return err
			}
			continue
		}
		for key, file := range filesOf(content) {
			if _, err := readNamed(key, file); err != nil {
				return err
			}
		}
	}
	return nil
}

// filesOf returns the files that a text of keywords and values names, by keyword.
func filesOf(text string) map[string]string {
	files := map[string]string{}
	for _, found := range fileSetting.FindAllStringSubmatch(text, -1) {
		files[found[1]] = escaped.ReplaceAllString(strings.Trim(found[2], "'"), "$1")
	}
	return files
}

// readNamed returns the text of a file that a setting names. A missing file is empty: pgx knows
// which files may be missing, and which this user may not read.
func readNamed(key, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := disk.ReadSmall(file, maxCertificates)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	if err != nil {
		return "", &remedy.Error{Kind: remedy.Setting, Err: err,
			What: fmt.Sprintf("%s of db-postgres-connection-string names no ordinary file", key),
			Fix:  "correct " + key + ", or leave the keyword out"}
	}
	return string(text), nil
}
