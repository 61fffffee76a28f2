package psql

import (
	"errors"
	"fmt"
	"slices"
)

// checkSchema refuses a statement that pg_dump does not write for a database's schema.
func checkSchema(s statement) error {
	switch {
	case s.begins("set"):
		return s.checkSetting()
	case s.begins("select"):
		if s.has("select", "pg_catalog", ".", "set_config", "(", "search_path", ",", "?", ",", "false", ")") {
			return nil
		}
	case s.begins("comment on"):
		if !slices.Contains([]string{"database", "role", "tablespace"}, s.word(2)) {
			return nil
		}
	case s.begins("refresh materialized view"):
		return nil
	case s.begins("create schema"):
		if len(s) == 3 {
			return nil
		}
	case s.begins("create extension"):
		return nil
	case s.makesFunction():
		return errors.Join(s.checkLanguage(), s.checkLeakproof(), s.checkBody())
	case s.begins("create operator class"), s.begins("create operator family"), s.begins("alter operator family"):
		return errors.New("an operator class, which only a superuser can make")
	case s.begins("create") && s.kind() == "table":
		return s.checkTable()
	case s.begins("alter table"):
		return s.checkAlter()
	case s.begins("create") && slices.Contains(made, s.kind()), s.begins("alter") && slices.Contains(changed, s.kind()):
		return nil
	}
	return errUnknown
}

var errUnknown = errors.New("pg_dump writes no such statement for an instance")

// made are the kinds of objects that an instance's schema may hold, and changed the kinds
// that a dump changes later. Missing are all kinds that reach out of the database: servers,
// subscriptions, languages, roles.
var (
	made = []string{
		"aggregate", "cast", "collation", "conversion", "domain", "event", "index", "operator", "policy", "rule",
		"sequence", "statistics", "text", "trigger", "type", "view",
	}
	changed = []string{
		"aggregate", "collation", "domain", "event", "function", "index", "materialized", "operator", "policy",
		"procedure", "sequence", "statistics", "text", "trigger", "type", "view",
	}
)

// kind returns the first word after CREATE or ALTER that is no adjective.
func (s statement) kind() string {
	adjectives := []string{"or", "replace", "unlogged", "unique", "constraint", "recursive"}
	if s.begins("create") {
		adjectives = append(adjectives, "materialized")
	}
	for i := 1; i < len(s); i++ {
		if kind := s.word(i); !slices.Contains(adjectives, kind) {
			return kind
		}
	}
	return ""
}

// word returns a token if the token is a word, else "".
func (s statement) word(i int) string {
	if i < len(s) && s[i].kind == word {
		return s[i].text
	}
	return ""
}

func (s statement) makesFunction() bool {
	return s.begins("create") && (s.kind() == "function" || s.kind() == "procedure")
}

// checkTable refuses a table that a query fills: the query could call functions at once.
func (s statement) checkTable() error {
	depth := 0
	for _, t := range s {
		if depth += nesting(t); depth == 0 && t == (token{word, "as"}) {
			return errors.New("a query fills the table")
		}
	}
	return nil
}

// checkAlter refuses a change that computes rows: the computation could call functions at once.
func (s statement) checkAlter() error {
	depth, at := 0, 2
	for _, t := range s {
		if depth += nesting(t); depth == 0 && t == (token{sign, ","}) {
			return errors.New("several changes at once")
		}
	}
	if s.word(at) == "only" {
		at++
	}
	for at++; at+1 < len(s) && s[at] == (token{sign, "."}); at += 2 {
	}
	switch action := s[min(at, len(s)):]; {
	case action.begins("add") && !action.begins("add constraint"),
		action.begins("alter") && (action.word(3) == "type" || action.word(4) == "data"):
		return errors.New("a change that computes rows")
	}
	return nil
}

// checkSetting refuses all settings but those at the head of a dump.
func (s statement) checkSetting() error {
	harmless := []string{
		"check_function_bodies", "client_min_messages", "default_table_access_method", "default_tablespace",
		"default_toast_compression", "default_with_oids", "idle_in_transaction_session_timeout", "lock_timeout",
		"row_security", "statement_timeout", "transaction_timeout", "xmloption",
	}
	switch {
	case s.has("set", "standard_conforming_strings", "=", "on"), s.has("set", "client_encoding", "=", "UTF8"):
		return nil
	case s.has("set", "?", "=", "?") && slices.Contains(harmless, s.word(1)):
		return nil
	}
	return errUnknown
}

// checkLanguage refuses a function whose language reaches out of the database.
func (s statement) checkLanguage() error {
	languages := []string{"sql", "plpgsql", "plperl", "pltcl", "plv8"}
	depth := 0
	for i, t := range s {
		depth += nesting(t)
		if depth > 0 || t != (token{word, "language"}) {
			continue
		}
		if i+1 == len(s) || s[i+1].kind == literal || !slices.Contains(languages, s[i+1].text) {
			return errors.New("a function in a language that reaches out of the database")
		}
	}
	return nil
}

// checkLeakproof refuses a function that only a superuser can make, and a superuser's
// restore takes no functions.
func (s statement) checkLeakproof() error {
	depth := 0
	for _, t := range s {
		if depth += nesting(t); depth == 0 && t == (token{word, "leakproof"}) {
			return errors.New("a leakproof function, which only a superuser can make")
		}
	}
	return nil
}

// checkTables refuses a statement whose expressions could call a function that reaches out
// of the database. A superuser may run no other statements: as a superuser, such a function
// reads and writes files, and starts programs.
func checkTables(s statement) error {
	if s.begins("set") || s.begins("select") {
		return nil // checkSchema knows every token of these
	}
	kinds := []string{"collation", "index", "materialized", "sequence", "statistics", "table", "type", "view"}
	switch {
	case s.begins("comment"), s.begins("refresh"), s.begins("create schema"), s.begins("create extension"):
		return nil
	case s.begins("create type") && slices.ContainsFunc(s, func(t token) bool { return t.text == "range" }):
	case (s.begins("create") || s.begins("alter")) && slices.Contains(kinds, s.kind()):
		return s.checkCalls()
	}
	return fmt.Errorf("code (%s)", s)
}

// checkCalls refuses a call of a function that is not among the harmless ones.
func (s statement) checkCalls() error {
	for i, t := range s {
		if i == 0 || t != (token{sign, "("}) || s[i-1].kind != word && s[i-1].kind != name {
			continue
		}
		first := i - 1 // of a qualified name
		for first > 1 && s[first-1] == (token{sign, "."}) {
			first -= 2
		}
		if !s.declares(first) && !slices.Contains(calls, s[i-1].text) {
			return fmt.Errorf("a call of the function %.40s", s[i-1].text)
		}
	}
	return nil
}

// declares reports whether the name at a token is the name of a table, a view, a type or an
// index method, whatever follows.
func (s statement) declares(at int) bool {
	switch s.word(at - 1) {
	case "table", "view", "references", "as":
		return true
	case "using": // elsewhere an expression follows
		return s.kind() == "index" || s.word(at-2) == "exclude"
	}
	return false
}

// calls are the words that may come before a bracket: keywords, types, and functions that
// compute a value from their arguments.
var calls = []string{
	"all", "always", "and", "any", "as", "by", "case", "char", "character", "check", "default", "distinct",
	"else", "except", "exists", "filter", "from", "having", "in", "include", "inherits", "intersect", "is",
	"join", "key", "lateral", "not", "on", "only", "or", "over", "some", "select", "set", "then", "to",
	"union", "unique", "using", "values", "varying", "when", "where", "with", "within", "bit", "decimal",
	"enum", "hash", "identity", "interval", "list", "nulls", "numeric", "range", "time", "timestamp",
	"varchar", "abs", "array_length", "avg", "btrim", "cardinality", "ceil", "char_length", "coalesce",
	"concat", "count", "date", "date_part", "date_trunc", "encode", "extract", "floor", "gen_random_uuid",
	"greatest", "json_array_length", "jsonb_array_length", "least", "left", "length", "lower", "ltrim", "max",
	"md5", "min", "nextval", "now", "nullif", "octet_length", "replace", "right", "round", "rtrim", "strpos",
	"substr", "substring", "sum", "to_tsvector", "to_timestamp", "trim", "upper",
}
