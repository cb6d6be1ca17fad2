package main

import (
	"context"
	"encoding/json"
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

// writer writes values of rooms, all of one call in one transaction, as durably as the store does.
type writer interface {
	// write has lists of values, in each at most one of a room.
	write(ctx context.Context, lists [][]value) error
	close() error
}

// value is what is written of a room.
type value struct {
	key  string
	data []byte
}

// bare is the least that a program could do: as many values as turns are under way in the measurement that it stands beside,
// each as long as what a turn saves, are put into a table by key in one transaction after the other. Nobody waits for an
// answer and nothing is checked.
func bare(ctx context.Context, t task) (f figures, err error) {
	size, err := savedBytes(ctx)
	if err != nil {
		return f, err
	}
	writers := make([]writer, t.Writers)
	for i := range writers {
		if path, ok := strings.CutPrefix(t.Address, "sqlite:"); ok {
			writers[i], err = openBareSQLite(path)
		} else {
			writers[i], err = openBarePostgres(ctx, t.Address, i == 0)
		}
		if err != nil {
			return f, err
		}
	}
	defer func() {
		for _, w := range writers {
			if closed := w.close(); err == nil {
				err = closed
			}
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(nil)
	var values, commits atomic.Int64
	var measuring, stopped atomic.Bool
	defer stopped.Store(true)
	var latency load.Histogram
	for i, w := range writers {
		running.Go(func() {
			lists := listsOf(t.Rooms*i/t.Writers, t.Rooms*(i+1)/t.Writers, t.Depth, size)
			for n := 0; !stopped.Load(); n++ {
				for _, list := range lists {
					change(list, n)
				}
				start := time.Now()
				if err := w.write(ctx, lists); err != nil {
					cancel(err)
					return
				}
				values.Add(int64(len(lists) * len(lists[0])))
				commits.Add(1)
				if measuring.Load() {
					latency.Add(time.Since(start))
				}
			}
		})
	}
	if err := wait(ctx, t.Warm); err != nil {
		return f, err
	}
	first, err := t.meter()
	if err != nil {
		return f, err
	}
	valuesBefore, commitsBefore := values.Load(), commits.Load()
	measuring.Store(true)
	if err := t.profiled(func() error { return t.watch(ctx, &values) }); err != nil {
		return f, err
	}
	last, err := t.meter()
	if err != nil {
		return f, err
	}
	n := float64(values.Load() - valuesBefore)
	if err := f.between(first, last, n); err != nil {
		return f, err
	}
	f.Commits = float64(commits.Load()-commitsBefore) / last.at.Sub(first.at).Seconds()
	f.P50, f.P99 = millis(latency.Quantile(0.5)), millis(latency.Quantile(0.99))
	f.Bytes, f.Calls = float64(size), float64(commits.Load())
	return f, nil
}

// listsOf makes depth lists of a value for each of the rooms from to.
func listsOf(from, to, depth, size int) (lists [][]value) {
	for range depth {
		var list []value
		for r := from; r < to; r++ {
			list = append(list, value{fmt.Sprintf("bench/room-%d", r), []byte(strings.Repeat("x", size))})
		}
		lists = append(lists, list)
	}
	return lists
}

// change makes other values of them.
func change(list []value, n int) {
	for i := range list {
		copy(list[i].data, fmt.Sprintf("%016d", n))
	}
}

// savedBytes is how long what a turn saves is, in a room that has had a turn.
func savedBytes(ctx context.Context) (int, error) {
	kept, counter := persist.Count(store.NewMemory())
	server, err := persist.NewServer(persist.Config{Store: kept, Policy: "eachturn"})
	if err != nil {
		return 0, err
	}
	defer func() { _ = server.Shutdown(ctx) }()
	var last int64
	for range 2 {
		before := counter.Counts().Bytes
		if _, err := room.Ask(ctx, server.Room("bench", "one"), persist.Echo, persist.Body{TS: 1, Tag: "mark"}, room.Create()); err != nil {
			return 0, err
		}
		last = counter.Counts().Bytes - before
	}
	if last < persist.StateBytes {
		text, _ := json.Marshal(persist.Body{})
		return 0, fmt.Errorf("a turn with %s saved %d bytes, want at least %d", text, last, persist.StateBytes)
	}
	return int(last), nil
}
