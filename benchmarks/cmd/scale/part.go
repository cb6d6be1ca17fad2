package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/page"
)

// part is one table: how the cost of something grows with the number of something.
type part struct {
	name    string // for -only
	title   string
	about   string // what stands above the table
	counted string // heads the first column
	columns []column
	rows    []row
}

// column is one figure of a row.
type column struct {
	title  string
	digits int
}

// row is one measurement, in a server process of its own. It gives a figure for each column.
type row struct {
	count int
	run   func(context.Context, load.Server) ([]float64, error)
}

// sizes are how much is measured.
type sizes struct {
	times  load.Times
	settle time.Duration
	watch  time.Duration // of idle connections; longer than it takes the server to ping each of them

	connections []int
	active      int
	calls       float64 // a second, of all connections together
	members     []int
	deliveries  float64 // a second, of all rooms together
	idleRooms   []int
	rooms       []int
}

func full(t load.Times) sizes {
	return sizes{
		times: t, settle: time.Second, watch: 27 * time.Second,
		connections: []int{1000, 5000, 10_000, 20_000}, active: 100, calls: 10_000,
		members: []int{10, 100, 1000, 10_000}, deliveries: 20_000,
		idleRooms: []int{1000, 10_000, 50_000}, rooms: []int{10, 100, 1000},
	}
}

// short shows that everything works, and nothing of how fast it is.
func short() sizes {
	return sizes{
		times: load.Times{Warm: 50 * time.Millisecond, Measure: 100 * time.Millisecond}, settle: 50 * time.Millisecond, watch: 50 * time.Millisecond,
		connections: []int{100, 200}, active: 10, calls: 1000,
		members: []int{10, 50}, deliveries: 1000,
		idleRooms: []int{100, 200}, rooms: []int{5, 10},
	}
}

const size = 64 // bytes of a body

func (s sizes) parts() []part {
	timed := func(op, ops string) []column {
		return []column{{"CPU per " + op + ", µs", 2}, {ops + "/s", 0}, {"p50, ms", 2}, {"p99, ms", 2}, {"server, processors", 2}, {"load, processors", 2}, {"others, processors", 2}}
	}
	calls, deliveries := timed("call", "calls"), timed("delivery", "deliveries")

	idle := part{
		name: "idle-connections", title: "An idle connection", counted: "connections",
		about: fmt.Sprintf("Memory by which the server grew, per connection, in rooms of 100; and the CPU time of doing nothing over %v, in which the server pings each once. Kernel: half of what the machine's slabs grew by, as the other half is the clients'.", s.watch),
		columns: []column{{"resident, KiB", 2}, {"heap in use, KiB", 2}, {"stacks, KiB", 2}, {"goroutines", 2}, {"kernel, KiB", 2},
			{"CPU per second, µs", 2}},
	}
	beside := part{
		name: "calls-beside-idle", title: fmt.Sprintf("Calls of %d connections beside idle ones", s.active), counted: "open connections", columns: calls,
		about: fmt.Sprintf("%d connections call as fast as they are answered, one call at a time; the others are silent.", s.active),
	}
	spread := part{
		name: "calls-spread", title: fmt.Sprintf("%s calls/s, spread over all connections", page.Count(int(s.calls))), counted: "open connections", columns: calls,
		about: "Every connection calls in turn, all of them in one room. At this rate the server often finds one call and sleeps again, which costs more per call than a queue of them.",
	}
	for i, n := range append([]int{s.active}, s.connections...) {
		if i > 0 {
			idle.rows = append(idle.rows, row{n, func(ctx context.Context, server load.Server) ([]float64, error) {
				m, err := load.Idle{Connections: n, Settle: s.settle, Watch: s.watch}.Memory(ctx, server)
				return []float64{m.KiB, m.HeapKiB, m.StackKiB, m.Goroutines, m.KernelKiB, us(m.CPU)}, err
			}})
		}
		beside.rows = append(beside.rows, row{n, measured(load.Calls{Connections: s.active, Depth: 1, Size: size, Idle: n - s.active, Times: s.times})})
		spread.rows = append(spread.rows, row{n, measured(load.Calls{Connections: n, Rate: s.calls, Size: size, Times: s.times})})
	}

	saturated := part{
		name: "room-saturating", title: "One room, as fast as it goes", counted: "members", columns: deliveries,
		about: "One member publishes, with 64 publishes on the way; all members get each. Times are those of a queue of 64.",
	}
	steady := part{
		name: "room-steady", title: fmt.Sprintf("One room at %s deliveries/s", page.Count(int(s.deliveries))), counted: "members", columns: deliveries,
		about: "The larger the room, the rarer its broadcasts: what a single one takes shows in p99.",
	}
	for _, n := range s.members {
		t := s.times
		if n >= 10_000 { // few broadcasts a second
			t = load.Times{Warm: 2 * t.Warm, Measure: 3 * t.Measure}
		}
		saturated.rows = append(saturated.rows, row{n, measured(load.Broadcast{Rooms: 1, Members: n, Size: size, Times: t})})
		steady.rows = append(steady.rows, row{n, measured(load.Broadcast{Rooms: 1, Members: n, Rate: s.deliveries / float64(n), Size: size, Times: t})})
	}

	empty := part{
		name: "idle-rooms", title: "An idle room", counted: "rooms",
		about:   "Memory by which the server grew, per room that nobody is in, with a state of one integer.",
		columns: []column{{"resident, KiB", 2}, {"heap in use, KiB", 2}, {"stacks, KiB", 2}, {"goroutines", 2}},
	}
	for _, n := range s.idleRooms {
		empty.rows = append(empty.rows, row{n, func(ctx context.Context, server load.Server) ([]float64, error) {
			m, err := load.Rooms{Rooms: n, Settle: s.settle}.Memory(ctx, server)
			return []float64{m.KiB, m.HeapKiB, m.StackKiB, m.Goroutines}, err
		}})
	}

	const members = 4
	small := part{
		name: "rooms", title: fmt.Sprintf("%s deliveries/s, spread over rooms of %d", page.Count(int(s.deliveries)), members), counted: "rooms", columns: deliveries,
		about: "Each broadcast is a call of its own and reaches four members, so that a quarter of a call is in each delivery.",
	}
	for _, n := range s.rooms {
		small.rows = append(small.rows, row{n, measured(load.Broadcast{Rooms: n, Members: members, Rate: s.deliveries / float64(n*members), Size: size, Times: s.times})})
	}
	return []part{idle, beside, spread, saturated, steady, empty, small}
}

// measured is a row of what has a rate.
func measured(l interface {
	Run(context.Context, load.Server) (load.Result, error)
}) func(context.Context, load.Server) ([]float64, error) {
	return func(ctx context.Context, server load.Server) ([]float64, error) {
		r, err := l.Run(ctx, server)
		ms := func(d time.Duration) float64 { return 1000 * d.Seconds() }
		return []float64{us(r.CPU), r.Rate, ms(r.P50), ms(r.P99), r.Server(), r.Load, r.Others}, err
	}
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// fit lowers numbers of connections to what open files allow, to a multiple of 500, and leaves out what is then no more
// than the one before. note says so, or is "".
func fit(counts []int, files int) (fitting []int, note string) {
	const others = 100 // files that are no connections
	allowed := files - others
	for _, n := range counts {
		was := n
		if n > allowed {
			n = allowed - allowed%500
			note = fmt.Sprintf("The hard limit of open files is %s, so that %s connections could not be had", page.Count(files), page.Count(was))
			if n > 0 && (len(fitting) == 0 || n > fitting[len(fitting)-1]) {
				note += fmt.Sprintf("; %s were measured instead", page.Count(n))
			}
			note += ". `ulimit -Hn` or LimitNOFILE raises it."
		}
		if n > 0 && (len(fitting) == 0 || n > fitting[len(fitting)-1]) {
			fitting = append(fitting, n)
		}
	}
	return fitting, note
}
