// Package page puts tables into pages of Markdown.
package page

import (
	"fmt"
	"os"
	"strings"
)

// end is the line up to which a page is a program's.
const end = "<!-- to here. -->"

// Check says whether a file has the two marks: a line that begins with begin, and "<!-- to here. -->" after it.
func Check(file, begin string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := Between(string(text), begin, ""); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Write replaces what is between the marks of a file.
func Write(file, begin, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	replaced, err := Between(string(page), begin, text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(replaced), 0o644)
}

// Between is page with text between the marks.
func Between(page, begin, text string) (string, error) {
	head, rest, ok1 := strings.Cut(page, begin)
	line, rest, ok2 := strings.Cut(rest, "\n")
	_, tail, ok3 := strings.Cut(rest, end)
	if !ok1 || !ok2 || !ok3 {
		return "", fmt.Errorf("the page has no line that begins with %q and then %q", begin, end)
	}
	return head + begin + line + "\n\n" + text + "\n" + end + tail, nil
}

// Figure writes a number with so many digits behind the point, a whole one with commas; what is no number as a dash.
func Figure(v float64, digits int) string {
	switch {
	case v != v:
		return "–"
	case digits == 0 && v >= 0:
		return Count(int(v + 0.5))
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// Count writes a number with commas.
func Count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", Count(n/1000), n%1000)
}
