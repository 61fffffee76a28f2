package psql

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"holdfast/remedy"
)

// isScript reports whether the database part may have a script of this name.
func isScript(name string) bool {
	_, ok := grammars[name]
	return ok || name == RestoreFile
}

// grammars has the check of each statement of each script.
var grammars = map[string]func(statement) error{
	PreData: checkSchema, PostData: checkSchema, Sequences: checkSequence, Extensions: checkExtension,
	EventTriggers: checkEventTrigger,
}

// Check refuses scripts that Holdfast and pg_dump did not write: a script can start programs,
// by psql's own commands or by the rights of its user. files are the files of a
// database part, and a missing script is no error.
func Check(files fs.FS) error {
	for name := range grammars {
		check := func(text string) error { return CheckText(name, text) }
		if err := checkScript(files, name, check); err != nil {
			return err
		}
	}
	return checkScript(files, RestoreFile, checkRestore)
}

// CheckText checks the text of a script other than restore.sql.
func CheckText(name, text string) error {
	if len(text) > MaxScript {
		return fmt.Errorf("%s has more than %d bytes", name, MaxScript)
	}
	if name != PreData && name != Extensions && swallowed.MatchString(text) {
		return errors.New("a sign follows a letter beyond ASCII, and some encodings join the two")
	}
	return statements(text, grammars[name])
}

// CheckForSuperuser refuses, beyond [Check], a schema with code of its own. As a superuser such code can read
// and write each file of PostgreSQL's machine, and start programs.
func CheckForSuperuser(files fs.FS, user string) error {
	for _, name := range []string{PreData, PostData} {
		text, err := readOptional(files, name)
		if err == nil {
			err = statements(text, checkTables)
		}
		if err != nil {
			return &remedy.Error{Kind: remedy.Refused, Err: fmt.Errorf("%s: %w", name, err),
				What: fmt.Sprintf("PostgreSQL's user %q is a superuser, and the snapshot's schema holds code, "+
					"which GoToSocial does not make", user),
				Effect: "the code could read every file of PostgreSQL's machine and start programs",
				Fix: fmt.Sprintf("as another superuser of PostgreSQL: ALTER ROLE %s NOSUPERUSER CREATEDB, "+
					"then run the restore again; or give a configuration with an ordinary user by --gotosocial",
					QuoteName(user))}
		}
	}
	return nil
}

// swallowed matches a sign that another encoding joins with the letter before. The rows come
// before some scripts, and code of the schema that checks the rows could change the encoding.
var swallowed = regexp.MustCompile("(?s)[^\x00-\x7f](?:[0-9].?)?['\"$\\\\\n-]")

func checkScript(files fs.FS, name string, check func(text string) error) error {
	text, err := readOptional(files, name)
	if err == nil {
		err = check(text)
	}
	if err == nil {
		return nil
	}
	return &remedy.Error{Kind: remedy.Refused, Err: err,
		What:   name + " of the snapshot is not as Holdfast and pg_dump write it",
		Effect: "the script could start programs, so Holdfast neither runs nor writes the script",
		Fix: "restore a snapshot from before a break-in; if only you can have written the snapshot, " +
			"look at the script by holdfast cat, and restore by hand (docs/restore-by-hand.md)"}
}

func readOptional(files fs.FS, name string) (string, error) {
	text, err := ReadScript(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return text, err
}

// checkSequence knows the lines that set the values of sequences.
func checkSequence(s statement) error {
	if s.has("select", "pg_catalog", ".", "setval", "(", "?", ",", "?", ",", "?", ")") {
		return nil
	}
	return errUnknown
}

// checkExtension knows the lines that make extensions.
func checkExtension(s statement) error {
	if s.has("create", "extension", "if", "not", "exists", "?", "with", "schema", "?", "cascade") {
		return nil
	}
	return errUnknown
}

// checkEventTrigger knows the lines that make event triggers.
func checkEventTrigger(s statement) error {
	if s.begins("create event trigger") || s.begins("alter event trigger") {
		return nil
	}
	return errUnknown
}

// The lines of restore.sql besides those that name a table or schema. Only an optional
// script may go on after an error.
var (
	optionalBlock = regexp.MustCompile(`\\echo 'Nothing here needs the [a-z ]+ that are made now: ` +
		`an error about one does no harm\.'\n` +
		`\\set ON_ERROR_STOP off\n\\i (?:extensions|event-triggers)\.sql\n\\set ON_ERROR_STOP on\n`)
	fixed = []string{
		`\set ON_ERROR_STOP on`, `\encoding UTF8`, `\i ` + PreData, `\i ` + Sequences, `\i ` + PostData,
		"SET client_min_messages = error;", "ANALYZE;", "RESET client_min_messages;",
	}
)

// checkRestore compares the script line by line with [Script.Text]'s.
func checkRestore(text string) error {
	text = optionalBlock.ReplaceAllString(text, "")
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := checkRestoreLine(strings.TrimSuffix(line, "\n")); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// copied matches the files of rows: no other character is in the result of [EscapeName].
var copied = regexp.MustCompile(`^[\w%.]+\.copy$`)

func checkRestoreLine(line string) error {
	rest, copies := strings.CutPrefix(line, `\copy `)
	switch {
	case strings.ContainsAny(line, "\r\x00"):
		return errors.New("a sign that ends a line")
	case strings.HasPrefix(line, "-- "):
		return nil
	case copies:
		_, err := parseCopy(rest)
		return err
	case slices.Contains(fixed, line):
		return nil
	}
	if path, ok := strings.CutPrefix(line, searchPath); ok {
		path, ok = strings.CutSuffix(path, ";")
		if _, err := parseNames("(" + path + ")"); ok && err == nil {
			return nil
		}
	}
	return fmt.Errorf("%.40q is no line of this script", line)
}

// Locate returns the path of a file of the database part, if [Folder] may hold the file.
func Locate(name string) (string, bool) {
	if path.Base(name) != name || !isScript(name) && !copied.MatchString(name) {
		return "", false
	}
	return path.Join(Folder, name), true
}
