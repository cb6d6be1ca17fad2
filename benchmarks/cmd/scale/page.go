package main

import (
	"fmt"
	"strings"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/page"
)

// begin is how the line begins from which on the page is this program's.
const begin = "<!-- Written by benchmarks/run.sh -scale from here"

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
		fmt.Fprintf(w, "| %s |", page.Count(r.count))
		for c, column := range p.columns {
			mark := ""
			if c == busy && figures[i][c] >= load.Full {
				limited, mark = true, " †"
			}
			fmt.Fprintf(w, " %s%s |", page.Figure(figures[i][c], column.digits), mark)
		}
		fmt.Fprintln(w)
	}
	if limited {
		fmt.Fprintf(w, "\n† The load generator had no more to give: the rate may be higher, and the times are those of its own queue as well.\n")
	}
}
