package rooms

import (
	"context"
	"iter"

	"github.com/gosocka/socka/store"
)

// pageSize is how many rooms are asked for at once.
const pageSize = 500

// All goes through the rooms of a kind, or with kind "" of all, after a key, as they are when they are come to. An error is the
// last thing that it yields.
func All(ctx context.Context, s store.Store, kind string, after store.Key) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for {
			page, err := s.List(ctx, kind, after, pageSize)
			if err != nil {
				yield(store.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}

// Owners are the owners of a store that live, by their id.
type Owners map[store.OwnerID]store.Owner

// LiveOwners asks a store for them.
func LiveOwners(ctx context.Context, s store.Store) (Owners, error) {
	list, err := s.Owners(ctx)
	if err != nil {
		return nil, err
	}
	live := make(Owners, len(list))
	for _, o := range list {
		live[o.ID] = o
	}
	return live, nil
}
