package authproxy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This test is the house: floors, fences and budgets of docs/ARCHITECTURE.md. It
// parses the sources in-process, because a test that shells out to the go
// command is cached and stays green after a violation.

const module = "github.com/manageros/authproxy"

// floors: imports go strictly down.
var floors = map[string]int{
	"":                   0,
	"headers":            1,
	"jwks":               1,
	"internal/clerk":     1,
	"internal/config":    1,
	"internal/handshake": 1,
	"internal/session":   1,
	"internal/clerkdev":  2,
	"internal/route":     2,
	"internal/gate":      3,
	"internal/account":   4,
	"internal/sample":    4,
	"proxy":              4,
	"internal/reqlog":    5,
	"internal/app":       6,
	"cmd/authproxy":      7,
}

// kits are packages for tests and for the gate: they may use testing, and
// nothing that is shipped may use them.
var kits = []string{"internal/browsertest", "internal/defences", "internal/minttest", "internal/testneed", "internal/threats", "internal/upstreamtest", "internal/wiretest"}

// fences: who may import a module or package, and nobody else.
var fences = map[string][]string{
	"github.com/lestrrat-go/jwx/v2":       {"jwks", "internal/session"},
	"github.com/clerk/clerk-sdk-go/v2":    {"internal/clerk"},
	"github.com/caarlos0/env/v11":         {"internal/config"},
	"github.com/prometheus/client_golang": {"internal/app"},
	"github.com/hashicorp/golang-lru/v2":  {"internal/clerk", "internal/session"},
	"github.com/sony/gobreaker/v2":        {"internal/clerk"},
	"golang.org/x/sync":                   {"internal/clerk"},
	"golang.org/x/time":                   {"internal/clerk"},
	"testing":                             {},
	"net/http/httptest":                   {},
	module + "/internal/config":           {"internal/app", "cmd/authproxy"},
	module + "/internal/gate":             {"internal/app"},
}

// The budgets, in lines.
const longestFunction, longestFile, longestMain = 150, 500, 40

type source struct {
	pkg, name string // package path below the module, file path
	test      bool
	file      *ast.File
	lines     int
}

var files = token.NewFileSet()

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (slices.Contains([]string{"testdata", "apps", "dist", "artifacts"}, d.Name()) || strings.HasPrefix(d.Name(), ".") && name != ".") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(files, name, text, parser.ParseComments)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(name))
		if pkg == "." {
			pkg = ""
		}
		all = append(all, source{pkg, name, strings.HasSuffix(name, "_test.go"), f, strings.Count(string(text), "\n")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func shipped(all []source) []source {
	return slices.DeleteFunc(slices.Clone(all), func(s source) bool {
		return s.test || slices.Contains(kits, s.pkg)
	})
}

func imports(f *ast.File) []string {
	var list []string
	for _, i := range f.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		list = append(list, p)
	}
	return list
}

func TestFloors(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range shipped(sources(t)) {
		seen[s.pkg] = true
		floor, known := floors[s.pkg]
		if !known {
			t.Errorf("%s: package %q has no floor; give it one here and in docs/ARCHITECTURE.md", s.name, s.pkg)
		}
		for _, p := range imports(s.file) {
			below, ours := strings.CutPrefix(p, module)
			if !ours {
				if floor == 0 && strings.Contains(strings.Split(p, "/")[0], ".") {
					t.Errorf("%s: the dictionary imports %s; it takes the standard library only", s.name, p)
				}
				continue
			}
			below = strings.TrimPrefix(below, "/")
			if slices.Contains(kits, below) {
				t.Errorf("%s: what is shipped imports the test kit %s", s.name, below)
			} else if floors[below] >= floor {
				t.Errorf("%s: floor %d imports %s on floor %d; imports go down", s.name, floor, below, floors[below])
			}
		}
	}
	for pkg := range floors {
		if !seen[pkg] {
			t.Errorf("package %q has a floor and no files", pkg)
		}
	}
}

func TestFences(t *testing.T) {
	t.Parallel()
	for _, s := range shipped(sources(t)) {
		for _, p := range imports(s.file) {
			for fenced, who := range fences {
				if (p == fenced || strings.HasPrefix(p, fenced+"/")) && !slices.Contains(who, s.pkg) {
					t.Errorf("%s imports %s, which is fenced to %v", s.name, p, who)
				}
			}
		}
	}
}

func TestNoGlobalState(t *testing.T) {
	t.Parallel()
	variables := map[string]map[string]bool{} // package → its package-level variables
	all := shipped(sources(t))
	for _, s := range all {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init; construct it where it is used", s.name)
			}
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if variables[s.pkg] == nil {
						variables[s.pkg] = map[string]bool{}
					}
					variables[s.pkg][name.Name] = true
				}
			}
		}
	}
	for _, s := range all {
		ast.Inspect(s.file, func(n ast.Node) bool {
			a, ok := n.(*ast.AssignStmt)
			if !ok || a.Tok == token.DEFINE {
				return true
			}
			for _, left := range a.Lhs {
				if name := root(left); name != nil && variables[s.pkg][name.Name] && isGlobal(name) {
					t.Errorf("%s: assigns to the package variable %s", files.Position(a.Pos()), name.Name)
				}
			}
			return true
		})
	}
}

// root is the identifier an assignment goes to: x in x.y[z] = 1.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// isGlobal uses the parser's own resolution: an identifier declared inside a
// function has an object whose declaration is there; one of another file of the
// package has none.
func isGlobal(name *ast.Ident) bool {
	if name.Obj == nil {
		return true
	}
	_, isSpec := name.Obj.Decl.(*ast.ValueSpec)
	return isSpec && name.Obj.Kind == ast.Var && files.Position(name.Obj.Pos()).Column <= 5
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.lines > longestFile && !s.test {
			t.Errorf("%s has %d lines; the budget is %d", s.name, s.lines, longestFile)
		}
		if s.name == filepath.Join("cmd", "authproxy", "main.go") && s.lines > longestMain {
			t.Errorf("%s has %d lines; the budget is %d", s.name, s.lines, longestMain)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || s.test {
				continue
			}
			lines := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1
			switch {
			case lines > longestFunction:
				t.Errorf("%s: %s has %d lines; the budget is %d", s.name, f.Name.Name, lines, longestFunction)
			case lines > 80:
				t.Logf("%s: %s has %d lines", s.name, f.Name.Name, lines)
			}
		}
	}
}

func TestEverythingExportedIsDocumented(t *testing.T) {
	t.Parallel()
	documented := map[string]int{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		if _, ok := documented[s.pkg]; !ok {
			documented[s.pkg] = 0
		}
		if s.file.Doc != nil {
			documented[s.pkg]++
		}
		for _, d := range s.file.Decls {
			undocumented(t, s, d)
		}
	}
	for pkg, n := range documented {
		if n != 1 {
			t.Errorf("package %q has %d package comments; it needs one", pkg, n)
		}
	}
}

func undocumented(t *testing.T, s source, d ast.Decl) {
	t.Helper()
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || exportedReceiver(d.Recv)) {
			t.Errorf("%s: %s is not documented", files.Position(d.Pos()), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					t.Errorf("%s: %s is not documented", files.Position(spec.Pos()), spec.Name.Name)
				}
			case *ast.ValueSpec:
				if spec.Names[0].IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					t.Errorf("%s: %s is not documented", files.Position(spec.Pos()), spec.Names[0].Name)
				}
			}
		}
	}
}

func exportedReceiver(fields *ast.FieldList) bool {
	name := root(fields.List[0].Type)
	return name != nil && name.IsExported()
}

// TestDependenciesAreExplained: a direct dependency stands in
// docs/ARCHITECTURE.md with its reason, and nothing is replaced.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^replace\b`).Match(mod) {
		t.Error("go.mod replaces a module")
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\t?(\S+\.\S+/\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		if !strings.Contains(string(page), "`"+m[1]+"`") {
			t.Errorf("docs/ARCHITECTURE.md does not say why %s is needed", m[1])
		}
	}
}

// TestNothingUnfinished keeps notes to oneself out of what is shipped.
func TestNothingUnfinished(t *testing.T) {
	t.Parallel()
	unfinished := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|HA` + `CK)\b|not implemented`)
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			if m := unfinished.FindString(group.Text()); m != "" {
				t.Errorf("%s: %q", files.Position(group.Pos()), m)
			}
		}
	}
}
