package rooms

import (
	"context"
	"errors"
	"fmt"

	"github.com/gosocka/socka/store"
)

// Deleted is what Delete has done.
type Deleted struct {
	Gone    int64 // deleted
	Held    int64 // have an owner that lives, and were left
	Missing int64 // were not there
}

// Delete deletes rooms, each once, but none that an owner has that lives. left, unless nil, hears of each that is left, and why. tell,
// unless nil, hears of progress. With an error of the store, or when ctx ends, it stops; what it returns besides is what was done.
func Delete(ctx context.Context, s store.Store, keys []store.Key, left func(what, why string), tell func(Deleted)) (done Deleted, err error) {
	if left == nil {
		left = func(string, string) {}
	}
	o, work, err := join(ctx, s, "delete")
	if err != nil {
		return done, err
	}
	var batches []store.Batch
	flush := func() error {
		var first error
		for i, err := range o.save(ctx, batches) {
			switch {
			case err == nil:
				done.Gone++
			case first == nil:
				first = fmt.Errorf("deleting room %s: %w", batches[i].Key, err)
			}
		}
		batches = batches[:0]
		if tell != nil {
			tell(done)
		}
		return first
	}
	defer func() {
		if len(batches) > 0 {
			err = errors.Join(err, flush())
		}
		err = errors.Join(err, o.leave(ctx))
	}()
	seen := make(map[store.Key]bool, len(keys))
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		if work.Err() != nil {
			return done, context.Cause(work)
		}
		// Acquire would make a room that is not there.
		if _, err := s.Load(work, key); errors.Is(err, store.ErrNotFound) {
			done.Missing++
			left(key.String(), "is not there")
			continue
		} else if err != nil {
			return done, stopped(work, err)
		}
		r, err := s.Acquire(work, o.id, key)
		var held *store.HeldError
		switch {
		case errors.As(err, &held):
			done.Held++
			left(key.String(), heldBy(held.Owner))
			continue
		case err != nil:
			return done, stopped(work, err)
		}
		if batches = append(batches, store.Batch{Key: key, Epoch: r.Epoch, Number: 1, Then: store.Remove}); len(batches) == batchRooms {
			if err := flush(); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}
