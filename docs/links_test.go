package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	pages := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/guide.md", "docs/persistence.md", "docs/benchmarks.md", "docs/scaling.md"}
	decisions, err := filepath.Glob(filepath.Join("decisions", "*.md"))
	if err != nil || len(decisions) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for _, d := range decisions {
		pages = append(pages, "docs/"+filepath.ToSlash(d))
	}
	for _, page := range pages {
		text := readPage(t, page)
		for _, b := range blocks(t, page) {
			text = strings.Replace(text, b.text, "", 1) // code has brackets of its own
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if target == "" {
				if !hasHeading(text, anchor) {
					t.Errorf("%s links to #%s, which is none of its headings", page, anchor)
				}
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(page), "..", filepath.FromSlash(target))); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

// hasHeading reports whether a heading has this anchor: its words in small letters, joined by hyphens, without punctuation.
func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return r
			}
			return -1
		}, title)
		if slug == anchor {
			return true
		}
	}
	return false
}

// Every decision is in the index, by number and title.
func TestDecisionsAreIndexed(t *testing.T) {
	index := readPage(t, "docs/decisions/README.md")
	files, err := filepath.Glob(filepath.Join("decisions", "[0-9]*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for _, file := range files {
		title, _, _ := strings.Cut(readPage(t, "docs/decisions/"+filepath.Base(file)), "\n")
		_, words, _ := strings.Cut(title, ". ")
		if !strings.Contains(index, "["+words+"]("+filepath.Base(file)+")") {
			t.Errorf("the index has no [%s](%s)", words, filepath.Base(file))
		}
	}
}
