package storefault_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
	"github.com/gosocka/socka/store/storetest"
)

func TestWithoutFaultsItIsAStore(t *testing.T) {
	advance := func(_ *testing.T, d time.Duration) { time.Sleep(d) }
	storetest.RunVirtual(t, func(*testing.T) storetest.Harness {
		root := store.NewMemory()
		return storetest.Harness{Advance: advance, Open: func(*testing.T) store.Store { return storefault.Wrap(root.Open()) }}
	})
}

// A store that cannot tell makes a notifier that asks.
func TestOverAStoreThatIsNoNotifier(t *testing.T) {
	type mute struct{ store.Store }
	advance := func(_ *testing.T, d time.Duration) { time.Sleep(d) }
	storetest.RunVirtual(t, func(*testing.T) storetest.Harness {
		root := store.NewMemory()
		return storetest.Harness{Advance: advance, Open: func(*testing.T) store.Store { return storefault.Wrap(mute{root.Open()}) }}
	})
}

// world is a memory store, a handle on it with faults, and one without, which sees what was done.
type world struct {
	*testing.T
	s       *storefault.Store
	witness store.Store
	owner   store.Owner
	rooms   []*store.Room
}

// in runs a test in a bubble, in a world with some rooms.
func in(t *testing.T, rooms int, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		root := store.NewMemory()
		w := &world{T: t, s: storefault.Wrap(root.Open()), witness: root}
		var err error
		if w.owner, err = w.s.Join(t.Context(), store.Owner{Addr: "127.0.0.1:1"}, time.Hour); err != nil {
			t.Fatal(err)
		}
		for i := range rooms {
			r, err := w.s.Acquire(t.Context(), w.owner.ID, store.Key{Kind: "chat", Name: fmt.Sprint(i)})
			if err != nil {
				t.Fatal(err)
			}
			w.rooms = append(w.rooms, r)
		}
		f(w)
		if t.Failed() {
			t.Log(w.s.Log())
		}
		if err := w.s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// batches makes a batch that sets the state of each of some rooms.
func (w *world) batches(state string, rooms ...int) []store.Batch {
	var list []store.Batch
	for _, i := range rooms {
		list = append(list, store.Batch{
			Key: w.rooms[i].Key, Epoch: w.rooms[i].Epoch, Put: []store.Part{{Name: "state", Data: []byte(state)}},
		})
	}
	return list
}

func (w *world) save(ctx context.Context, state string, rooms ...int) []error {
	return w.s.Save(ctx, w.batches(state, rooms...))
}

// state is what the witness sees, "" for a room that was not saved.
func (w *world) state(room int) string {
	w.Helper()
	r, err := w.witness.Load(w.Context(), w.rooms[room].Key)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		w.Fatal(err)
	}
	return string(r.Parts["state"])
}

func (w *world) wantState(room int, want string) {
	w.Helper()
	if got := w.state(room); got != want {
		w.Errorf("room %d has %q, want %q", room, got, want)
	}
}

// calls has a call of every method that can fail, of the first room.
func (w *world) calls() map[storefault.Op]func(ctx context.Context) error {
	k := w.rooms[0].Key
	return map[storefault.Op]func(ctx context.Context) error{
		storefault.Join:   func(ctx context.Context) error { _, err := w.s.Join(ctx, store.Owner{}, 0); return err },
		storefault.Renew:  func(ctx context.Context) error { return w.s.Renew(ctx, w.owner.ID) },
		storefault.Leave:  func(ctx context.Context) error { return w.s.Leave(ctx, "nobody") },
		storefault.Owners: func(ctx context.Context) error { _, err := w.s.Owners(ctx); return err },
		storefault.Acquire: func(ctx context.Context) error {
			r, err := w.s.Acquire(ctx, w.owner.ID, k)
			if err == nil {
				w.rooms[0] = r
			}
			return err
		},
		storefault.Save: func(ctx context.Context) error { return errors.Join(w.save(ctx, "x", 0)...) },
		storefault.Due:  func(ctx context.Context) error { _, _, err := w.s.Due(ctx, time.Now(), 1); return err },
		storefault.List: func(ctx context.Context) error { _, err := w.s.List(ctx, "", store.Key{}, 1); return err },
		storefault.Load: func(ctx context.Context) error {
			if _, err := w.s.Load(ctx, k); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		},
		storefault.Notify: func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			if err := w.s.Notify(ctx, func() {}); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return nil
		},
	}
}

func TestChanceIsTheSameForTheSameSeed(t *testing.T) {
	run := func(seed uint64) (got string) {
		in(t, 2, func(w *world) {
			w.s.Seed(seed)
			w.s.Inject(storefault.Fault{On: storefault.Save, Odds: 0.3})
			w.s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.TearBlind, Odds: 0.3})
			hits := 0
			for i := range 200 {
				if errs := w.save(w.Context(), fmt.Sprint(i), 0, 1); errs[0] != nil {
					hits++
				}
				got += w.state(0) + w.state(1) + " "
			}
			// 0.3 + 0.7 × 0.3 = 0.51
			if hits < 70 || hits > 134 {
				w.Errorf("%d of 200 saves were hit", hits)
			}
		})
		return got
	}
	first := run(7)
	if run(7) != first {
		t.Error("one seed, two results")
	}
	if run(8) == first {
		t.Error("two seeds, one result")
	}
}

func TestLog(t *testing.T) {
	in(t, 6, func(w *world) {
		w.s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.FailAfter, Skip: 1, Times: 1, Delay: time.Second})
		w.save(w.Context(), "a", 0)
		w.save(w.Context(), "b", 0, 1, 2, 3, 4, 5)
		b := w.batches("c", 5)
		b[0].Then, b[0].Number = store.Remove, 3
		w.s.Save(w.Context(), b)
		_, _ = w.s.Load(w.Context(), w.rooms[5].Key)
		lines := strings.Split(strings.TrimSuffix(w.s.Log(), "\n"), "\n")
		e := func(i int) string { return fmt.Sprint(w.rooms[i].Epoch) }
		want := []string{
			"0s Save(chat/0 " + e(0) + "#0) done: <nil>",
			"1s Save(chat/0 " + e(0) + "#0, chat/1 " + e(1) + "#0, chat/2 " + e(2) + "#0, chat/3 " + e(3) +
				"#0, and 2 more) done (<nil>), told otherwise: storefault: Save, fail after: storefault: injected",
			"1s Save(chat/5 " + e(5) + "#3 remove) done: <nil>",
			"1s Load(chat/5) done: store: no such room: chat/5",
		}
		if len(lines) != 7+len(want) {
			w.Fatalf("the log has %d lines, want %d:\n%s", len(lines), 7+len(want), w.s.Log())
		}
		for i, line := range lines[7:] {
			if line != want[i] {
				w.Errorf("line %d:\n%s\nwant\n%s", i, line, want[i])
			}
		}
		for i := range 1500 {
			_ = w.s.Renew(w.Context(), store.OwnerID(fmt.Sprint(i)))
		}
		lines = strings.Split(strings.TrimSuffix(w.s.Log(), "\n"), "\n")
		if len(lines) != 1001 || lines[0] != "(511 lines before)" ||
			!strings.Contains(lines[1], "Renew(500) ") || !strings.Contains(lines[1000], "Renew(1499) ") {
			w.Errorf("a long log has %d lines, from\n%s\n%s\nto\n%s", len(lines), lines[0], lines[1], lines[len(lines)-1])
		}
	})
}

func TestCloseEndsFaults(t *testing.T) {
	in(t, 1, func(w *world) {
		w.s.Inject(storefault.Fault{})
		if err := w.s.Close(); err != nil {
			w.Errorf("Close: %v", err)
		}
		for op, do := range w.calls() {
			if err := do(w.Context()); !errors.Is(err, store.ErrClosed) {
				w.Errorf("a call %b after Close: error %v, want that of the store", op, err)
			}
		}
	})
}
