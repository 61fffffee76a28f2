package integration_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/testkit"
)

// below says which packages each one stands on; it may import those, and what
// those stand on. A new package needs its place here.
var below = map[string][]string{
	"cmd/holdfast": {"cmd/holdfast/unlock", "cmd/holdfast/demo", "cmd/holdfast/handover", "cmd/holdfast/report",
		"agent/statuspage"},
	"agent/statuspage": {"agent"},
	"agent": {"rebuild", "agent/location", "agent/lock", "agent/secret", "agent/userfolder",
		"internal/units"},
	"agent/secret":     {"internal/child", "remote", "seal"},
	"vault":            {"manifest/index", "remote", "disk", "remedy"},
	"manifest/index":   {"manifest"},
	"manifest":         {"pack", "internal/strict", "internal/units", "remedy"},
	"pack":             {"chunking", "seal"},
	"agent/lock":       {"disk", "remedy", "internal/units"},
	"agent/userfolder": {"disk", "remedy"},
	"agent/location":   {"remote", "seal"},
	"rebuild":          {"rebuild/machine"},
	"rebuild/machine":  {"rebuild/restored"},
	"rebuild/restored": {"instance"},
	"instance":         {"instance/export", "instance/media"},

	"instance/export": {"instance/sqlite", "instance/postgres", "vault"},
	"instance/sqlite": {"instance/gotosocial", "vault"},
	"instance/postgres": {"instance/postgres/catalog", "instance/postgres/check", "instance/postgres/client",
		"instance/postgres/guard", "instance/postgres/peer", "instance/postgres/tablelock", "vault"},
	"instance/postgres/guard":     {"instance/postgres/psql"},
	"instance/postgres/psql":      {"instance/gotosocial"},
	"instance/postgres/catalog":   {"instance/postgres/psql"},
	"instance/postgres/check":     {},
	"instance/postgres/peer":      {},
	"instance/postgres/tablelock": {"instance/postgres/catalog"},
	"instance/postgres/client":    {"instance/gotosocial", "instance/postgres/psql"},
	"instance/media":              {"instance/gotosocial", "remote"},
	"instance/gotosocial":         {"instance/systemd", "manifest", "internal/child"},
	"instance/systemd":            {"internal/child", "remedy"},

	"chunking":        {},
	"seal":            {"disk", "remedy", "internal/child", "internal/strict"},
	"remote":          {"disk", "remedy"},
	"disk":            {},
	"remedy":          {},
	"internal/units":  {},
	"internal/child":  {"disk"},
	"internal/strict": {},

	"cmd/holdfast/demo":        {"cmd/holdfast/terminal", "agent", "instance/sample"},
	"cmd/holdfast/handover":    {"cmd/holdfast/terminal", "agent"},
	"cmd/holdfast/report":      {"cmd/holdfast/terminal", "agent"},
	"cmd/holdfast/unlock":      {"cmd/holdfast/terminal", "cmd/holdfast/commandline"},
	"cmd/holdfast/commandline": {"cmd/holdfast/problem", "agent"},
	"cmd/holdfast/terminal":    {"cmd/holdfast/problem", "internal/units"},
	"cmd/holdfast/problem":     {"vault"},

	// These help tests and the demonstration.
	"instance/sample":         {},
	"instance/gotosocialtest": {"internal/testkit"},
	"instance/instancetest":   {"instance", "internal/testkit"},
	"instance/postgrestest":   {"internal/testkit", "vault"},
	"remote/remotetest":       {"remote", "internal/testkit"},
	"internal/testkit":        {},
	"integration":             {},
}

// homes says which packages may import an outside thing. The rest ask them.
var homes = map[string][]string{
	// vault passes identities on; the command line reads them.
	"filippo.io/age": {"seal"},
	// seal keeps the polynomial.
	"github.com/restic/chunker":     {"chunking", "seal"},
	"github.com/klauspost/compress": {"pack"},
	"github.com/minio/minio-go":     {"remote", "remote/remotetest"},
	"github.com/aws":                {"remote"},
	"modernc.org/sqlite":            {"manifest/index", "instance/sqlite", "instance/sample"},
	"modernc.org/libc":              {"instance/sqlite"},
	"github.com/jackc/pgx": {"instance/postgres", "instance/postgres/catalog", "instance/postgres/check",
		"instance/postgres/client", "instance/postgres/guard", "instance/postgres/tablelock", "instance/postgrestest"},
	"github.com/compose-spec": {"instance/gotosocial"},
	// Only a person writes the configuration that agent reads.
	"github.com/goccy/go-yaml":     {"agent"},
	"go.yaml.in/yaml":              {"agent", "instance/gotosocial"},
	"github.com/sirupsen/logrus":   {"instance/gotosocial"},
	"github.com/pelletier/go-toml": {"instance/gotosocial"},
	"golang.org/x/text":            {"instance/postgres/psql"},
	"github.com/spf13/cobra":       {"cmd/holdfast", "cmd/holdfast/commandline", "cmd/holdfast/unlock"},
	"html/template":                {"agent/statuspage"},
}

const module = "holdfast"

// listed holds some fields of a package in the output of `go list -json`.
type listed struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,GoFiles,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	testkit.OK(t, err)
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			testkit.OK(t, err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		all = append(all, p)
	}
	if len(all) < 8 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}

func TestHouseImportsPointDownward(t *testing.T) {
	for _, p := range listPackages(t) {
		if _, ok := below[p.ImportPath]; !ok {
			t.Errorf("package %s has no place in the table", p.ImportPath)
			continue
		}
		may := reach(p.ImportPath)
		for _, path := range p.Imports {
			if ours, ok := strings.CutPrefix(path, module+"/"); ok && !slices.Contains(may, ours) {
				t.Errorf("%s imports %s, which it does not stand on", p.ImportPath, ours)
			}
		}
	}
}

// starters may start programs. All others ask internal/child, because a child must not get the
// environment's secrets. handover starts Holdfast itself as another user; the rest are helpers of
// tests.
var starters = []string{"internal/child", "cmd/holdfast/handover", "internal/testkit",
	"instance/postgrestest", "instance/gotosocialtest", "remote/remotetest"}

func TestHouseOnlyOnePackageStartsPrograms(t *testing.T) {
	starts := regexp.MustCompile(`\bexec\.(Cmd\{|Command)|\bnew\(exec\.Cmd\)|\bos\.StartProcess\b|` +
		`\b(syscall|unix)\.(Exec|ForkExec|StartProcess)\b`)
	for path, text := range sources(t, ".go") {
		folder := strings.TrimPrefix(filepath.Dir(path), "../")
		skip := strings.HasSuffix(path, "_test.go") || strings.HasPrefix(folder, "tools")
		if skip || slices.Contains(starters, folder) {
			continue
		}
		if found := starts.FindString(text); found != "" {
			t.Errorf("%s starts a program by %s", path, found)
		}
		begins := strings.Contains(text, "child.Command(") || strings.Contains(text, "child.Shell(")
		if begins && !strings.Contains(text, "child.Finish(") && !strings.Contains(text, "watchSilence(") {
			t.Errorf("%s starts a program and sets no limit for its time: call child.Finish", path)
		}
	}
}

func reach(from string) []string {
	var all []string
	for _, p := range below[from] {
		all = append(append(all, p), reach(p)...)
	}
	return all
}

func TestHouseOutsideThingsHaveOneHome(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, path := range p.Imports {
			for thing, may := range homes {
				if (path == thing || strings.HasPrefix(path, thing+"/")) && !slices.Contains(may, p.ImportPath) {
					t.Errorf("%s imports %s; its home is %s", p.ImportPath, path, strings.Join(may, ", "))
				}
			}
		}
	}
}

func TestHousePackagesSayWhatTheyAre(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("package %s has no doc comment", p.ImportPath)
		}
	}
}

// sources yields the repository's own text files below root.
func sources(t *testing.T, suffixes ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	testkit.OK(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == ".git" || name == "bin" || name == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if slices.Contains(suffixes, filepath.Ext(path)) {
			text, err := os.ReadFile(path)
			found[path] = string(text)
			return err
		}
		return nil
	}))
	return found
}

func TestHouseNothingIsPutOff(t *testing.T) {
	for path, text := range sources(t, ".go", ".md", ".mod", "") {
		for _, word := range []string{"TO" + "DO", "FIX" + "ME"} {
			if strings.Contains(text, word) {
				t.Errorf("%s has a %s: do it, or file it", path, word)
			}
		}
	}
}

// Documents cite functions, never lines, and what they cite and link to exists.
func TestHouseDocumentsCiteWhatExists(t *testing.T) {
	declared := declarations(t)
	cited := regexp.MustCompile("`(chunking|seal|pack|manifest|index|vault|remote|strict|instance|sample)" +
		"\\.([A-Z]\\w*(?:\\.[A-Z]\\w*)?)(?:\\(\\))?`")
	line := regexp.MustCompile(`\w+\.go:\d+`)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for path, text := range sources(t, ".md") {
		for _, m := range cited.FindAllStringSubmatch(text, -1) {
			if !declared[m[1]+"."+m[2]] {
				t.Errorf("%s cites %s.%s, which is not there", path, m[1], m[2])
			}
		}
		if m := line.FindString(text); m != "" {
			t.Errorf("%s cites the line %s", path, m)
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to nothing: %v", path, err)
			}
		}
	}
}

// declarations are "package.Name" and "package.Type.Method" of all exported
// names.
func declarations(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for path, text := range sources(t, ".go") {
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		testkit.OK(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[file.Name.Name+"."+receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						names[file.Name.Name+"."+s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[file.Name.Name+"."+n.Name] = true
						}
					}
				}
			}
		}
	}
	return names
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}
