package integration

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gosocka/socka"

// mayImport says which of our packages a library package may import. Packages that are not listed (examples, commands,
// tests) may import anything.
var mayImport = map[string][]string{
	"wire":     {},
	"js":       {},
	"contract": {"wire"}, // docs/decisions/0002-contract-imports-wire.md
	"actors":   {"wire"},
	"conn":     {"wire", "actors"},
	"store":    {},
	"room":     {"contract", "wire", "actors", "conn", "store"},
	"client":   {"contract", "wire"},
	"cluster":  {"actors", "conn", "room", "store"},
	"roomtest": {"room", "client", "contract", "wire", "actors", "conn", "store"},
}

// onlyIn says which packages may import a library that the others must not know.
var onlyIn = map[string][]string{
	"github.com/asynkron/protoactor-go": {"actors", "cluster"},
	"github.com/lxzan/gws":              {"conn", "client"},
	"github.com/invopop/jsonschema":     {"contract"},
	"github.com/xeipuuv/gojsonschema":   {"contract"},
	"github.com/ncruces/go-sqlite3":     {"store"},
	"github.com/jackc/pgx":              {"store"},
	"github.com/netresearch/go-cron":    {"room"},
}

// source is one Go file of the repository.
type source struct {
	path  string // from the root, with slashes
	pkg   string // its folder
	test  bool
	file  *ast.File
	fset  *token.FileSet
	lines int
}

func (s *source) at(n ast.Node) string { return s.fset.Position(n.Pos()).String() }

// repository reads all Go files, but those of nested modules, of testdata, and of what is installed.
func repository(t *testing.T) []*source {
	t.Helper()
	var all []*source
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path == ".." {
				return nil
			}
			_, nested := os.Stat(filepath.Join(path, "go.mod"))
			if nested == nil || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		s := &source{path: filepath.ToSlash(rel), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet(), lines: strings.Count(string(data), "\n")}
		s.pkg = filepath.ToSlash(filepath.Dir(rel))
		if s.file, err = parser.ParseFile(s.fset, s.path, data, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return err
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("only %d Go files were found: this is not the repository", len(all))
	}
	return all
}

func imports(s *source) []string {
	var list []string
	for _, spec := range s.file.Imports {
		list = append(list, strings.Trim(spec.Path.Value, `"`))
	}
	return list
}

func within(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, s := range repository(t) {
		if s.test {
			continue
		}
		top, _, _ := strings.Cut(s.pkg, "/")
		allowed, ruled := mayImport[top]
		for _, path := range imports(s) {
			ours, isOurs := strings.CutPrefix(path, module+"/")
			to, _, _ := strings.Cut(ours, "/")
			switch {
			case path == module:
				t.Errorf("%s imports the module's root, which has no package for others", s.path)
			case isOurs && ruled && to != top && !slices.Contains(allowed, to):
				t.Errorf("%s imports %s; package %s may import only %v", s.path, path, top, allowed)
			}
			for library, users := range onlyIn {
				if (within(path, library) || strings.HasPrefix(path, library+"/v")) && !slices.Contains(users, top) {
					t.Errorf("%s imports %s; only %v may", s.path, path, users)
				}
			}
			if first, _, _ := strings.Cut(path, "/"); top == "wire" && strings.Contains(first, ".") {
				t.Errorf("%s imports %s; package wire uses the standard library alone", s.path, path)
			}
		}
	}
}

func TestEveryPackageHasOneDocFile(t *testing.T) {
	documented := make(map[string][]string)
	folders := make(map[string]bool)
	for _, s := range repository(t) {
		folders[s.pkg] = true
		if s.file.Doc == nil {
			continue
		}
		if text := s.file.Doc.Text(); strings.TrimSpace(text) != "" {
			documented[s.pkg] = append(documented[s.pkg], s.path)
			if want := "Package " + s.file.Name.Name + " "; s.file.Name.Name != "main" && !strings.HasPrefix(text, want) {
				t.Errorf("%s: the package comment should begin with %q", s.path, want)
			}
		}
	}
	for folder := range folders {
		// A program of one file, as an example is, may say in it what it does.
		list := documented[folder]
		if len(list) == 1 && (list[0] == folder+"/doc.go" || alone(t, folder)) {
			continue
		}
		t.Errorf("package %s has its package comment in %v, want it in doc.go alone", folder, list)
	}
}

// alone reports whether a folder has a single Go file beside its tests.
func alone(t *testing.T, folder string) bool {
	t.Helper()
	p, err := build.ImportDir(filepath.Join("..", folder), 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(p.GoFiles) == 1
}

func TestFilesAreOfAReadableSize(t *testing.T) {
	for _, s := range repository(t) {
		if !s.test && s.lines > 500 {
			t.Errorf("%s has %d lines; split it by concern at 500", s.path, s.lines)
		}
	}
}

// public reports whether others may import a package.
func public(pkg string) bool {
	for _, part := range strings.Split(pkg, "/") {
		if part == "internal" || part == "cmd" || part == "examples" || part == "integration" || part == "docs" {
			return false
		}
	}
	return true
}

func TestEveryPublicNameIsDocumented(t *testing.T) {
	for _, s := range repository(t) {
		if s.test || !public(s.pkg) {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverIsPublic(d) && d.Doc.Text() == "" && !wellKnown[d.Name.Name] {
					t.Errorf("%s: %s has no doc comment", s.at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(t, s, d)
			}
		}
	}
}

// wellKnown are methods whose meaning is that of a standard interface.
var wellKnown = map[string]bool{"Error": true, "String": true, "Unwrap": true, "Is": true}

func receiverIsPublic(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch e := typ.(type) {
		case *ast.StarExpr:
			typ = e.X
		case *ast.IndexExpr:
			typ = e.X
		case *ast.IndexListExpr:
			typ = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}

// undocumented finds types, constants and variables without a comment: their own, one at the end of the line, or one for
// the group.
func undocumented(t *testing.T, s *source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc.Text() == "" && d.Doc.Text() == "" {
				t.Errorf("%s: type %s has no doc comment", s.at(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc.Text() == "" && spec.Comment.Text() == "" && d.Doc.Text() == "" {
					t.Errorf("%s: %s has no doc comment", s.at(spec), name.Name)
				}
			}
		}
	}
}

// TestNoTestSleepsForReal allows time.Sleep where time is virtual only: in files that work with testing/synctest, or with
// roomtest, which does.
func TestNoTestSleepsForReal(t *testing.T) {
	for _, s := range repository(t) {
		paths := imports(s)
		if slices.Contains(paths, "testing/synctest") || slices.Contains(paths, module+"/roomtest") || !s.test && !slices.Contains(paths, "testing") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok || call.Sel.Name != "Sleep" {
				return true
			}
			if pkg, ok := call.X.(*ast.Ident); ok && pkg.Name == "time" {
				t.Errorf("%s: time.Sleep outside of virtual time; wait for what is to happen", s.at(call))
			}
			return true
		})
	}
}

// TestNoFileNamesAMachine looks for absolute paths of somebody's machine in all files that git knows.
func TestNoFileNamesAMachine(t *testing.T) {
	out, err := exec.Command("git", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("this is no checkout, or there is no git: %v", err)
	}
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	for _, name := range files {
		data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			continue // deleted here
		}
		for _, path := range []string{"/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/"} {
			if i := strings.Index(string(data), path); i >= 0 {
				t.Errorf("%s:%d names a machine's path, %s", name, 1+strings.Count(string(data[:i]), "\n"), path)
			}
		}
	}
}
