package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

// The marks of the page, between which everything is written by this program.
const (
	begin = "<!-- Written by benchmarks/run.sh -scale from here"
	end   = "<!-- to here. -->"
)

func (p part) table(w *strings.Builder, figures [][]float64) {
	fmt.Fprintf(w, "\n### %s\n\n%s\n\n| %s |", p.title, p.about, p.counted)
	busy := -1
	for i, c := range p.columns {
		fmt.Fprintf(w, " %s |", c.title)
		if strings.HasPrefix(c.title, "load") {
			busy = i
		}
	}
	fmt.Fprintf(w, "\n|--:|%s\n", strings.Repeat("--:|", len(p.columns)))
	limited := false
	for i, r := range p.rows {
		fmt.Fprintf(w, "| %s |", count(r.count))
		for c, column := range p.columns {
			mark := ""
			if c == busy && figures[i][c] >= load.Full {
				limited, mark = true, " †"
			}
			fmt.Fprintf(w, " %s%s |", figure(figures[i][c], column.digits), mark)
		}
		fmt.Fprintln(w)
	}
	if limited {
		fmt.Fprintf(w, "\n† The load generator had no more to give: the rate may be higher, and the times are those of its own queue as well.\n")
	}
}

// figure writes a number; whole ones with commas.
func figure(v float64, digits int) string {
	if digits == 0 && v >= 0 {
		return count(int(v + 0.5))
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// writeBetween replaces what is between the marks of a file; with "" it only looks whether they are there.
func writeBetween(file, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	replaced, err := between(string(page), text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if text == "" {
		return nil
	}
	return os.WriteFile(file, []byte(replaced), 0o644)
}

func between(page, text string) (string, error) {
	head, rest, ok1 := strings.Cut(page, begin)
	line, rest, ok2 := strings.Cut(rest, "\n")
	_, tail, ok3 := strings.Cut(rest, end)
	if !ok1 || !ok2 || !ok3 {
		return "", fmt.Errorf("the page has no line that begins with %q and then %q", begin, end)
	}
	return head + begin + line + "\n\n" + text + "\n" + end + tail, nil
}
