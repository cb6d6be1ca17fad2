package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
)

func TestConnectionsAreLoweredToWhatFilesAllow(t *testing.T) {
	for _, c := range []struct {
		files int
		want  []int
		note  string
	}{
		{1 << 20, []int{1000, 10_000, 20_000}, ""},
		{20_000, []int{1000, 10_000, 19_500}, "The hard limit of open files is 20,000, so that 20,000 connections could not be had; 19,500 were measured instead. "},
		{10_150, []int{1000, 10_000}, "The hard limit of open files is 10,150, so that 20,000 connections could not be had. "},
		{64, nil, "The hard limit of open files is 64, so that 20,000 connections could not be had. "},
	} {
		got, note := fit([]int{1000, 10_000, 20_000}, c.files)
		if !slices.Equal(got, c.want) || !strings.HasPrefix(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%d files: %v, %q", c.files, got, note)
		}
	}
}

func TestTheFullMeasurementHasEveryPart(t *testing.T) {
	for name, s := range map[string]sizes{"full": full(load.Times{Warm: time.Second, Measure: time.Second}), "short": short()} {
		for _, p := range s.parts() {
			if len(p.rows) == 0 || len(p.columns) == 0 || p.about == "" {
				t.Errorf("%s: %s is empty", name, p.name)
			}
			for i := 1; i < len(p.rows); i++ {
				if p.rows[i].count <= p.rows[i-1].count {
					t.Errorf("%s: %s does not grow", name, p.name)
				}
			}
		}
	}
}

func TestTables(t *testing.T) {
	p := part{title: "Title", about: "About.", counted: "members", columns: []column{{"CPU, µs", 2}, {"calls/s", 0}, {"load, processors", 2}},
		rows: []row{{count: 10}, {count: 10_000}}}
	var w strings.Builder
	p.table(&w, [][]float64{{1.234, 1234567, 0.5}, {2, 999.6, 0.951}})
	want := `
### Title

About.

| members | CPU, µs | calls/s | load, processors |
|--:|--:|--:|--:|
| 10 | 1.23 | 1,234,567 | 0.50 |
| 10,000 | 2.00 | 1,000 | 0.95 † |

† The load generator had no more to give: the rate may be higher, and the times are those of its own queue as well.
`
	if w.String() != want {
		t.Errorf("got\n%s\nwant\n%s", w.String(), want)
	}
}

func TestTheExampleFollowsFromTheFigures(t *testing.T) {
	all := make(results)
	for _, p := range full(load.Times{Warm: time.Second, Measure: time.Second}).parts() {
		m := measurements{p, nil}
		for range p.rows {
			f := make([]float64, len(p.columns))
			for i := range f {
				f[i] = 10.48576
			}
			m.figures = append(m.figures, f)
		}
		all[p.name] = m
	}
	var w strings.Builder
	all.example(&w)
	for _, want := range []string{
		"| 100,000 × 10.49 KiB (of 20,000) | 1.00 GiB |", "| 1,000 × 10.49 KiB (of 1,000) | 0.01 GiB |",
		"| 3.03 GiB |", "| 100,000 × 10.49 µs/s | 1.05 |", "| 10,000/s × 10.49 µs (of 20,000) | 0.10 |", "| 200,000/s × 10.49 µs (of 100) | 2.10 |",
		"| the sum | 3.25 |", "| 5.4 |",
	} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("%q is missing:\n%s", want, w.String())
		}
	}
	delete(all, "idle-rooms")
	w.Reset()
	if all.example(&w); w.Len() > 0 {
		t.Errorf("an example without figures:\n%s", w.String())
	}
}
