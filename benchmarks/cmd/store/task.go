package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/page"
	"github.com/gosocka/socka/benchmarks/internal/persist"
)

// task is one measurement, which a process of its own makes.
type task struct {
	What     string // of measures
	Store    string // "", memory, sqlite or postgres
	Policy   persist.Policy
	Rooms    int
	Depth    int     // callers of each room; of bare, values of each room in a transaction
	Rate     float64 // turns of each room in a second; 0: as many as are answered
	Writers  int     // of bare: connections that share the rooms
	Bounded  bool    // of large
	Msgpack  bool    // of large
	Shared   bool    // of asleep: all connections are in one room
	Wakes    int     // of asleep
	Sleep    time.Duration
	Warm     time.Duration
	Measure  time.Duration
	Folder   string // of the benchmarks
	Dir      string // for files
	Address  string // of the store
	Postgres int    // the main process of the database, or 0
	Profile  string // a file, or ""
}

// figures are what a task comes to; those that it does not measure are 0.
type figures struct {
	Rate     float64 // turns, or values, a second
	CPU      float64 // of the process, in µs for each of them
	Database float64 // of the database's processes, likewise
	P50, P99 float64 // ms
	Saves    float64 // calls of Save a second
	Batches  float64 // rooms in them
	Commits  float64 // transactions a second
	Calls    float64 // transactions in all, with those outside of the measurement
	Syncs    float64 // of the database's log, a second; of Postgres only
	Bytes    float64 // given to the store, for each turn
	Others   float64 // processors that anything else used

	Awake, Asleep    float64 // KiB of the heap that are reachable, for each room
	InUse            float64 // KiB of heap in use for each room that sleeps, with the gaps between
	AsleepRSS        float64 // KiB of resident memory, likewise
	Stack            float64 // KiB of stacks, likewise
	CallP50, CallP99 float64 // ms, of calls of rooms that are awake
}

var measures = map[string]func(context.Context, task) (figures, error){
	"turns":   turns,
	"bare":    bare,
	"alone":   alone,
	"large":   large,
	"sockets": sockets,
	"asleep":  asleep,
	"rooms":   roomsAsleep,
}

// limit ends a task that does not end by itself.
const limit = 5 * time.Minute

// run makes the measurement in a process of its own.
func (t task) run(ctx context.Context) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	text, err := json.Marshal(t)
	if err != nil {
		return f, err
	}
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	args := []string{self, "-task", string(text)}
	if t.pinned() {
		args = append([]string{"taskset", "-c", "1"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	// Asked to end, it ends what it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return f, fmt.Errorf("%w: %s", err, said.String())
	}
	if err := json.Unmarshal([]byte(out.String()), &f); err != nil {
		return f, fmt.Errorf("it printed %q: %w", out.String(), err)
	}
	return f, nil
}

// carryOut is what that process does.
func carryOut(ctx context.Context, text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return fmt.Errorf("-task: %w", err)
	}
	measure := measures[t.What]
	if measure == nil {
		return fmt.Errorf("-task: %q is nothing to measure", t.What)
	}
	f, err := measure(ctx, t)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// String is for who watches.
func (f figures) String() string {
	text := ""
	for _, v := range []struct {
		name   string
		value  float64
		digits int
	}{
		{"/s", f.Rate, 0}, {"µs", f.CPU, 2}, {"µs in the database", f.Database, 2}, {"ms p50", f.P50, 2}, {"ms p99", f.P99, 2},
		{"commits/s", f.Commits, 0}, {"syncs/s", f.Syncs, 0}, {"rooms a save", f.Batches / f.Saves, 1}, {"bytes", f.Bytes, 0},
		{"KiB awake", f.Awake, 2}, {"KiB asleep", f.Asleep, 2}, {"others", f.Others, 2},
	} {
		if v.value != 0 && v.value == v.value {
			text += fmt.Sprintf("%s %s  ", page.Figure(v.value, v.digits), v.name)
		}
	}
	return strings.TrimRight(text, " ")
}

// meter reads what has been used so far.
type meter struct {
	at             time.Time
	self, database time.Duration
	machine        time.Duration
}

func (t task) meter() (m meter, err error) {
	m.at = time.Now()
	if m.self, err = load.CPUOf(os.Getpid()); err != nil {
		return m, err
	}
	if t.Postgres != 0 {
		if m.database, err = familyCPU(t.Postgres); err != nil {
			return m, err
		}
	}
	m.machine, err = load.MachineCPU()
	return m, err
}

// between fills in what n operations have used between two meters.
func (f *figures) between(a, b meter, n float64) error {
	took := b.at.Sub(a.at).Seconds()
	if n <= 0 {
		return fmt.Errorf("nothing was done in %.1f s", took)
	}
	f.Rate = n / took
	f.CPU = micros(b.self-a.self) / n
	f.Database = micros(b.database-a.database) / n
	f.Others = max(0, (b.machine-a.machine-(b.self-a.self)-(b.database-a.database)).Seconds()/took)
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// profiled profiles what run does, if a profile is wanted.
func (t task) profiled(run func() error) error {
	if t.Profile == "" {
		return run()
	}
	if err := os.MkdirAll(filepath.Dir(t.Profile), 0o755); err != nil {
		return err
	}
	file, err := os.Create(t.Profile)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	err = run()
	pprof.StopCPUProfile()
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// watch waits for as long as is measured, and on a machine that is busy with other things until something was done.
func (t task) watch(ctx context.Context, done *atomic.Int64) error {
	before := done.Load()
	err := wait(ctx, t.Measure)
	for i := 0; i < 200 && err == nil && done.Load() == before; i++ {
		err = wait(ctx, 50*time.Millisecond)
	}
	return err
}

// wait waits, or returns why ctx ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
