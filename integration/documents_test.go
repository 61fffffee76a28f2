package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/sample"
)

// A command in a document exists, and so does each of its flags.
func TestDocumentsNameCommandsOfTheProgram(t *testing.T) {
	program, err := built()
	ok(t, err)
	known := map[string]*commandHelp{}
	total := 0
	for path, text := range sources(t, ".md", ".yml") {
		if path == "../docs/format.md" {
			continue // the words that signatures begin with look like commands
		}
		for _, line := range documentCommands(text) {
			total++
			if err := checkCommand(t, program, known, line); err != "" {
				t.Errorf("%s: %q: %s", path, line, err)
			}
		}
	}
	if total < 45 {
		t.Errorf("only %d commands in all documents", total)
	}
}

// A wrong verb and a wrong flag are seen.
func TestDocumentsCheckSeesWrongCommands(t *testing.T) {
	program, err := built()
	ok(t, err)
	known := map[string]*commandHelp{}
	for line, want := range map[string]bool{
		"holdfast backup --quiet": true, "holdfast key new -o FILE": true, "holdfast config show": true,
		"holdfast restore latest --identity=kit.txt --to DIR": true, "holdfast frobnicate": false,
		"holdfast backup --frobnicate": false, "holdfast key old": false, "holdfast list -o FILE": false,
	} {
		if err := checkCommand(t, program, known, line); (err == "") != want {
			t.Errorf("%s: %q", line, err)
		}
	}
}

// documentCommands returns the command lines of the program in a document: those
// of code blocks, with joined lines as one, and those between backticks.
func documentCommands(text string) (commands []string) {
	text = regexp.MustCompile(`\\\n\s*(?:#\s*)?`).ReplaceAllString(text, " ")
	for _, pattern := range []string{
		`(?m)^(?: {4}|#\s+(?:\d+\.\s)?|)(holdfast [^\n|>;&]*)`, // a line of a block, or of a comment in YAML
		"`(?:/usr/local/bin/)?(holdfast [^`]*)`",               // inline
		`(?m)--entrypoint holdfast (holdfast [^\n|>;&]*)`,      // by docker compose
		`(?:do|until) (holdfast [^;]*);`,                       // in a shell loop
	} {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			command, _, _ := strings.Cut(m[1], " # ")
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return slices.DeleteFunc(commands, func(c string) bool { return !regexp.MustCompile(`^holdfast [a-z-]`).MatchString(c) })
}

// commandHelp is what --help says of a verb.
type commandHelp struct{ verbs, flags []string }

func helpOf(t *testing.T, program string, known map[string]*commandHelp, verbs ...string) *commandHelp {
	t.Helper()
	name := strings.Join(verbs, " ")
	if known[name] == nil {
		out := run(t, nil, os.Environ(), program, append(slices.Clone(verbs), "--help")...)
		h := &commandHelp{}
		for _, m := range regexp.MustCompile(`(?m)^\s+(?:(-\w), )?(--[a-z-]+)`).FindAllStringSubmatch(out, -1) {
			h.flags = append(h.flags, m[1:]...)
		}
		_, list, _ := strings.Cut(out, "Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for line := range strings.Lines(list) {
			h.verbs = append(h.verbs, strings.Fields(line)[0])
		}
		known[name] = h
	}
	return known[name]
}

// checkCommand says what is wrong with a command line, "" if nothing is.
func checkCommand(t *testing.T, program string, known map[string]*commandHelp, line string) string {
	t.Helper()
	words := strings.Fields(line)[1:]
	var verbs []string
	help := helpOf(t, program, known)
	for len(words) > 0 && !strings.HasPrefix(words[0], "-") && len(help.verbs) > 0 {
		if !slices.Contains(help.verbs, words[0]) {
			return "there is no verb " + words[0]
		}
		verbs, words = append(verbs, words[0]), words[1:]
		help = helpOf(t, program, known, verbs...)
	}
	for _, word := range words {
		flag, _, _ := strings.Cut(word, "=")
		if len(flag) > 1 && strings.HasPrefix(flag, "-") && !slices.Contains(help.flags, flag) {
			return "there is no flag " + flag
		}
	}
	return ""
}

// The blocks marked sh in each document run as they stand, on a sample instance.
func TestDocumentsRun(t *testing.T) {
	for _, document := range []string{"README.md", "docs/set-up.md", "docs/configuration.md", "docs/restore.md", "docs/lost.md"} {
		t.Run(filepath.Base(document), func(t *testing.T) {
			t.Parallel()
			d := newDocumentMachine(t)
			blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(read(t, "../"+document)), -1)
			if len(blocks) == 0 {
				t.Fatal("no block to run")
			}
			if document != "README.md" && document != "docs/set-up.md" {
				d.run("holdfast init /mnt/backup/example.org --kit kit.txt\nholdfast backup\n")
			}
			for _, block := range blocks {
				d.run(block[1])
			}
		})
	}
}

// The block of compose/README.md makes every file that docker-compose.yml reads.
func TestDocumentsMakeTheFilesOfCompose(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "gotosocial.env.example"), read(t, "../compose/gotosocial.env.example"))
	block := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindStringSubmatch(string(read(t, "../compose/README.md")))
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", block[1])
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files := []string{"compose/gotosocial.env"}
	for _, secret := range parseComposition(t).Secrets {
		files = append(files, secret.File)
	}
	for _, file := range files {
		info, err := os.Stat(filepath.Join(dir, strings.TrimPrefix(file, "compose/")))
		ok(t, err)
		if info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %v", file, info.Size(), info.Mode())
		}
	}
	settings := string(read(t, filepath.Join(dir, "gotosocial.env")))
	password := strings.TrimSpace(string(read(t, filepath.Join(dir, "secrets", "db-password"))))
	if !strings.Contains(settings, "GTS_DB_PASSWORD="+password+"\n") || !strings.Contains(settings, "GTS_HOST=social.example.org\n") {
		t.Errorf("the settings lack the password or the domain:\n%s", settings)
	}
}

// documentMachine is a folder where the paths of the documents are.
type documentMachine struct {
	t      *testing.T
	places *strings.Replacer
	cmd    exec.Cmd
}

func newDocumentMachine(t *testing.T) *documentMachine {
	t.Helper()
	program, err := built()
	ok(t, err)
	dir := t.TempDir()
	inst, err := sample.Make(filepath.Join(dir, "instance"), sample.Config{Accounts: 20, Statuses: 400, Media: 6})
	ok(t, err)
	for _, folder := range []string{"work", "backup"} { // the disk of the backups is mounted
		ok(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	settings := filepath.Join(inst.Dir, "config.yaml")
	return &documentMachine{
		t:      t,
		places: strings.NewReplacer("/gotosocial/config.yaml", settings, "/mnt/backup", filepath.Join(dir, "backup")),
		cmd: exec.Cmd{Dir: filepath.Join(dir, "work"), Env: []string{
			"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + os.TempDir(),
			"HOLDFAST_CONFIG=" + filepath.Join(dir, "etc", "config.yaml"), "HOLDFAST_STATE=" + filepath.Join(dir, "state"),
			"HOLDFAST_PROGRESS=none",
		}},
	}
}

// run runs a block of a document.
func (d *documentMachine) run(block string) {
	d.t.Helper()
	script := d.places.Replace(block)
	// Where the document relies on the one instance of the machine, this names it.
	script = regexp.MustCompile(`(?m)^(holdfast init )([^\n]*)$`).ReplaceAllStringFunc(script, func(line string) string {
		if strings.Contains(line, "--gotosocial") {
			return line
		}
		return line + " --gotosocial " + d.places.Replace("/gotosocial/config.yaml")
	})
	cmd := exec.CommandContext(d.t.Context(), "sh", "-eu", "-c", script)
	cmd.Dir, cmd.Env = d.cmd.Dir, d.cmd.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("%v:\n%s\n%s", err, script, out)
	}
}
