package persist

import (
	"context"
	"sync/atomic"

	"github.com/gosocka/socka/store"
)

// Counts are what a store was asked to save.
type Counts struct {
	Saves   int64 // calls of Save
	Batches int64 // rooms in them
	Bytes   int64 // of values and records, without names
}

// Minus is what came since earlier counts.
func (c Counts) Minus(earlier Counts) Counts {
	return Counts{c.Saves - earlier.Saves, c.Batches - earlier.Batches, c.Bytes - earlier.Bytes}
}

// Counter counts what goes to the store within.
type Counter struct {
	store.Store
	saves, batches, bytes atomic.Int64
}

// Count wraps a store, and keeps it a [store.Notifier] if it is one.
func Count(s store.Store) (store.Store, *Counter) {
	c := &Counter{Store: s}
	if n, ok := s.(store.Notifier); ok {
		return struct {
			*Counter
			store.Notifier
		}{c, n}, c
	}
	return c, c
}

// Save is part of [store.Store].
func (c *Counter) Save(ctx context.Context, batches []store.Batch) []error {
	bytes := 0
	for i := range batches {
		for k := range batches[i].Put {
			bytes += len(batches[i].Put[k].Data)
		}
		for k := range batches[i].Append {
			bytes += len(batches[i].Append[k].Data)
		}
	}
	c.saves.Add(1)
	c.batches.Add(int64(len(batches)))
	c.bytes.Add(int64(bytes))
	return c.Store.Save(ctx, batches)
}

// Counts are those so far.
func (c *Counter) Counts() Counts {
	return Counts{c.saves.Load(), c.batches.Load(), c.bytes.Load()}
}
