package storefault_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
)

func Example() {
	ctx := context.Background()
	s := storefault.Wrap(store.NewMemory())
	owner, _ := s.Join(ctx, store.Owner{Addr: "127.0.0.1:1"}, 0)
	room, _ := s.Acquire(ctx, owner.ID, store.Key{Kind: "chat", Name: "lobby"})
	save := func(state string) error {
		return errors.Join(s.Save(ctx, []store.Batch{{
			Key: room.Key, Epoch: room.Epoch, Put: []store.Part{{Name: "state", Data: []byte(state)}},
		}})...)
	}
	state := func() string {
		r, err := s.Load(ctx, room.Key)
		if err != nil {
			return err.Error()
		}
		return string(r.Parts["state"])
	}

	fmt.Println(save("one"), state())

	// The next save is done, and says that it was not.
	s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.FailAfter, Times: 1})
	fmt.Println(save("two"))
	fmt.Println(state())

	// The store is away, and comes back.
	away := s.Inject(storefault.Fault{})
	fmt.Println(save("three"))
	away.Release()
	fmt.Println(state())

	s.Crash(storefault.Lost)
	fmt.Println(state())
	// Output:
	// <nil> one
	// storefault: Save, fail after: storefault: injected
	// two
	// storefault: Save, fail: storefault: injected
	// two
	// storefault: crashed
}
