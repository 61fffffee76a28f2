package postgres

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
	preData    = "pre-data.sql"   // pg_dump's: what tables need
	sequences  = "sequences.sql"  // the values of the sequences
	postData   = "post-data.sql"  // pg_dump's: what needs tables, such as indexes
	extensions = "extensions.sql" // the extensions that nothing needs, if there are any
)

// searchPath begins the last line of restore.sql. The line leads to GoToSocial's
// tables: pg_dump's scripts set an empty search path.
const searchPath = "SET search_path = "

// restoreScript returns the text of restore.sql. GoToSocial's tables are in the
// schema.
func restoreScript(tables []table, all []extension, schema string) string {
	var b strings.Builder
	b.WriteString("-- Fills a new, empty database, by psql alone, in this folder:\n" +
		"--   createdb --template=template0 --locale=C.UTF-8 --owner=gotosocial NAME\n" +
		"--   psql --no-psqlrc --username=gotosocial --dbname=NAME --file=restore.sql\n" +
		"\\set ON_ERROR_STOP on\n\\encoding UTF8\n\\i pre-data.sql\n")
	if hasExtras(all) {
		b.WriteString("\\echo 'Nothing here needs the extensions that are made now: an error about one does no " +
			"harm.'\n" +
			"\\set ON_ERROR_STOP off\n\\i extensions.sql\n\\set ON_ERROR_STOP on\n")
	}
	for _, t := range tables {
		fmt.Fprintf(&b, "\\copy %s %s from '%s'\n", t.name(), t.list(), t.file())
	}
	// PostgreSQL warns about each system table that a plain user may not analyze.
	b.WriteString("\\i sequences.sql\n\\i post-data.sql\n")
	b.WriteString("SET client_min_messages = error;\nANALYZE;\nRESET client_min_messages;\n")
	b.WriteString(searchPath + quoteName(schema) + ";\n")
	return b.String()
}

// maxScript is the largest script, in bytes. GoToSocial's schema has 100 KB.
const maxScript = 64 << 20

// readScript reads a script of the database part.
func readScript(files fs.FS, name string) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	if err == nil && len(text) > maxScript {
		err = fmt.Errorf("%s has more than %d bytes", name, maxScript)
	}
	return string(text), err
}

// searchPathLine returns the line of restore.sql that leads to GoToSocial's tables,
// or "" without a restore.sql. dir is the scripts' folder in files.
func searchPathLine(files fs.FS, dir string) (line string, err error) {
	text, err := readScript(files, path.Join(dir, RestoreFile))
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

// parseSearchPath returns the quoted schema of the line.
func parseSearchPath(line string) (schema string, err error) {
	schema, ends := strings.CutSuffix(strings.TrimSuffix(strings.TrimPrefix(line, searchPath), "\n"), ";")
	inner, quoted := strings.CutPrefix(schema, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !ends || !quoted || !closed || strings.Contains(strings.ReplaceAll(inner, `""`, ""), `"`) {
		return "", gotosocial.Damaged(RestoreFile + " names no schema in its last line")
	}
	return schema, nil
}

// copyLine is a \copy line of restore.sql. Name and columns are quoted for SQL.
type copyLine struct {
	table, columns, file string
}

// copyLines returns the \copy lines of restore.sql, in their order.
func copyLines(files fs.FS) (lines []copyLine, err error) {
	text, err := readScript(files, RestoreFile)
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

// largestFirst sorts lines by the sizes of their files.
func largestFirst(files fs.FS, lines []copyLine) error {
	sizes := map[string]int64{}
	for _, line := range lines {
		info, err := fs.Stat(files, line.file)
		if err != nil {
			return err
		}
		sizes[line.file] = info.Size()
	}
	slices.SortStableFunc(lines, func(a, b copyLine) int { return cmp.Compare(sizes[b.file], sizes[a.file]) })
	return nil
}

// parseCopy parses a line of [restoreScript] after "\copy": TABLE (COLUMNS) from
// 'FILE'.
func parseCopy(text string) (line copyLine, err error) {
	names, file, ok := cutLast(text, " from '")
	if line.file = strings.TrimSuffix(file, "'"); !ok || !fs.ValidPath(line.file) || path.Base(line.file) != line.file {
		return line, fmt.Errorf("%q names no file", text)
	}
	// A quoted name may hold every character, and holds a quote twice.
	quoted := false
	for i, c := range names {
		if c == '"' {
			quoted = !quoted
		}
		if c == ' ' && !quoted {
			line.table, line.columns = names[:i], strings.TrimSpace(names[i:])
			return line, nil
		}
	}
	return line, fmt.Errorf("%q names no table", text)
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
	lines, err := copyLines(files)
	if err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	for _, line := range lines {
		if line.columns == "" {
			continue // a table without columns
		}
		if columns[line.file], err = parseNames(line.columns); err != nil {
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
