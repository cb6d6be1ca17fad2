package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/machine"
	"github.com/gosocka/socka/benchmarks/internal/page"
)

// aim is how fast EachTurn shall be, as a share of what the bare database does.
const aim = 0.6

// median is that of the runs.
func median(list []figures, f func(figures) float64) float64 {
	var values []float64
	for _, one := range list {
		values = append(values, f(one))
	}
	return load.Median(values)
}

// compared is the median of what f makes of two measurements of one run.
func compared(a, b []figures, f func(a, b figures) float64) float64 {
	var values []float64
	for run := range min(len(a), len(b)) {
		values = append(values, f(a[run], b[run]))
	}
	return load.Median(values)
}

// best gives of each run the measurement with the highest rate.
func best(lists ...[]figures) (list []figures) {
	for _, one := range lists {
		for run, f := range one {
			if run == len(list) {
				list = append(list, f)
			} else if f.Rate > list[run].Rate {
				list[run] = f
			}
		}
	}
	return list
}

// table writes one in Markdown. Rows without any figure are left out.
type table struct {
	strings.Builder
	digits []int
}

func newTable(heads []string, digits ...int) *table {
	t := &table{digits: digits}
	fmt.Fprintf(t, "\n| %s |\n", strings.Join(heads, " | "))
	t.WriteString("|" + strings.Repeat("---|", len(heads)-len(digits)) + strings.Repeat("--:|", len(digits)) + "\n")
	return t
}

func (t *table) row(texts []string, values ...float64) {
	some := false
	cells := texts
	for i, v := range values {
		some = some || !math.IsNaN(v)
		cells = append(cells, page.Figure(v, t.digits[i]))
	}
	if some {
		fmt.Fprintf(t, "| %s |\n", strings.Join(cells, " | "))
	}
}

func rateOf(f figures) float64 { return f.Rate }
func cpuOf(f figures) float64  { return f.CPU }
func dbOf(f figures) float64   { return f.Database }
func p50Of(f figures) float64  { return f.P50 }
func p99Of(f figures) float64  { return f.P99 }

func (s sizes) turnsTable(r results, names []string, writers map[string][]int) string {
	speed := newTable([]string{"store", "callers of a room", "turns/s", "bare, values/s", "ratio", "store alone, rooms/s", "OnSleep, turns/s", "p50, ms", "p99, ms",
		"commits/s", "syncs/s", "rooms in a save", "turns of a room in a save"}, 0, 0, 2, 0, 0, 2, 2, 0, 0, 1, 2)
	cost := newTable([]string{"store", "callers of a room", "CPU of a turn, EachTurn, µs", "OnSleep, µs", "added, µs", "of the store alone, µs a room", "of bare, µs a value",
		"of the database: EachTurn, µs", "alone, µs", "bare, µs", "bytes saved for a turn"}, 2, 2, 2, 2, 2, 2, 2, 2, 0)
	var missed []string
	for _, db := range names {
		for _, depth := range s.depths {
			each, sleep, alone := r[key(db, "eachturn", depth)], r[key(db, "onsleep", depth)], r[key(db, "alone")]
			var bare []figures
			for _, n := range writers[db] {
				bare = best(bare, r[key(db, "bare", depth, n)])
			}
			ratio := compared(each, bare, func(e, b figures) float64 { return e.Rate / b.Rate })
			if ratio < aim {
				missed = append(missed, fmt.Sprintf("%s with %d (%.2f)", titles[db], depth, ratio))
			}
			texts := []string{titles[db], fmt.Sprint(depth)}
			commits := median(each, func(f figures) float64 { return f.Commits })
			syncs := commits
			switch db {
			case "memory":
				commits, syncs = math.NaN(), math.NaN()
			case "postgres":
				syncs = median(each, func(f figures) float64 { return f.Syncs })
			}
			speed.row(texts, median(each, rateOf), median(bare, rateOf), ratio, median(alone, rateOf), median(sleep, rateOf),
				median(each, p50Of), median(each, p99Of), commits, syncs,
				median(each, func(f figures) float64 { return f.Batches / f.Saves }),
				median(each, func(f figures) float64 { return f.Rate / f.Batches }))
			cost.row(texts, median(each, cpuOf), median(sleep, cpuOf),
				compared(each, sleep, func(e, s figures) float64 { return e.CPU - s.CPU }),
				median(alone, cpuOf), median(bare, cpuOf), median(each, dbOf), median(alone, dbOf), median(bare, dbOf),
				median(each, func(f figures) float64 { return f.Bytes }))
		}
	}
	verdict := fmt.Sprintf("The aim, a ratio of %.1f, is reached in all rows.", aim)
	if len(missed) > 0 {
		verdict = fmt.Sprintf("The aim, a ratio of %.1f, is missed, by store and callers of a room: %s.", aim, strings.Join(missed, ", "))
	}
	return fmt.Sprintf(`
### EachTurn

%s rooms with a state of about 300 bytes, which each turn changes. Callers within the process ask as soon as they are answered.
Bare: as many values as callers, each as long as what a turn saves, are upserted by key in one transaction after the other; of
Postgres the better of one and two connections. Store alone: all rooms are saved in one call of Save after the other, with no server
before it. OnSleep: the same turns, and nothing is saved. Syncs are of the log.
%s
%s
`, page.Count(s.rooms), speed.String(), verdict) + cost.String()
}

func (s sizes) socketsTable(r results, names []string) string {
	t := newTable([]string{"store", "calls under way in a room", "turns/s", "p50, ms", "p99, ms", "OnSleep, turns/s", "CPU of a turn, EachTurn, µs", "OnSleep, µs", "added, µs", "of the database, µs"}, 0, 2, 2, 0, 2, 2, 2, 2)
	for _, db := range names {
		for _, depth := range s.depths {
			each, sleep := r[key(db, "eachturn", depth)], r[key(db, "onsleep", depth)]
			t.row([]string{titles[db], fmt.Sprint(depth)}, median(each, rateOf), median(each, p50Of), median(each, p99Of),
				median(sleep, rateOf), median(each, cpuOf), median(sleep, cpuOf),
				compared(each, sleep, func(e, s figures) float64 { return e.CPU - s.CPU }), median(each, dbOf))
		}
	}
	return fmt.Sprintf(`
### EachTurn over sockets

The same rooms, each with a connection of the loopback interface. The server has one processor, the load another; Postgres shares both.
%s`, t.String())
}

func (s sizes) largeTable(r results, names []string) string {
	t := newTable([]string{"state", "callers", "store", "turns/s", "p50, ms", "p99, ms", "CPU of a turn, µs", "OnSleep, µs", "of the database, µs", "bytes saved for a turn", "turns in a save"}, 0, 2, 2, 0, 0, 0, 0, 1)
	for _, shape := range shapes {
		for _, depth := range s.large {
			for _, db := range names {
				each, sleep := r[key(db, "eachturn", shape.name, depth)], r[key("memory onsleep", shape.name, depth)]
				t.row([]string{shape.title, fmt.Sprint(depth), titles[db]}, median(each, rateOf), median(each, p50Of), median(each, p99Of),
					median(each, cpuOf), median(sleep, cpuOf), median(each, dbOf),
					median(each, func(f figures) float64 { return f.Bytes }),
					median(each, func(f figures) float64 { return f.Rate / f.Batches }))
			}
		}
	}
	return fmt.Sprintf(`
### A room of a megabyte

One room under EachTurn with a state of 1 MiB, to which each turn adds a line of 100 bytes. OnSleep says what the turn itself takes.
%s`, t.String())
}

func (s sizes) asleepTable(r results, names []string) string {
	t := newTable([]string{"rooms, store", "awake, KiB", "asleep, KiB", "of it beyond the connection, KiB", "heap in use asleep, KiB", "stacks asleep, KiB", "resident asleep, KiB",
		"wake p50, ms", "wake p99, ms", "call p50, ms", "call p99, ms"}, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2)
	heap := func(f figures) float64 { return f.Asleep }
	row := func(title, key string, connected bool) {
		beyond := median(r[key], heap)
		var timed [4]float64
		for i, f := range []func(figures) float64{p50Of, p99Of, func(f figures) float64 { return f.CallP50 }, func(f figures) float64 { return f.CallP99 }} {
			if timed[i] = median(r[key], f); timed[i] == 0 {
				timed[i] = math.NaN()
			}
		}
		if connected {
			beyond = compared(r[key], r["shared"], func(a, b figures) float64 { return a.Asleep - b.Asleep })
		}
		t.row([]string{title}, median(r[key], func(f figures) float64 { return f.Awake }), median(r[key], heap), beyond,
			median(r[key], func(f figures) float64 { return f.InUse }), median(r[key], func(f figures) float64 { return f.Stack }), median(r[key], func(f figures) float64 { return f.AsleepRSS }),
			timed[0], timed[1], timed[2], timed[3])
	}
	row("all connections in one room", "shared", true)
	for _, db := range names {
		row("a connection in each, "+titles[db], key(db, "connected"), true)
	}
	for _, db := range names {
		row("nobody in them, "+titles[db], key(db, "alone"), false)
	}
	return fmt.Sprintf(`
### Rooms that sleep

%s rooms with a state of about 300 bytes, and %s sockets of the loopback interface. Memory is that by which the server grew, for each
room, or connection where all are in one room: awake and asleep of the heap that is reachable, in use with the gaps that garbage
leaves, resident all of the process. %s rooms are woken by a call, one after the other, and called again at once.
%s`, page.Count(s.sleepers), page.Count(s.sleepers), page.Count(s.wakes), t.String())
}

func (s sizes) policiesTable(r results, names []string) string {
	t := newTable([]string{"store", "policy", "saturated: turns/s", "CPU of a turn, µs", "to own memory", "at a rate: CPU of a turn, µs", "to own memory", "of the database, µs", "bytes saved for a turn", "p50, ms", "p99, ms"}, 0, 2, 2, 2, 2, 2, 0, 2, 2)
	row := func(db, policy, title string) {
		full, paced := r[key(db, policy, "saturated")], r[key(db, policy, "rate")]
		ratio := func(e, own figures) float64 { return e.CPU / own.CPU }
		t.row([]string{titles[db], title}, median(full, rateOf), median(full, cpuOf), compared(full, r[key("", "every", "saturated")], ratio),
			median(paced, cpuOf), compared(paced, r[key("", "every", "rate")], ratio), median(paced, dbOf),
			median(paced, func(f figures) float64 { return f.Bytes }), median(paced, p50Of), median(paced, p99Of))
	}
	row("", "every", "default")
	for _, db := range names {
		row(db, "onsleep", "OnSleep")
		row(db, "every", "Every(1s)")
		row(db, "eachturn", "EachTurn")
	}
	return fmt.Sprintf(`
### What a policy costs

%s rooms as above. Saturated: 4 callers of each ask as soon as they are answered. At a rate: each room has %v turns a second, so
that what a processor does between them, to sleep and to wake, is in each turn.
%s`, page.Count(s.rooms), s.rate, t.String())
}

// head says when, how, where and with what was measured.
func (o *options) head() (string, error) {
	var w strings.Builder
	version, err := sqliteVersion()
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&w, "| | |\n|---|---|\n| measured | %s |\n| runs | %d of %v after %v, of which medians; ratios within a run; seed %d |\n%s",
		today(), o.runs, o.sizes.measure, o.sizes.warm, o.seed, machine.Rows())
	fmt.Fprintf(&w, "| disk | %s |\n| SQLite | %s |\n", fileSystem(o.dir), version)
	if o.database != nil {
		for _, row := range [][2]string{{"Postgres", "SHOW server_version"}, {"its settings", "SELECT string_agg(name || '=' || setting, ', ' ORDER BY name) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'shared_buffers', 'max_wal_size', 'wal_sync_method')"}} {
			text, err := o.database.ask(row[1])
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&w, "| %s | %s |\n", row[0], text)
		}
	}
	if o.database == nil {
		w.WriteString("\nThere was no Postgres on this machine.\n")
	}
	if o.note != "" {
		fmt.Fprintf(&w, "\n%s\n", o.note)
	}
	return w.String(), nil
}
