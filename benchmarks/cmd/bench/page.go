package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/machine"
)

// tables writes the aims and then all figures.
func (o *options) tables(w io.Writer, all results) {
	fmt.Fprintf(w, "## Against the aims\n\nWithin each run, then the median of the runs; CPU is per operation.\n\n")
	fmt.Fprintf(w, "| scenario | aim | measured | |\n|---|---|---|---|\n")
	var missed []string
	for _, s := range scenarios(o.times, o.short) {
		for _, a := range aims {
			v, ok := a.judge(all)
			if a.scenario != s.name || !ok {
				continue
			}
			word := "reached"
			switch {
			case o.short:
				word = "not judged"
			case !v.reached:
				word = "**missed**"
				missed = append(missed, fmt.Sprintf("- %s: %s; measured %s", s.title, v.aim, v.got))
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", s.title, v.aim, v.got, word)
		}
	}
	switch {
	case o.short:
		fmt.Fprintf(w, "\nThese were short loads, which say nothing of speed.\n")
	case len(missed) == 0:
		fmt.Fprintf(w, "\nAll of these aims were reached.\n")
	default:
		fmt.Fprintf(w, "\nAims missed:\n\n%s\n", strings.Join(missed, "\n"))
	}
	fmt.Fprintf(w, "\n## Figures\n\nMedians of %d.\n", o.runs)
	for _, s := range scenarios(o.times, o.short) {
		if all[s.name] != nil {
			s.table(w, all[s.name])
		}
	}
}

func (s scenario) table(w io.Writer, measured map[string][]load.Result) {
	fmt.Fprintf(w, "\n### %s\n\n", s.title)
	mid := func(list []load.Result, f func(load.Result) float64) float64 { return load.Median(each(list, f)) }
	if s.unit == "" {
		fmt.Fprintf(w, "| | KiB | heap in use, KiB | stacks, KiB |\n|---|--:|--:|--:|\n")
	} else {
		fmt.Fprintf(w, "| | CPU per %s, µs | %s/s | delivered | p50, ms | p99, ms | server, processors | load, processors | others, processors |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
			s.unit, map[string]string{"call": "calls", "delivery": "deliveries"}[s.unit])
	}
	limited := false
	for _, c := range contenders {
		list := measured[c.name]
		if len(list) == 0 {
			continue
		}
		if s.unit == "" {
			stacks := "–" // of what is no Go program
			if v := mid(list, func(r load.Result) float64 { return r.StackKiB }); v != 0 {
				stacks = fmt.Sprintf("%.2f", v)
			}
			fmt.Fprintf(w, "| %s | %.2f | %.2f | %s |\n", c.name, mid(list, kib.of),
				mid(list, func(r load.Result) float64 { return r.HeapKiB }), stacks)
			continue
		}
		delivered := "–"
		if s.unit == "delivery" {
			delivered = fmt.Sprintf("%.1f %%", 100*mid(list, func(r load.Result) float64 { return r.Delivered }))
		}
		busy, mark := mid(list, func(r load.Result) float64 { return r.Load }), ""
		if busy >= load.Full {
			limited, mark = true, " †"
		}
		fmt.Fprintf(w, "| %s | %.2f | %.0f%s | %s | %.2f | %.2f | %.2f | %.2f%s | %.2f |\n", c.name,
			mid(list, us), mid(list, rate.of), mark, delivered,
			mid(list, func(r load.Result) float64 { return float64(r.P50) / float64(time.Millisecond) }),
			mid(list, func(r load.Result) float64 { return float64(r.P99) / float64(time.Millisecond) }),
			mid(list, load.Result.Server), busy, mark,
			mid(list, func(r load.Result) float64 { return r.Others }))
	}
	if limited {
		fmt.Fprintf(w, "\n† The load generator had no more to give: this server's rate may be higher, and its times are those of the load generator's queue as well.\n")
	}
}

// introduction says how, where and with what was measured.
func (o *options) introduction(w io.Writer, folder string) error {
	versions, err := versionsIn(folder)
	if err != nil {
		return err
	}
	pinned := "Nothing was pinned to a processor."
	if o.cpu != "" {
		pinned = "The server was pinned to processor " + o.cpu + ", the load to another."
	}
	fmt.Fprintf(w, `# Benchmarks

How Socka compares with the WebSocket library beneath it and with other realtime servers, on one machine. This page is
written by the program in [benchmarks](../benchmarks/README.md), which says how to run it and what each figure means.

How Socka's own cost grows with connections, members and rooms is in [scaling.md](scaling.md).
What it costs to keep rooms in a database is in [benchmarks-persistence.md](benchmarks-persistence.md).

What counts is the CPU time (user and system) of the server process per operation, and its ratio between contenders that
took turns within one run. %s
Rates and latencies stand beside it: a rate is limited by the server's processor or by the load generator's, whichever is
busy first, and a latency under saturation says how long the queue is. † marks where it was the load generator's.
Every contender sends what its own protocol needs around the same body. "Others" is what other programs took of the
machine meanwhile; where it is much, figures are rough.

| | |
|---|---|
| date | %s |
| runs, seed | %d of %v after %v, seed %d |
%s`,
		pinned, time.Now().UTC().Format(time.DateOnly), o.runs, o.times.Measure, o.times.Warm, o.seed, machine.Rows())
	for _, v := range versions {
		fmt.Fprintf(w, "| %s | %s |\n", v[0], v[1])
	}
	fmt.Fprintf(w, "\nContenders:\n\n")
	for _, c := range contenders {
		fmt.Fprintf(w, "- **%s**: %s\n", c.name, c.what)
	}
	if o.note != "" {
		fmt.Fprintf(w, "\n%s\n", o.note)
	}
	fmt.Fprintln(w)
	return nil
}

// versionsIn reads what the contenders were built from.
func versionsIn(folder string) (list [][2]string, err error) {
	for _, c := range []struct{ binary, module string }{{"gws", "github.com/lxzan/gws"}, {"centrifuge", "github.com/centrifugal/centrifuge"}} {
		info, err := buildinfo.ReadFile(filepath.Join(folder, "bin", c.binary))
		if err != nil {
			return nil, err
		}
		for _, m := range info.Deps {
			if m.Path == c.module {
				list = append(list, [2]string{c.binary, m.Version})
			}
		}
	}
	list = append(list, [2]string{"Node.js", machine.Output("node", "--version")})
	text, err := os.ReadFile(filepath.Join(folder, "node", "package-lock.json"))
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("node/package-lock.json: %w", err)
	}
	for _, name := range []string{"ws", "zod", "socket.io"} {
		list = append(list, [2]string{name, lock.Packages["node_modules/"+name].Version})
	}
	return list, nil
}
