package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the top folder of the module.
const root = ".."

// block is a fenced block of code in a page.
type block struct {
	page  string
	line  int // of its opening fence
	attrs map[string]string
	text  string
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks finds the fenced blocks of a page. After the language the opening fence may have words of the form key=value.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	var all []block
	var open *block
	for i, line := range strings.Split(readPage(t, page), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && open != nil:
			open.text += line + "\n"
		case isFence && open != nil:
			all = append(all, *open)
			open = nil
		case isFence:
			open = &block{page: page, line: i + 1, attrs: map[string]string{}}
			for _, word := range strings.Fields(fence) {
				if key, value, ok := strings.Cut(word, "="); ok {
					open.attrs[key] = value
				}
			}
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block is not closed", page, open.line)
	}
	return all
}
