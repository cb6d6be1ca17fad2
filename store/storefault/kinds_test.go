package storefault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
)

func TestFailHitsWhatItSays(t *testing.T) {
	mine := errors.New("mine")
	for _, on := range []storefault.Op{
		0, storefault.Save, storefault.Join, storefault.Renew, storefault.Leave, storefault.Owners, storefault.Acquire, storefault.Due,
		storefault.List, storefault.Load, storefault.Notify, storefault.Writes, storefault.Reads, storefault.Save | storefault.Load,
	} {
		in(t, 1, func(w *world) {
			want := storefault.ErrInjected
			if on&storefault.Save != 0 {
				want = mine
			}
			i := w.s.Inject(storefault.Fault{On: on, Err: map[bool]error{true: mine}[want == mine]})
			hits := 0
			for op, do := range w.calls() {
				err := do(w.Context())
				if hit := on == 0 || on&op != 0; hit != errors.Is(err, want) || !hit && err != nil {
					w.Errorf("a fault on %b, a call %b: error %v", on, op, err)
				} else if hit {
					hits++
				}
			}
			if got := i.Hits(); got != hits || hits == 0 {
				w.Errorf("a fault on %b: %d hits, want %d", on, got, hits)
			}
			i.Release()
			i.Release()
			for op, do := range w.calls() {
				if err := do(w.Context()); err != nil {
					w.Errorf("after Release, a call %b: error %v", op, err)
				}
			}
		})
	}
}

func TestFailDoesNothing(t *testing.T) {
	in(t, 2, func(w *world) {
		w.save(w.Context(), "a", 0, 1)
		w.s.Inject(storefault.Fault{})
		errs := w.save(w.Context(), "b", 0, 1)
		if len(errs) != 2 || !errors.Is(errs[0], storefault.ErrInjected) || !errors.Is(errs[1], storefault.ErrInjected) {
			w.Errorf("Save: %v, want an error for each batch", errs)
		}
		w.wantState(0, "a")
		w.wantState(1, "a")
		if r, err := w.s.Acquire(w.Context(), w.owner.ID, w.rooms[0].Key); err == nil {
			w.Errorf("Acquire: %+v", r)
		}
		w.s.Heal()
		if errs := w.save(w.Context(), "c", 0, 1); errors.Join(errs...) != nil {
			w.Errorf("Save after Heal: %v", errs)
		}
	})
}

func TestSkipTimesAndRoom(t *testing.T) {
	in(t, 2, func(w *world) {
		i := w.s.Inject(storefault.Fault{On: storefault.Save, Room: w.rooms[1].Key, Skip: 2, Times: 3})
		var got []bool
		for range 8 {
			if errs := w.save(w.Context(), "a", 0); errs[0] != nil {
				w.Errorf("Save of another room: %v", errs)
			}
			got = append(got, w.save(w.Context(), "b", 0, 1)[0] == nil)
		}
		if want := []bool{true, true, false, false, false, true, true, true}; !slices.Equal(got, want) || i.Hits() != 3 {
			w.Errorf("saves that came through: %v, want %v; %d hits", got, want, i.Hits())
		}
	})
}

func TestFailAfterHasDoneIt(t *testing.T) {
	in(t, 1, func(w *world) {
		w.s.Inject(storefault.Fault{Kind: storefault.FailAfter})
		if errs := w.save(w.Context(), "a", 0); !errors.Is(errs[0], storefault.ErrInjected) {
			w.Errorf("Save: %v", errs)
		}
		w.wantState(0, "a")
		if r, err := w.s.Acquire(w.Context(), w.owner.ID, w.rooms[0].Key); r != nil || !errors.Is(err, storefault.ErrInjected) {
			w.Errorf("Acquire: %+v, error %v", r, err)
		}
		if r, err := w.witness.Load(w.Context(), w.rooms[0].Key); err != nil || r.Epoch <= w.rooms[0].Epoch {
			w.Errorf("the room was not acquired: %+v, error %v", r, err)
		}
		if list, err := w.s.List(w.Context(), "", store.Key{}, 1); list != nil || err == nil {
			w.Errorf("List: %v, error %v", list, err)
		}
	})
}

func TestSlow(t *testing.T) {
	in(t, 1, func(w *world) {
		w.s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Slow, Delay: time.Minute})
		w.s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Slow, Delay: time.Hour})
		start := time.Now()
		if errs := w.save(w.Context(), "a", 0); errs[0] != nil {
			w.Errorf("Save: %v", errs)
		}
		if d := time.Since(start); d != time.Hour+time.Minute {
			w.Errorf("it took %v, want both delays", d)
		}
		w.wantState(0, "a")
		jitter := w.s.Inject(storefault.Fault{On: storefault.Renew, Kind: storefault.Slow, Delay: time.Second, Jitter: time.Second})
		took := make(map[time.Duration]bool)
		for range 20 {
			start := time.Now()
			if err := w.s.Renew(w.Context(), w.owner.ID); err != nil {
				w.Errorf("Renew: %v", err)
			}
			d := time.Since(start)
			took[d] = true
			if d < time.Second || d >= 2*time.Second {
				w.Errorf("Renew took %v", d)
			}
		}
		if len(took) < 10 {
			w.Errorf("20 calls took as long as this: %v", took)
		}
		jitter.Release()
		// What is given up while it waits is not done.
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		if errs := w.save(ctx, "b", 0); !errors.Is(errs[0], context.DeadlineExceeded) {
			w.Errorf("Save: %v", errs)
		}
		w.wantState(0, "a")
		// A fault of another kind comes after its own delay.
		w.s.Heal()
		w.s.Inject(storefault.Fault{On: storefault.Load, Delay: time.Minute})
		start = time.Now()
		if _, err := w.s.Load(w.Context(), w.rooms[0].Key); !errors.Is(err, storefault.ErrInjected) || time.Since(start) != time.Minute {
			w.Errorf("Load: error %v after %v", err, time.Since(start))
		}
	})
}

func TestHold(t *testing.T) {
	in(t, 2, func(w *world) {
		held := w.s.Inject(storefault.Fault{Room: w.rooms[0].Key, Kind: storefault.Hold})
		done := make(chan error, 2)
		go func() { done <- errors.Join(w.save(w.Context(), "a", 0)...) }()
		ctx, cancel := context.WithCancel(w.Context())
		given := make(chan error, 1)
		go func() {
			_, err := w.s.Load(ctx, w.rooms[0].Key)
			given <- err
		}()
		synctest.Wait()
		if held.Hits() != 2 || len(done) != 0 || len(given) != 0 {
			w.Fatalf("%d calls are held, %d and %d have returned", held.Hits(), len(done), len(given))
		}
		w.wantState(0, "")
		if errs := w.save(w.Context(), "b", 1); errs[0] != nil {
			w.Errorf("Save of another room: %v", errs)
		}
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) {
			w.Errorf("Load, given up: %v", err)
		}
		held.Release()
		if err := <-done; err != nil {
			w.Errorf("Save, released: %v", err)
		}
		w.wantState(0, "a")
	})
}

func TestHang(t *testing.T) {
	in(t, 1, func(w *world) {
		w.s.Inject(storefault.Fault{On: storefault.Save | storefault.Notify, Kind: storefault.Hang})
		ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		errs := w.save(ctx, "a", 0)
		if !errors.Is(errs[0], context.DeadlineExceeded) || time.Since(start) != time.Minute {
			w.Errorf("Save: %v after %v", errs, time.Since(start))
		}
		w.wantState(0, "")
		done := make(chan error, 2)
		go func() { done <- errors.Join(w.save(w.Context(), "b", 0)...) }()
		go func() { done <- w.s.Notify(w.Context(), func() { w.Error("f is called") }) }()
		synctest.Wait()
		w.s.Heal() // does not help those that hang
		synctest.Wait()
		if len(done) != 0 {
			w.Fatal("a call that hangs has returned")
		}
		if err := w.s.Close(); err != nil {
			w.Errorf("Close: %v", err)
		}
		for range 2 {
			if err := <-done; !errors.Is(err, store.ErrClosed) {
				w.Errorf("a call that hung, after Close: %v", err)
			}
		}
		w.wantState(0, "")
	})
}

func TestLate(t *testing.T) {
	in(t, 3, func(w *world) {
		late := w.s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Late, Times: 3})
		b := w.batches("late", 0)
		b[0].Number = 1
		errs := w.s.Save(w.Context(), b)
		copy(b[0].Put[0].Data, "mine") // the batches are the caller's again
		b[0].Put[0].Name = "mine"
		errs = append(errs, w.save(w.Context(), "first", 1)...)
		ctx, cancel := context.WithCancel(w.Context())
		errs = append(errs, w.save(ctx, "second", 1, 2)...)
		cancel() // nobody waits for it any more
		for _, err := range errs {
			if !errors.Is(err, storefault.ErrInjected) {
				w.Errorf("a late Save: %v", err)
			}
		}
		for i := range w.rooms {
			w.wantState(i, "")
		}
		late.Release()
		w.wantState(0, "late")
		w.wantState(1, "second")
		w.wantState(2, "second")
	})
}

// What arrives when a later batch has been carried out, or under an epoch that is over, undoes nothing.
func TestLateAndOverrun(t *testing.T) {
	in(t, 2, func(w *world) {
		late := w.s.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Late, Times: 2})
		b := w.batches("late", 0)
		b[0].Number = 1
		w.s.Save(w.Context(), b)
		w.save(w.Context(), "late", 1)
		b = w.batches("later", 0)
		b[0].Number = 2
		if errs := w.s.Save(w.Context(), b); errs[0] != nil {
			w.Errorf("Save: %v", errs)
		}
		if _, err := w.s.Acquire(w.Context(), w.owner.ID, w.rooms[1].Key); err != nil {
			w.Error(err)
		}
		late.Release()
		w.wantState(0, "later")
		w.wantState(1, "")
		for _, want := range []string{store.ErrStale.Error(), store.ErrFenced.Error()} {
			if !strings.Contains(w.s.Log(), want) {
				w.Errorf("the log does not say %q", want)
			}
		}
	})
}

func TestLateOfOtherWrites(t *testing.T) {
	in(t, 1, func(w *world) {
		late := w.s.Inject(storefault.Fault{Kind: storefault.Late})
		for op, do := range w.calls() {
			if err := do(w.Context()); !errors.Is(err, storefault.ErrInjected) {
				w.Errorf("a late call %b: error %v", op, err)
			}
		}
		if err := w.s.Leave(w.Context(), w.owner.ID); !errors.Is(err, storefault.ErrInjected) {
			w.Errorf("a late Leave: error %v", err)
		}
		owners := func() (ids []store.OwnerID) {
			list, err := w.witness.Owners(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			for _, o := range list {
				ids = append(ids, o.ID)
			}
			return ids
		}
		if got := owners(); len(got) != 1 || got[0] != w.owner.ID {
			w.Errorf("owners before Release: %v", got)
		}
		late.Release()
		// One has joined, the first has left.
		if got := owners(); len(got) != 1 || got[0] == w.owner.ID {
			w.Errorf("owners after Release: %v", got)
		}
	})
}

func TestTear(t *testing.T) {
	for _, kind := range []storefault.Kind{storefault.Tear, storefault.TearBlind} {
		in(t, 4, func(w *world) {
			w.s.Inject(storefault.Fault{Kind: kind, Apply: func(b *store.Batch) bool { return b.Key.Name >= "2" }})
			if _, err := w.s.Owners(w.Context()); err != nil {
				w.Errorf("%v hit Owners: %v", kind, err)
			}
			b := w.batches("a", 3, 0, 2, 1)
			b[2].Epoch--
			errs := w.s.Save(w.Context(), b)
			if len(errs) != 4 {
				w.Fatalf("Save of 4 batches returned %v", errs)
			}
			for i, want := range []error{nil, storefault.ErrInjected, store.ErrFenced, storefault.ErrInjected} {
				if kind == storefault.TearBlind {
					want = storefault.ErrInjected
				}
				if !errors.Is(errs[i], want) {
					w.Errorf("%v, batch %d: error %v, want %v", kind, i, errs[i], want)
				}
			}
			for i, want := range []string{"", "", "", "a"} {
				w.wantState(i, want)
			}
		})
	}
}

func TestTearAtRandom(t *testing.T) {
	in(t, 5, func(w *world) {
		w.s.Inject(storefault.Fault{Kind: storefault.Tear})
		seen := make(map[string]bool)
		for round := range 50 {
			state := fmt.Sprint(round)
			var done strings.Builder
			for i, err := range w.save(w.Context(), state, 0, 1, 2, 3, 4) {
				if applied := w.state(i) == state; applied != (err == nil) {
					w.Errorf("batch %d, applied %v: error %v", i, applied, err)
				}
				fmt.Fprint(&done, err == nil, " ")
			}
			if n := strings.Count(done.String(), "true"); n == 0 || n == 5 {
				w.Errorf("%d of 5 batches were applied", n)
			}
			seen[done.String()] = true
		}
		if len(seen) < 10 {
			w.Errorf("50 torn saves were torn in %d ways: %v", len(seen), seen)
		}
	})
}
