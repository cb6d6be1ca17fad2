package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/persist"
)

// part is one table and what is measured for it.
type part struct {
	name   string // for -only
	runs   int    // at most; 0: as many as are wanted
	groups [][]member
	write  func(results) string
}

// member is a measurement. Those of a group are measured one after the other in each run, so that they can be compared.
type member struct {
	key  string // for -who
	task task
}

// results are the figures of a part, by key and run.
type results map[string][]figures

// sizes are how much is measured.
type sizes struct {
	rooms         int
	depths        []int // callers of each room
	large         []int // callers of the large room
	rate          float64
	sleepers      int
	wakes         int
	sleep         time.Duration // longer than it takes to connect sleepers, and to read memory
	settle        time.Duration
	warm, measure time.Duration
}

func full(warm, measure time.Duration) sizes {
	return sizes{
		rooms: 200, depths: []int{1, 4, 16}, large: []int{1, 16}, rate: 10,
		sleepers: 10_000, wakes: 2000, sleep: 30 * time.Second, settle: time.Second, warm: warm, measure: measure,
	}
}

// short shows that everything works, and nothing of how fast it is.
func short() sizes {
	return sizes{
		rooms: 20, depths: []int{4}, large: []int{2}, rate: 10,
		sleepers: 50, wakes: 10, sleep: time.Second, settle: 20 * time.Millisecond, warm: 20 * time.Millisecond, measure: 80 * time.Millisecond,
	}
}

// databases are the stores that outlive a process, and how many writers the bare measurement may have in each.
func databases(withPostgres bool) (names []string, writers map[string][]int) {
	names = []string{"sqlite"}
	if withPostgres {
		names = append(names, "postgres")
	}
	return names, map[string][]int{"sqlite": {1}, "postgres": {1, 2}}
}

var titles = map[string]string{"": "own memory", "memory": "memory", "sqlite": "SQLite", "postgres": "Postgres"}

func key(words ...any) string { return strings.TrimSuffix(fmt.Sprintln(words...), "\n") }

func parts(s sizes, withPostgres bool) []part {
	return []part{s.turns(withPostgres), s.sockets(withPostgres), s.largeRoom(withPostgres), s.asleep(withPostgres), s.policies(withPostgres)}
}

func (s sizes) task(what, store string, policy persist.Policy, rooms, depth int) task {
	return task{What: what, Store: store, Policy: policy, Rooms: rooms, Depth: depth, Warm: s.warm, Measure: s.measure}
}

// turns: EachTurn beside OnSleep, and beside the least that the database can do.
func (s sizes) turns(withPostgres bool) part {
	p := part{name: "turns"}
	names, writers := databases(withPostgres)
	for i, depth := range s.depths {
		p.groups = append(p.groups, []member{
			{key("memory eachturn", depth), s.task("turns", "memory", "eachturn", s.rooms, depth)},
			{key("memory onsleep", depth), s.task("turns", "memory", "onsleep", s.rooms, depth)},
		})
		for _, db := range names {
			group := []member{
				{key(db, "eachturn", depth), s.task("turns", db, "eachturn", s.rooms, depth)},
				{key(db, "onsleep", depth), s.task("turns", db, "onsleep", s.rooms, depth)},
			}
			if i == 0 {
				group = append(group, member{key(db, "alone"), s.task("alone", db, "", s.rooms, 1)})
			}
			for _, n := range writers[db] {
				t := s.task("bare", db, "", s.rooms, depth)
				t.Writers = n
				group = append(group, member{key(db, "bare", depth, n), t})
			}
			p.groups = append(p.groups, group)
		}
	}
	p.write = func(r results) string { return s.turnsTable(r, append([]string{"memory"}, names...), writers) }
	return p
}

// sockets: the same with clients.
func (s sizes) sockets(withPostgres bool) part {
	p := part{name: "sockets"}
	names, _ := databases(withPostgres)
	for _, depth := range s.depths {
		for _, db := range names {
			p.groups = append(p.groups, []member{
				{key(db, "eachturn", depth), s.task("sockets", db, "eachturn", s.rooms, depth)},
				{key(db, "onsleep", depth), s.task("sockets", db, "onsleep", s.rooms, depth)},
			})
		}
	}
	p.write = func(r results) string { return s.socketsTable(r, names) }
	return p
}

// shapes are how a large room changes, and is kept.
var shapes = []struct {
	name             string
	title            string
	bounded, msgpack bool
}{
	{"json", "appended, JSON", false, false},
	{"msgpack", "appended, msgpack", false, true},
	{"bounded", "appended, the oldest dropped, JSON", true, false},
}

// largeRoom: a megabyte of which a turn changes little.
func (s sizes) largeRoom(withPostgres bool) part {
	p := part{name: "large"}
	names, _ := databases(withPostgres)
	for _, depth := range s.large {
		for _, shape := range shapes {
			var group []member
			for _, db := range append([]string{"memory"}, names...) {
				t := s.task("large", db, "eachturn", 1, depth)
				t.Bounded, t.Msgpack = shape.bounded, shape.msgpack
				group = append(group, member{key(db, "eachturn", shape.name, depth), t})
			}
			t := s.task("large", "memory", "onsleep", 1, depth)
			t.Bounded, t.Msgpack = shape.bounded, shape.msgpack
			p.groups = append(p.groups, append(group, member{key("memory onsleep", shape.name, depth), t}))
		}
	}
	p.write = func(r results) string { return s.largeTable(r, append([]string{"memory"}, names...)) }
	return p
}

// asleep: many rooms with a connection each.
func (s sizes) asleep(withPostgres bool) part {
	p := part{name: "asleep", runs: 3} // of long measurements that differ little
	names, _ := databases(withPostgres)
	sleepers := func(what, store string) task {
		return task{What: what, Store: store, Policy: "every", Rooms: s.sleepers, Wakes: s.wakes, Sleep: s.sleep, Warm: s.settle}
	}
	shared := sleepers("asleep", "")
	shared.Shared, shared.Wakes = true, 0
	group := []member{{"shared", shared}}
	for _, db := range append([]string{""}, names...) {
		group = append(group, member{key(db, "connected"), sleepers("asleep", db)})
	}
	for _, db := range append([]string{""}, names...) {
		group = append(group, member{key(db, "alone"), sleepers("rooms", db)})
	}
	p.groups = [][]member{group}
	p.write = func(r results) string { return s.asleepTable(r, append([]string{""}, names...)) }
	return p
}

// policies: what saving now and then costs a turn.
func (s sizes) policies(withPostgres bool) part {
	p := part{name: "policies"}
	names, _ := databases(withPostgres)
	const depth = 4
	for _, rate := range []float64{0, s.rate} {
		of := func(db string, policy persist.Policy) member {
			t := s.task("turns", db, policy, s.rooms, depth)
			name := "saturated"
			if t.Rate = rate; rate > 0 {
				name, t.Depth = "rate", 1
			}
			return member{key(db, policy, name), t}
		}
		group := []member{of("", "every")}
		for _, db := range names {
			for _, policy := range []persist.Policy{"onsleep", "every", "eachturn"} {
				group = append(group, of(db, policy))
			}
		}
		p.groups = append(p.groups, group)
	}
	p.write = func(r results) string { return s.policiesTable(r, names) }
	return p
}
