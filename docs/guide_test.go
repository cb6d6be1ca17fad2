package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What the guide imports, so that whatever it needs is there when this test is built.
	_ "github.com/gosocka/socka/client"
	_ "github.com/gosocka/socka/contract"
	_ "github.com/gosocka/socka/js"
	_ "github.com/gosocka/socka/room"
	_ "github.com/gosocka/socka/roomtest"
	_ "github.com/gosocka/socka/store/sqlite"
)

// TestGuide follows the guide: its files become a module of their own, which must vet and pass its tests.
func TestGuide(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	dir := t.TempDir()
	files := 0
	for _, b := range blocks(t, "docs/guide.md") {
		name := b.attrs["file"]
		if name == "" {
			continue
		}
		files++
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if files < 7 {
		t.Fatalf("the guide has %d files, want at least 7", files)
	}
	writeModule(t, dir, "example.com/live")

	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), goCommand, args...)
		cmd.Dir = dir
		// Nothing is fetched: what is needed was needed to build this test.
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local", "PWD="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("vet", "./...")
	run("test", "./...")

	gofmt, err := exec.LookPath("gofmt")
	if err != nil {
		t.Skipf("the guide's code is sound; whether it is formatted needs gofmt: %v", err)
	}
	if out, err := exec.CommandContext(t.Context(), gofmt, "-l", dir).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("not formatted as gofmt does: %s %v", out, err)
	}
}

// writeModule makes dir a module that needs the one in root, with the same versions of everything, so that nothing has to
// be looked up.
func writeModule(t *testing.T, dir, path string) {
	t.Helper()
	const ours = "github.com/gosocka/socka"
	mod := readPage(t, "go.mod")
	if !strings.HasPrefix(mod, "module "+ours+"\n") {
		t.Fatalf("go.mod does not begin with module %s", ours)
	}
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod = strings.Replace(mod, "module "+ours, "module "+path, 1) +
		"\nrequire " + ours + " v0.0.0\n\nreplace " + ours + " => " + checkout + "\n"
	for name, text := range map[string]string{"go.mod": mod, "go.sum": readPage(t, "go.sum")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
