package integration_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

// A glossary word has one meaning. No function, type or method of another package
// than these may be called by the word alone.
var glossaryHomes = map[string][]string{
	// A person with an age identity. A file belongs to a user.
	"owner": {"seal", "vault", "agent", "cmd/holdfast"},
	// The server of an instance. The name of an instance is its domain.
	"host": {"seal", "manifest", "vault", "agent", "cmd/holdfast", "integration"},
}

// vagueNames say nothing about a function, type or method: most had several
// meanings, or are no noun and no verb. The text tells what to write.
var vagueNames = map[string]string{
	"place":    "a path, an address, or a position in a text",
	"found":    "a server, a file, a finding; create a repository",
	"look":     "plan, inspect, print",
	"known":    "the facts of a view, the packs of an index, a table of errors",
	"mender":   "the purpose of a restore",
	"unmend":   "the state of a restore, and a verb for the change",
	"distrust": "the state of a restore, and a verb for the change",
	"loose":    "unfinished files",
	"making":   "a verb",
	"without":  "a verb: remove, exclude",
	"apart":    "a verb: separate",
	"besides":  "a noun: neighbour, parent",
	"here":     "a noun: what is on this machine",
	"short":    "a verb: shorten",
	"some":     "a noun with a number",
	"tame":     "a verb: escape, strip",
	"vacant":   "isFree, isEmpty",
	"legible":  "a verb: format",
	"cramped":  "an error: no room for a spool",
}

// vaguePackages may have such names until somebody renames the functions.
var vaguePackages = map[string]bool{}

func TestHouseNamesHaveOneMeaning(t *testing.T) {
	vague := map[string]bool{}
	for path, text := range sources(t, ".go") {
		folder := filepath.Dir(strings.TrimPrefix(path, "../"))
		for _, name := range declared(t, path, text) {
			word := strings.ToLower(name)
			instead, banned := vagueNames[word]
			if homes, isWord := glossaryHomes[word]; isWord && !slices.Contains(homes, folder) {
				instead, banned = "another word, because the glossary has this one", true
			}
			if !banned {
				continue
			}
			if vague[folder] = true; !vaguePackages[folder] {
				t.Errorf("%s: the name %s is vague: write %s", path, name, instead)
			}
		}
	}
}

// declared returns the names of a file's functions, methods and types.
func declared(t *testing.T, path, text string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	testkit.OK(t, err)
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if s, isType := s.(*ast.TypeSpec); isType {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}

// The words of the glossary are the words of the code: each one names a package, a
// type, a function or a constant.
func TestHouseGlossaryNamesTheCode(t *testing.T) {
	words := glossary(t)
	for _, word := range []string{
		"instance", "part", "chunk", "frame", "pack", "listing", "snapshot", "index", "remote", "owner", "host",
		"record",
	} {
		if !slices.Contains(words, word) {
			t.Errorf("the glossary lacks %q", word)
		}
	}
	names := map[string]bool{}
	for name := range declarations(t) {
		for part := range strings.SplitSeq(name, ".") {
			names[strings.ToLower(part)] = true
		}
	}
	for _, word := range words {
		if !names[word] {
			t.Errorf("nothing in the code is called %q", word)
		}
	}
}

// glossary returns the words in the glossary, which is the only table with the
// columns "word" and "meaning".
func glossary(t *testing.T) (words []string) {
	t.Helper()
	table := regexp.MustCompile(`(?m)^\| word \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)`)
	documents := sources(t, ".md")
	for _, path := range slices.Sorted(maps.Keys(documents)) {
		for _, m := range table.FindAllStringSubmatch(documents[path], -1) {
			if words != nil {
				t.Fatalf("%s has a second glossary", path)
			}
			for line := range strings.Lines(m[1]) {
				cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
				for word := range strings.SplitSeq(cell, ",") {
					words = append(words, strings.TrimSpace(word))
				}
			}
		}
	}
	if words == nil {
		t.Fatal("no document has a glossary")
	}
	return words
}
