package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Code comes early in README.md, and what pages show is part of a file that is compiled and run. An excerpt has whole
// paragraphs, in the order of the file, but for their indentation.
func TestExcerpts(t *testing.T) {
	if all := blocks(t, "README.md"); len(all) == 0 || all[0].line > 30 || all[0].attrs["from"] == "" {
		t.Error("README.md does not begin with an excerpt of code within its first 30 lines")
	}
	for page, least := range map[string]int{"README.md": 5, "docs/persistence.md": 3} {
		excerpts := 0
		for _, b := range blocks(t, page) {
			from := b.attrs["from"]
			if from == "" {
				continue
			}
			excerpts++
			rest := unindent(readPage(t, from))
			for _, paragraph := range strings.Split(unindent(b.text), "\n\n") {
				paragraph = strings.Trim(paragraph, "\n") + "\n"
				at := strings.Index("\n"+rest, "\n"+paragraph)
				if at < 0 {
					t.Errorf("%s:%d: %s does not have, or not in this order:\n%s", page, b.line, from, paragraph)
					continue
				}
				rest = rest[at+len(paragraph):]
			}
		}
		if excerpts < least {
			t.Errorf("%s has %d excerpts, want at least %d", page, excerpts, least)
		}
	}
}

func unindent(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimLeft(line, "\t ")
	}
	return strings.Join(lines, "\n")
}

// A test is named as `folder TestName` or, for the JavaScript client, as `js "title"`.
var (
	goTest = regexp.MustCompile("`([a-z][a-z0-9/]*)\\s((?:Test|Fuzz|Example)\\w*)`")
	jsTest = regexp.MustCompile("`js \"([^`]+)\"`")
)

func TestReadmeNamesTestsThatExist(t *testing.T) {
	text := readPage(t, "README.md")
	tests := map[string]map[string]bool{}
	found := goTest.FindAllStringSubmatch(text, -1)
	if len(found) < 50 {
		t.Errorf("README.md names %d Go tests, want at least 50", len(found))
	}
	for _, m := range found {
		folder, name := m[1], m[2]
		if tests[folder] == nil {
			tests[folder] = testsIn(t, folder)
		}
		if !tests[folder][name] {
			t.Errorf("README.md names %s %s, which is not there", folder, name)
		}
	}

	var script strings.Builder
	files, err := filepath.Glob(filepath.Join(root, "js", "test", "*.test.js"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests of the JavaScript client: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script.Write(text)
	}
	for _, m := range jsTest.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(script.String(), `test("`+m[1]+`",`) {
			t.Errorf("README.md names the test %q of js, which is not there", m[1])
		}
	}
}

// testsIn gives the names of the tests, fuzz tests and examples of a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// Every row of the feature table begins its second cell with yes, differs or not yet, and names a test unless something is
// missing or there is nothing to run.
func TestReadmeFeatures(t *testing.T) {
	_, table, found := strings.Cut(readPage(t, "README.md"), "<!-- features: begin -->")
	table, _, closed := strings.Cut(table, "<!-- features: end -->")
	if !found || !closed {
		t.Fatal("README.md has no feature table")
	}
	rows := 0
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "| there |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if len(cells) != 3 {
			t.Errorf("%d cells instead of 3: %s", len(cells), line)
			continue
		}
		status := strings.TrimSpace(cells[1])
		named := goTest.MatchString(cells[2]) || jsTest.MatchString(cells[2])
		switch {
		case strings.HasPrefix(status, "not yet"):
		case strings.HasPrefix(status, "differs: [another selection]"): // prose
		case !strings.HasPrefix(status, "yes") && !strings.HasPrefix(status, "differs"):
			t.Errorf("neither yes, differs nor not yet: %s", line)
		case !named:
			t.Errorf("no test is named: %s", line)
		}
	}
	if rows < 60 {
		t.Errorf("the feature table has %d rows, want at least 60", rows)
	}
}

// Every default in a table of limits is the one that the documentation of the field states.
func TestDefaults(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `(\\w+)\\.(\\w+)\\.(\\w+)`[^|]*\\| ([^|]+) \\|")
	for page, least := range map[string]int{"README.md": 25, "docs/persistence.md": 8} {
		rows := row.FindAllStringSubmatch(readPage(t, page), -1)
		if len(rows) < least {
			t.Errorf("%s has %d limits, want at least %d", page, len(rows), least)
		}
		for _, m := range rows {
			doc := fieldDoc(t, m[1], m[2], m[3])
			if doc == "" {
				t.Errorf("%s: %s.%s.%s has no documentation, or is not there", page, m[1], m[2], m[3])
				continue
			}
			stated := regexp.MustCompile(`Defaults?:? ` + regexp.QuoteMeta(m[4]) + `[.,;: ]`)
			if !stated.MatchString(strings.Join(strings.Fields(doc), " ") + " ") {
				t.Errorf("%s has the default %q for %s.%s, whose documentation says: %s", page, m[4], m[2], m[3], doc)
			}
		}
	}
}

// fieldDoc gives the comment above a field of a struct.
func fieldDoc(t *testing.T, folder, typeName, field string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	doc := ""
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || spec.Name.Name != typeName {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					if len(f.Names) > 0 && f.Names[0].Name == field {
						doc = f.Doc.Text()
					}
				}
			}
			return false
		})
	}
	return doc
}

// Every fuzz target is in CONTRIBUTING.md, with the command that runs it.
func TestContributingNamesEveryFuzzTarget(t *testing.T) {
	text := readPage(t, "CONTRIBUTING.md")
	targets := 0
	for _, pattern := range []string{"*", "*/*"} {
		folders, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			name, err := filepath.Rel(root, folder)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(name, "node_modules") {
				continue
			}
			for test := range testsIn(t, filepath.ToSlash(name)) {
				if !strings.HasPrefix(test, "Fuzz") {
					continue
				}
				targets++
				if want := "go test ./" + filepath.ToSlash(name) + " -run '^$' -fuzz '^" + test + "$'"; !strings.Contains(text, want) {
					t.Errorf("CONTRIBUTING.md does not have: %s", want)
				}
			}
		}
	}
	if targets == 0 {
		t.Error("no fuzz target was found")
	}
}
