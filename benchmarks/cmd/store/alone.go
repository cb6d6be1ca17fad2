package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/persist"
	"github.com/gosocka/socka/store"
)

// alone has the store save what EachTurn would, in calls of all rooms, one after the other: what is between bare and this is
// the store's, what is between this and turns is the room server's.
func alone(ctx context.Context, t task) (f figures, err error) {
	size, err := savedBytes(ctx)
	if err != nil {
		return f, err
	}
	kept, err := persist.Open(ctx, t.Address)
	if err != nil {
		return f, err
	}
	defer func() { err = closing(kept, err) }()
	owner, err := kept.Join(ctx, store.Owner{Addr: "benchmarks"}, 0)
	if err != nil {
		return f, err
	}
	batches := make([]store.Batch, t.Rooms)
	data := listsOf(0, t.Rooms, 1, size)[0]
	for i := range batches {
		key := store.Key{Kind: "bench", Name: fmt.Sprintf("room-%d", i)}
		r, err := kept.Acquire(ctx, owner.ID, key)
		if err != nil {
			return f, err
		}
		batches[i] = store.Batch{Key: key, Epoch: r.Epoch, Linger: -1, Put: []store.Part{{Name: "state", Data: data[i].data}}}
	}
	var number uint64
	save := func(until time.Time) (saves int, err error) {
		for ; time.Now().Before(until) && ctx.Err() == nil; saves++ {
			number++
			change(data, int(number))
			for i := range batches {
				batches[i].Number = number
			}
			for i, err := range kept.Save(ctx, batches) {
				if err != nil {
					return saves, fmt.Errorf("room %d: %w", i, err)
				}
			}
		}
		return saves, context.Cause(ctx)
	}
	if _, err := save(time.Now().Add(t.Warm)); err != nil {
		return f, err
	}
	first, err := t.meter()
	if err != nil {
		return f, err
	}
	saves := 0
	err = t.profiled(func() (err error) {
		saves, err = save(first.at.Add(t.Measure))
		return err
	})
	if err != nil {
		return f, err
	}
	last, err := t.meter()
	if err != nil {
		return f, err
	}
	if err := f.between(first, last, float64(saves*t.Rooms)); err != nil {
		return f, err
	}
	f.Commits, f.Calls, f.Bytes = float64(saves)/last.at.Sub(first.at).Seconds(), float64(number), float64(size)
	return f, kept.Leave(ctx, owner.ID)
}
