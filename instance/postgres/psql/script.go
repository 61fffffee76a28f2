// Package psql holds the texts by which psql, or Holdfast, fills a database: the names of
// the files in the database part, restore.sql, quoted names, and passwords.
package psql

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"holdfast/instance/gotosocial"
)

// Folder is the folder of the database part in a restored folder. It holds the
// scripts and rows that psql loads.
const Folder = "database"

// RestoreFile is the script by which psql loads all other files of the database
// part.
const RestoreFile = "restore.sql"

// The other files of the database part that hold no rows.
const (
	PreData    = "pre-data.sql"   // pg_dump's: what tables need
	Sequences  = "sequences.sql"  // the values of the sequences
	PostData   = "post-data.sql"  // pg_dump's: what needs tables, such as indexes
	Extensions = "extensions.sql" // the extensions that nothing needs, if there are any
	// EventTriggers makes the event triggers, if there are any. Only a superuser may.
	EventTriggers = "event-triggers.sql"
)

// searchPath begins the last line of restore.sql. The line leads to GoToSocial's
// tables.
const searchPath = "SET search_path = "

// Script is the content of restore.sql.
type Script struct {
	Tables        []CopyLine
	Extensions    bool   // the file [Extensions] exists
	EventTriggers bool   // the file [EventTriggers] exists
	Path          string // leads to GoToSocial's tables: quoted schemas, as SET search_path takes them
}

// Text returns the text of restore.sql.
func (s Script) Text() string {
	var b strings.Builder
	b.WriteString("-- Fills a new, empty database, by psql alone, in this folder:\n" +
		"--   createdb --template=template0 --locale=C.UTF-8 --owner=gotosocial NAME\n" +
		"--   psql --no-psqlrc --username=gotosocial --dbname=NAME --file=restore.sql\n" +
		"\\set ON_ERROR_STOP on\n\\encoding UTF8\n\\i pre-data.sql\n")
	if s.Extensions {
		b.WriteString(optional(Extensions, "extensions"))
	}
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "\\copy %s %s from '%s'\n", t.Table, t.Columns, t.File)
	}
	// PostgreSQL warns about each system table that a plain user may not analyze.
	b.WriteString("\\i sequences.sql\n\\i post-data.sql\n")
	b.WriteString("SET client_min_messages = error;\nANALYZE;\nRESET client_min_messages;\n")
	if s.EventTriggers {
		b.WriteString(optional(EventTriggers, "event triggers"))
	}
	b.WriteString(searchPath + s.Path + ";\n")
	return b.String()
}

// optional returns lines that read a file, and go on after an error in the file.
func optional(file, what string) string {
	return fmt.Sprintf("\\echo 'Nothing here needs the %s that are made now: an error about one does no harm.'\n"+
		"\\set ON_ERROR_STOP off\n\\i %s\n\\set ON_ERROR_STOP on\n", what, file)
}

// MaxScript is the largest script, in bytes. GoToSocial's schema has 100 KB.
const MaxScript = 16 << 20

// ReadScript reads a script of the database part.
func ReadScript(files fs.FS, name string) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxScript+1))
	if err == nil && len(text) > MaxScript {
		err = fmt.Errorf("%s has more than %d bytes", name, MaxScript)
	}
	return string(text), err
}

// SearchPathLine returns the line of restore.sql that leads to GoToSocial's tables,
// or "" without a restore.sql. dir is the scripts' folder in files.
func SearchPathLine(files fs.FS, dir string) (line string, err error) {
	text, err := ReadScript(files, path.Join(dir, RestoreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, searchPath) {
			line = l
		}
	}
	return line, err
}

// parseSearchPath returns the quoted schemas of the line.
func parseSearchPath(line string) (path string, err error) {
	path, ends := strings.CutSuffix(strings.TrimSuffix(strings.TrimPrefix(line, searchPath), "\n"), ";")
	if _, err := parseNames("(" + path + ")"); !ends || err != nil {
		return "", gotosocial.Damaged(RestoreFile + " names no schema in its last line")
	}
	return path, nil
}

// ReadSearchPath returns the quoted schemas in the last line of restore.sql, or "" if no line
// has any.
func ReadSearchPath(files fs.FS) (path string, err error) {
	line, err := SearchPathLine(files, ".")
	if err != nil || line == "" {
		return "", err
	}
	return parseSearchPath(line)
}

// CopyLine is a \copy line of restore.sql. Name and columns are quoted for SQL.
type CopyLine struct {
	Table, Columns, File string
}

// CopyLines returns the \copy lines of restore.sql, in their order.
func CopyLines(files fs.FS) (lines []CopyLine, err error) {
	text, err := ReadScript(files, RestoreFile)
	if err != nil {
		return nil, err
	}
	for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
		text, ok := strings.CutPrefix(scanner.Text(), `\copy `)
		if !ok {
			continue
		}
		line, err := parseCopy(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", RestoreFile, err)
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// LargestFirst sorts lines by the sizes of their files.
func LargestFirst(files fs.FS, lines []CopyLine) error {
	sizes := map[string]int64{}
	for _, line := range lines {
		info, err := fs.Stat(files, line.File)
		if err != nil {
			return err
		}
		sizes[line.File] = info.Size()
	}
	slices.SortStableFunc(lines, func(a, b CopyLine) int { return cmp.Compare(sizes[b.File], sizes[a.File]) })
	return nil
}

// parseCopy parses a line of [Script.Text] after "\copy": TABLE (COLUMNS) from
// 'FILE'. All names are quoted, so that no part of the line is code for SQL or psql.
func parseCopy(text string) (line CopyLine, err error) {
	names, file, ok := cutLast(text, " from '")
	line.File, _ = strings.CutSuffix(file, "'")
	if !ok || line.File+"'" != file || !copied.MatchString(line.File) {
		return line, fmt.Errorf("%q names no file", text)
	}
	_, rest, schema := cutName(names)
	rest, dot := strings.CutPrefix(rest, ".")
	_, rest, table := cutName(rest)
	rest, space := strings.CutPrefix(rest, " ")
	if !schema || !dot || !table || !space {
		return line, fmt.Errorf("%q names no table", text)
	}
	line.Table, line.Columns = names[:len(names)-len(rest)-1], rest
	if line.Columns == "" {
		return line, nil // a table without columns
	}
	_, err = parseNames(line.Columns)
	return line, err
}

// cutLast is [strings.Cut] at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// CopiedColumns returns the columns of each file of rows, by the name of the file,
// as restore.sql loads them.
func CopiedColumns(files fs.FS) (map[string][]string, error) {
	lines, err := CopyLines(files)
	if err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	for _, line := range lines {
		if line.Columns == "" {
			continue // a table without columns
		}
		if columns[line.File], err = parseNames(line.Columns); err != nil {
			return nil, fmt.Errorf("%s: %w", RestoreFile, err)
		}
	}
	return columns, nil
}

// parseNames parses a list of quoted names: ("a", "b").
func parseNames(list string) (names []string, err error) {
	rest, ok := strings.CutPrefix(list, "(")
	for ok {
		var name string
		if name, rest, ok = cutName(rest); !ok {
			break
		}
		names = append(names, name)
		if rest == ")" {
			return names, nil
		}
		rest, ok = strings.CutPrefix(rest, ", ")
	}
	return nil, fmt.Errorf("%q is not a list of columns", list)
}

// cutName takes a name in double quotes from the start of text. A quote within the
// name stands twice.
func cutName(text string) (name, rest string, ok bool) {
	rest, ok = strings.CutPrefix(text, `"`)
	for ok {
		var part string
		if part, rest, ok = strings.Cut(rest, `"`); !ok {
			break
		}
		name += part
		if !strings.HasPrefix(rest, `"`) {
			return name, rest, true
		}
		name, rest = name+`"`, rest[1:]
	}
	return "", "", false
}
