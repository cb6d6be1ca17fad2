package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/benchmarks/internal/persist"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/store"
)

// kept is a server on a store that counts.
type kept struct {
	*persist.Server
	store  store.Store      // nil: the server's own
	counts *persist.Counter // nil likewise
}

func (t task) open(ctx context.Context) (k kept, err error) {
	if k.store, err = persist.Open(ctx, t.Address); err != nil {
		return k, err
	}
	c := persist.Config{Policy: t.Policy, Bounded: t.Bounded, Msgpack: t.Msgpack}
	if k.store != nil {
		c.Store, k.counts = persist.Count(k.store)
	}
	k.Server, err = persist.NewServer(c)
	return k, err
}

func (k kept) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := k.Shutdown(ctx)
	if failed := k.Failed(); failed != nil {
		err = failed
	}
	if k.store != nil {
		if closed := k.store.Close(); err == nil {
			err = closed
		}
	}
	return err
}

// count is what the store was given so far, and how many transactions it made of that.
func (t task) count(k kept) (c persist.Counts, commits int64, err error) {
	if k.counts == nil {
		return c, 0, nil
	}
	c = k.counts.Counts()
	commits = c.Saves // one for each call
	if path, ok := strings.CutPrefix(t.Address, "sqlite:"); ok {
		n, err := persist.Commits(path)
		return c, int64(n), err
	}
	return c, commits, nil
}

// turns has callers within the process make turns in all rooms: what is measured is the room server and its store, and no
// sockets.
func turns(ctx context.Context, t task) (f figures, err error) {
	k, err := t.open(ctx)
	if err != nil {
		return f, err
	}
	refs := make([]*room.Ref, t.Rooms)
	for i := range refs {
		refs[i] = k.Room("bench", fmt.Sprintf("room-%d", i))
	}
	ask := func(ctx context.Context, caller, n int) error {
		body := persist.Body{TS: int64(n), N: n % 1000, OK: true, Tag: "mark"}
		_, err := room.Ask(ctx, refs[caller%t.Rooms], persist.Echo, body, room.Create())
		return err
	}
	f, err = t.drive(ctx, k, t.Rooms*t.Depth, ask)
	if closed := k.close(); err == nil {
		err = closed
	}
	return f, err
}

// large is the same with rooms of a megabyte, to which each turn adds a line.
func large(ctx context.Context, t task) (f figures, err error) {
	k, err := t.open(ctx)
	if err != nil {
		return f, err
	}
	refs := make([]*room.Ref, t.Rooms)
	for i := range refs {
		refs[i] = k.Room("log", fmt.Sprintf("room-%d", i))
	}
	ask := func(ctx context.Context, caller, n int) error {
		line := persist.Line{Text: persist.LineOf(persist.LargeBytes + n)}
		_, err := room.Ask(ctx, refs[caller%t.Rooms], persist.Append, line, room.Create())
		return err
	}
	f, err = t.drive(ctx, k, t.Rooms*t.Depth, ask)
	if closed := k.close(); err == nil {
		err = closed
	}
	return f, err
}

// drive has callers ask, each as soon as it is answered or at a rate, and reads the meters at both ends of the measurement.
func (t task) drive(ctx context.Context, k kept, callers int, ask func(ctx context.Context, caller, n int) error) (f figures, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	var done atomic.Int64
	var stopped, measuring atomic.Bool
	defer stopped.Store(true)
	var latency load.Histogram
	begin := time.Now()
	for c := range callers {
		running.Go(func() {
			for n := 0; !stopped.Load(); n++ {
				due := time.Now()
				if t.Rate > 0 {
					step := float64(time.Second) / t.Rate
					due = begin.Add(time.Duration(step * (float64(n) + float64(c)/float64(callers))))
					if wait(ctx, time.Until(due)) != nil {
						return
					}
				}
				if err := ask(context.WithoutCancel(ctx), c, n); err != nil {
					cancel(fmt.Errorf("turn %d of caller %d: %w", n, c, err))
					return
				}
				done.Add(1)
				if measuring.Load() {
					latency.Add(time.Since(due))
				}
			}
		})
	}
	if err := wait(ctx, t.Warm); err != nil {
		return f, err
	}
	first, before, err := t.read(k, &done)
	if err != nil {
		return f, err
	}
	measuring.Store(true)
	if err := t.profiled(func() error { return t.watch(ctx, &done) }); err != nil {
		return f, err
	}
	measuring.Store(false)
	last, after, err := t.read(k, &done)
	if err != nil {
		return f, err
	}
	n := float64(after.turns - before.turns)
	if err := f.between(first, last, n); err != nil {
		return f, err
	}
	f.P50, f.P99 = millis(latency.Quantile(0.5)), millis(latency.Quantile(0.99))
	took := last.at.Sub(first.at).Seconds()
	c := after.counts.Minus(before.counts)
	f.Saves, f.Batches, f.Bytes = float64(c.Saves)/took, float64(c.Batches)/took, float64(c.Bytes)/n
	f.Commits, f.Calls = float64(after.commits-before.commits)/took, float64(after.counts.Saves)
	return f, nil
}

// reading is what has happened so far.
type reading struct {
	turns   int64
	counts  persist.Counts
	commits int64
}

func (t task) read(k kept, turns *atomic.Int64) (m meter, r reading, err error) {
	if m, err = t.meter(); err != nil {
		return m, r, err
	}
	r.turns = turns.Load()
	r.counts, r.commits, err = t.count(k)
	return m, r, err
}
