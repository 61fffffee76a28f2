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
)

// searchPath begins the last line of restore.sql, which leads to GoToSocial's
// tables: pg_dump's scripts lead nowhere.
const searchPath = "SET search_path = "

// restoreScript has psql restore everything that lies beside it. schema is that
// of GoToSocial's tables.
func restoreScript(tables []table, all []extension, schema string) string {
	var b strings.Builder
	b.WriteString("-- Fills a new, empty database, by psql alone, in this folder:\n" +
		"--   createdb --template=template0 --locale=C.UTF-8 --owner=gotosocial NAME\n" +
		"--   psql --no-psqlrc --username=gotosocial --dbname=NAME --file=restore.sql\n" +
		"\\set ON_ERROR_STOP on\n\\encoding UTF8\n\\i pre-data.sql\n")
	if extras(all) {
		b.WriteString("\\echo 'Nothing here needs the extensions that are made now: an error about one does no harm.'\n" +
			"\\set ON_ERROR_STOP off\n\\i extensions.sql\n\\set ON_ERROR_STOP on\n")
	}
	for _, t := range tables {
		fmt.Fprintf(&b, "\\copy %s %s from '%s'\n", t.name(), t.list(), t.file())
	}
	// PostgreSQL warns of each of its own tables that an owner may not analyze.
	b.WriteString("\\i sequences.sql\n\\i post-data.sql\nSET client_min_messages = error;\nANALYZE;\nRESET client_min_messages;\n")
	b.WriteString(searchPath + quoteName(schema) + ";\n")
	return b.String()
}

// maxScript bounds the schema, in bytes: GoToSocial's has 100 KB.
const maxScript = 64 << 20

func ReadScript(files fs.FS, name string) (string, error) {
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

// CopyLine is a \copy line of restore.sql: names are as SQL has them.
type CopyLine struct {
	name, columns, file string
}

// scriptTables reads the tables out of restore.sql, the larger files first: the
// last to be loaded shall be small.
func scriptTables(files fs.FS) (tables []CopyLine, err error) {
	text, err := ReadScript(files, RestoreFile)
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line, ok := strings.CutPrefix(lines.Text(), `\copy `)
		if !ok {
			continue
		}
		t, err := parseCopy(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", RestoreFile, err)
		}
		info, err := fs.Stat(files, t.file)
		if err != nil {
			return nil, err
		}
		sizes[t.file] = info.Size()
		tables = append(tables, t)
	}
	slices.SortStableFunc(tables, func(a, b CopyLine) int { return cmp.Compare(sizes[b.file], sizes[a.file]) })
	return tables, nil
}

// parseCopy reads what restoreScript writes: NAME (COLUMNS) from 'FILE'.
func parseCopy(line string) (t CopyLine, err error) {
	rest, file, ok := cutLast(line, " from '")
	if t.file = strings.TrimSuffix(file, "'"); !ok || !fs.ValidPath(t.file) || path.Base(t.file) != t.file {
		return t, fmt.Errorf("%q names no file", line)
	}
	// A name in quotes may hold anything, a quote as two.
	quoted := false
	for i, c := range rest {
		if c == '"' {
			quoted = !quoted
		}
		if c == ' ' && !quoted {
			t.name, t.columns = rest[:i], strings.TrimSpace(rest[i:])
			return t, nil
		}
	}
	return t, fmt.Errorf("%q names no table", line)
}

// cutLast is strings.Cut at the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// CopiedColumns are the columns of a file of rows, by the line of restore.sql
// that loads it.
func CopiedColumns(script, file string) ([]string, error) {
	for line := range strings.Lines(script) {
		line, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), `\copy `)
		if !ok {
			continue
		}
		t, err := parseCopy(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", RestoreFile, err)
		}
		if t.file == file {
			return quotedNames(t.columns)
		}
	}
	return nil, fmt.Errorf("%s does not name it", RestoreFile)
}

// quotedNames reads a list of columns as restoreScript writes it: ("a", "b"),
// with a quote within a name as two.
func quotedNames(list string) (names []string, err error) {
	rest, ok := strings.CutPrefix(list, "(")
	for ok {
		var name string
		if name, rest, ok = quotedName(rest); !ok {
			break
		}
		names = append(names, name)
		if rest == ")" {
			return names, nil
		}
		rest, ok = strings.CutPrefix(rest, ", ")
	}
	return nil, fmt.Errorf("%s: %q is no list of columns", RestoreFile, list)
}

// quotedName reads one name in double quotes, which stand twice within it.
func quotedName(text string) (name, rest string, ok bool) {
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

// WhereTablesAre is the line of restore.sql that leads to GoToSocial's tables.
// dir is the scripts' folder.
func WhereTablesAre(files fs.FS, dir string) (line string, err error) {
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
