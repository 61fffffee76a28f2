package integration_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// documents returns README.md and the pages of docs, as paths. The page of the
// format is left out: its code blocks show bytes, not commands.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../docs/*.md")
	testkit.OK(t, err)
	pages = slices.DeleteFunc(pages, func(page string) bool { return filepath.Base(page) == "format.md" })
	return append([]string{"../README.md"}, pages...)
}

// guide returns the pages that tell an admin how to use the program, as paths.
func guide() []string {
	return []string{
		"../README.md", "../docs/set-up.md", "../docs/configuration.md", "../docs/restore.md", "../docs/lost.md",
	}
}

// codeLines returns the lines of a page's code blocks, fenced or indented.
// Lines that end in a backslash are joined with the next line.
func codeLines(t *testing.T, page string) (lines []string) {
	t.Helper()
	fenced, joined := false, ""
	for line := range strings.Lines(string(testkit.Read(t, page))) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if !fenced && !strings.HasPrefix(line, "    ") {
			continue
		}
		line = joined + strings.TrimSpace(line)
		if start, more := strings.CutSuffix(line, `\`); more {
			joined = start
			continue
		}
		joined = ""
		lines = append(lines, line)
	}
	return lines
}

// spans returns the pieces of code within a page's text.
func spans(t *testing.T, page string) (code []string) {
	t.Helper()
	text := regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(string(testkit.Read(t, page)), "")
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		code = append(code, strings.Join(strings.Fields(m[1]), " "))
	}
	return code
}

// commandLine finds the program in a line: typed, in a crontab or in a unit.
var commandLine = regexp.MustCompile(`(?:^|[ ;&|(]|[=/])holdfast ([a-z][^;&|>]*)`)

// invocations returns the arguments of each run of the program in some lines of
// code. Comments are left out.
func invocations(lines []string) (all [][]string) {
	for _, line := range lines {
		if strings.HasPrefix(line, "#") {
			continue
		}
		for _, m := range commandLine.FindAllStringSubmatch(line, -1) {
			all = append(all, strings.Fields(m[1]))
		}
	}
	return all
}

// helpPages returns the flags of each verb, as --help of the verb lists them:
// for "key new" the set of "--output", "-o" and so on.
func helpPages(t *testing.T) map[string]map[string]bool {
	t.Helper()
	program, err := built()
	testkit.OK(t, err)
	pages := map[string]map[string]bool{}
	verb := regexp.MustCompile(`^  ([a-z-]+) +\S`)
	flag := regexp.MustCompile(`^ +(?:(-\w), )?(--[a-z-]+)`)
	var read func(words []string)
	read = func(words []string) {
		out, err := exec.CommandContext(t.Context(), program, append(slices.Clone(words), "--help")...).Output()
		if err != nil {
			t.Fatalf("holdfast %s --help: %v", strings.Join(words, " "), err)
		}
		_, usage, _ := strings.Cut(string(out), "\nUsage:\n")
		verbs, flags, _ := strings.Cut(usage, "\nFlags:\n")
		known := map[string]bool{}
		for line := range strings.Lines(flags) {
			if m := flag.FindStringSubmatch(line); m != nil {
				known[m[1]], known[m[2]] = true, true
			}
		}
		pages[strings.Join(words, " ")] = known
		if _, verbs, ok := strings.Cut(verbs, "\nAvailable Commands:\n"); ok {
			for line := range strings.Lines(verbs) {
				if m := verb.FindStringSubmatch(line); m != nil && m[1] != "help" {
					read(append(slices.Clone(words), m[1]))
				}
			}
		}
	}
	read(nil)
	return pages
}

// isFlag tells a flag from other arguments. A single "-" means a file.
func isFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

func TestDocumentedCommandsExist(t *testing.T) {
	help := helpPages(t)
	checked := 0
	for _, page := range documents(t) {
		for _, words := range invocations(append(codeLines(t, page), spans(t, page)...)) {
			checked++
			verb, rest := words[0], words[1:]
			if len(rest) > 0 && help[verb+" "+rest[0]] != nil {
				verb, rest = verb+" "+rest[0], rest[1:]
			}
			if help[verb] == nil {
				t.Errorf("%s: holdfast %s: there is no verb %q", page, strings.Join(words, " "), verb)
				continue
			}
			for _, word := range rest {
				flag, _, _ := strings.Cut(word, "=")
				if isFlag(flag) && !help[verb][flag] {
					t.Errorf("%s: holdfast %s: %s has no flag %s", page, strings.Join(words, " "), verb, flag)
				}
			}
		}
	}
	if checked < 30 {
		t.Errorf("the documents have %d commands", checked)
	}
}

func TestDocumentedFlagsExist(t *testing.T) {
	known := map[string]bool{"--config-path": true} // a flag of GoToSocial
	for _, flags := range helpPages(t) {
		maps.Copy(known, flags)
	}
	for _, page := range guide() {
		for _, code := range spans(t, page) {
			words := strings.Fields(code)
			if !isFlag(words[0]) {
				continue
			}
			for _, word := range words {
				flag, _, _ := strings.Cut(word, "=")
				if isFlag(flag) && !known[flag] {
					t.Errorf("%s: no verb has the flag %s of `%s`", page, flag, code)
				}
			}
		}
	}
}

// Each page starts on a machine of its own. A page that does not begin with
// init assumes a machine with a backup.
func TestDocumentedCommandsRun(t *testing.T) {
	testkit.NeedsProgram(t, "bash", "age")
	inst, err := sample.Make(filepath.Join(t.TempDir(), "instance"), sample.Config{
		Accounts: 20, Statuses: 200, Media: 4, MediaBytes: 8 << 10,
	})
	testkit.OK(t, err)
	ran := map[string]bool{}
	for _, page := range guide() {
		t.Run(filepath.Base(page), func(t *testing.T) {
			m := newReader(t, inst)
			lines := slices.DeleteFunc(codeLines(t, page), func(line string) bool { return !m.runs(line) })
			if len(lines) == 0 {
				t.Fatal("no command runs here")
			}
			if !strings.HasPrefix(lines[0], "holdfast init ") {
				lines = append([]string{"holdfast init /mnt/backup/example.org", "holdfast backup"}, lines...)
			}
			for _, line := range lines {
				m.run(line)
				words := strings.Fields(line)
				ran[words[1]] = true
			}
			m.checkRestored()
		})
	}
	for _, verb := range []string{
		"init", "backup", "list", "verify", "show", "ls", "cat", "restore", "export", "key", "config",
	} {
		if !ran[verb] {
			t.Errorf("no document runs holdfast %s", verb)
		}
	}
}

// reader is an admin who types the commands of a page.
type reader struct {
	t           *testing.T
	dir         string // the working folder
	remote      string // a folder
	environment []string
	inst        *sample.Instance
	initialized bool
}

func newReader(t *testing.T, inst *sample.Instance) *reader {
	t.Helper()
	program, err := built()
	testkit.OK(t, err)
	base := t.TempDir()
	r := &reader{t: t, dir: filepath.Join(base, "work"), remote: filepath.Join(base, "remote"), inst: inst}
	testkit.OK(t, os.Mkdir(r.dir, 0o755))
	r.environment = []string{
		"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"),
		"HOME=" + base,
		"HOLDFAST_CONFIG=" + filepath.Join(base, "config.yaml"),
		"HOLDFAST_STATE=" + filepath.Join(base, "state"),
		"HOLDFAST_PROGRESS=none",
	}
	return r
}

// runs reports whether a line of a page can run in a test. A test has no bucket,
// makes one repository for a page, and rebuilds no machine.
func (r *reader) runs(line string) bool {
	if !strings.HasPrefix(line, "holdfast ") {
		return false
	}
	switch strings.Fields(line)[1] {
	case "init":
		first := !r.initialized && strings.HasPrefix(line, "holdfast init /")
		r.initialized = r.initialized || first
		return first
	case "restore":
		return strings.Contains(line, " --to ")
	}
	return true
}

// run types one line. The sample stands for the instance of the page, and a
// folder for the page's storage.
func (r *reader) run(line string) {
	r.t.Helper()
	environment := r.environment
	var repository, recipient string
	if strings.HasPrefix(line, "holdfast init ") {
		environment = append(slices.Clone(environment), "HOLDFAST_KIT=kit.txt", "HOLDFAST_EXTRA=/etc/hosts",
			"HOLDFAST_GOTOSOCIAL="+filepath.Join(r.inst.Dir, "config.yaml"))
	} else {
		kit := string(testkit.Read(r.t, filepath.Join(r.dir, "kit.txt")))
		repository = regexp.MustCompile(`(?m)^# repository: (hf1\S+)$`).FindStringSubmatch(kit)[1]
		recipient = regexp.MustCompile(`(?m)^# public key: (age1\S+)$`).FindStringSubmatch(kit)[1]
	}
	line = strings.NewReplacer(
		"s3://fsn1.your-objectstorage.com/BUCKET/example.org#hf1…", r.remote+"#"+repository,
		"/mnt/backup/example.org", r.remote,
		"age1…", recipient,
	).Replace(line)
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", line)
	cmd.Dir, cmd.Env = r.dir, environment
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("%s: %v\n%s", line, err, out)
	}
}

// checkRestored checks the folder that a page restored, if the page did.
func (r *reader) checkRestored() {
	r.t.Helper()
	restored := filepath.Join(r.dir, "restored")
	if _, err := os.Stat(restored); err != nil {
		return
	}
	want := []string{"files", "run.env", "sqlite.db", "storage"}
	if got := testkit.Names(r.t, restored); !slices.Equal(got, want) {
		r.t.Errorf("the restored folder has %q, want %q", got, want)
	}
	media, err := r.inst.LocalMedia()
	testkit.OK(r.t, err)
	for key := range media {
		path := filepath.Join(restored, "storage", key)
		if testkit.Sum(r.t, path) != testkit.Sum(r.t, filepath.Join(r.inst.Storage(), key)) {
			r.t.Errorf("%s has other bytes", path)
		}
	}
}

// The program reads the examples, and shows exactly the keys of the table.
func TestDocumentedConfigurationIsComplete(t *testing.T) {
	text := string(testkit.Read(t, "../docs/configuration.md"))
	example := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	setting := regexp.MustCompile(`"program":"holdfast","key":"([^"]+)"`)
	row := regexp.MustCompile("(?m)^\\| `((?:instance|remotes)[^`]*\\.[^`]+|spool|workers)` \\|")
	shown, documented := map[string]bool{}, map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(text, -1) {
		file := filepath.Join(t.TempDir(), "config.yaml")
		testkit.Write(t, file, m[1])
		c := newCommand(t, []string{"PATH=/nowhere"}, "config", "show", "--config", file).start()
		c.end() // fails: a test has no instance at the paths of the example
		settings := setting.FindAllStringSubmatch(c.stdout.String(), -1)
		if len(settings) == 0 {
			t.Errorf("the program refuses an example:\n%s%s", m[1], &c.stdout)
		}
		for _, m := range settings {
			shown[strings.Replace(m[1], "[0]", "[]", 1)] = true
		}
	}
	delete(shown, "state") // a flag
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		documented[m[1]] = true
	}
	if !maps.Equal(documented, shown) {
		t.Errorf("the table has %q", slices.Sorted(maps.Keys(documented)))
		t.Errorf("the program has %q", slices.Sorted(maps.Keys(shown)))
	}
}

// README.md is read whole, at three in the morning.
func TestReadmeIsShort(t *testing.T) {
	if words := len(strings.Fields(string(testkit.Read(t, "../README.md")))); words > 1300 {
		t.Errorf("README.md has %d words, at most 1,300 are wanted", words)
	}
}

// The table of the roads counts its own arrows.
func TestHouseRoadsCountTheirCalls(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| (\w+, \w+) \| (.* → .*) \| (\d+) \| (\d+) \|$`)
	rows := row.FindAllStringSubmatch(string(testkit.Read(t, "../docs/architecture.md")), -1)
	if len(rows) != 4 {
		t.Fatalf("%d roads, want 4", len(rows))
	}
	for _, r := range rows {
		calls, handOffs := strings.Count(r[2], "→"), strings.Count(r[2], "⇢")
		if fmt.Sprint(calls) != r[3] || fmt.Sprint(handOffs) != r[4] {
			t.Errorf("%s has %d calls and %d hand-offs, the table says %s and %s", r[1], calls, handOffs, r[3], r[4])
		}
	}
}
