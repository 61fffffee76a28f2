package integration_test

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"holdfast/internal/testkit"
)

const (
	maxLines      = 2500 // of a package, without tests
	maxCircle     = 6    // files of a library package that need each other
	maxMainCircle = 12   // files of a program that need each other
	maxMethods    = 5    // of an interface
	maxFunction   = 66   // lines of a function
)

// largePackages may have more than maxLines. vault is one mechanism: backup,
// restore, verification of one repository.
var largePackages = map[string]int{"vault": 6500}

// typed returns the packages of the module with their syntax and types, without
// tests.
func typed(t *testing.T) []*packages.Package {
	t.Helper()
	all, err := packages.Load(&packages.Config{
		Context: t.Context(), Dir: "..",
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports,
	}, "./...")
	testkit.OK(t, err)
	for _, p := range all {
		for _, problem := range p.Errors {
			t.Fatal(problem)
		}
	}
	if len(all) < 8 {
		t.Fatalf("only %d packages", len(all))
	}
	return all
}

func TestHousePackagesAreSmall(t *testing.T) {
	for _, p := range typed(t) {
		name := strings.TrimPrefix(p.PkgPath, module+"/")
		lines := 0
		for _, path := range p.GoFiles {
			lines += bytes.Count(testkit.Read(t, path), []byte("\n"))
		}
		if limit := cmp.Or(largePackages[name], maxLines); lines > limit {
			t.Errorf("package %s has %d lines, want at most %d", name, lines, limit)
		}
	}
}

func TestHouseInterfacesAndFunctionsAreSmall(t *testing.T) {
	for _, p := range typed(t) {
		for _, file := range p.Syntax {
			ast.Inspect(file, func(n ast.Node) bool {
				size, most := 0, 0
				switch n := n.(type) {
				case *ast.FuncDecl:
					size, most = p.Fset.Position(n.End()).Line-p.Fset.Position(n.Pos()).Line+1, maxFunction
				case *ast.InterfaceType:
					size, most = p.TypesInfo.TypeOf(n).Underlying().(*types.Interface).NumMethods(), maxMethods
				}
				if size > most {
					t.Errorf("%s: %d lines or methods, want at most %d", p.Fset.Position(n.Pos()), size, most)
				}
				return true
			})
		}
	}
}

// In a circle each file needs every other file, directly or through others. Nobody
// can read one file of a large circle alone.
func TestHouseCirclesOfFilesAreSmall(t *testing.T) {
	for _, p := range typed(t) {
		name := strings.TrimPrefix(p.PkgPath, module+"/")
		limit := maxCircle
		if p.Name == "main" {
			limit = maxMainCircle
		}
		for _, circle := range circles(needs(p)) {
			if len(circle) > limit {
				t.Errorf("package %s: %d files need each other, want at most %d: %s",
					name, len(circle), limit, strings.Join(circle, " "))
			}
		}
	}
}

// needs returns for each file of a package the files that declare what the file
// uses: identifiers of the package, methods and fields.
func needs(p *packages.Package) map[string]map[string]bool {
	needs := map[string]map[string]bool{}
	file := func(pos token.Pos) string { return filepath.Base(p.Fset.Position(pos).Filename) }
	for _, f := range p.Syntax {
		needs[file(f.Pos())] = map[string]bool{}
	}
	for use, object := range p.TypesInfo.Uses {
		if object.Pkg() != p.Types || !shared(object) {
			continue
		}
		from, to := file(use.Pos()), file(object.Pos())
		if from != to && needs[from] != nil && needs[to] != nil {
			needs[from][to] = true
		}
	}
	return needs
}

// shared reports whether the whole package can use an object.
func shared(object types.Object) bool {
	if object.Parent() == object.Pkg().Scope() {
		return true
	}
	switch o := object.(type) {
	case *types.Func:
		return true
	case *types.Var:
		return o.IsField()
	}
	return false
}

// circles returns the strongly connected components with more than one file, by
// Tarjan's algorithm.
func circles(needs map[string]map[string]bool) (all [][]string) {
	index, low, onStack := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var visit func(string)
	visit = func(file string) {
		index[file] = len(index) + 1
		low[file] = index[file]
		stack, onStack[file] = append(stack, file), true
		for needed := range needs[file] {
			if index[needed] == 0 {
				visit(needed)
				low[file] = min(low[file], low[needed])
			} else if onStack[needed] {
				low[file] = min(low[file], index[needed])
			}
		}
		if low[file] != index[file] {
			return
		}
		first := slices.Index(stack, file)
		circle := slices.Clone(stack[first:])
		stack = stack[:first]
		for _, member := range circle {
			onStack[member] = false
		}
		if len(circle) > 1 {
			slices.Sort(circle)
			all = append(all, circle)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(needs)) {
		if index[file] == 0 {
			visit(file)
		}
	}
	return all
}
