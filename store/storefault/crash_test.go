package storefault_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
)

func TestCrashFailsAllCalls(t *testing.T) {
	in(t, 1, func(w *world) {
		w.save(w.Context(), "a", 0)
		before, err := w.witness.Load(w.Context(), w.rooms[0].Key)
		if err != nil {
			w.Fatal(err)
		}
		w.s.Crash(storefault.Applied)
		w.s.Crash(storefault.Lost)
		for op, do := range w.calls() {
			if err := do(w.Context()); !errors.Is(err, storefault.ErrCrashed) {
				w.Errorf("a call %b after the crash: error %v", op, err)
			}
		}
		after, err := w.witness.Load(w.Context(), w.rooms[0].Key)
		if err != nil || after.Epoch != before.Epoch || after.Owner != w.owner.ID || string(after.Parts["state"]) != "a" {
			w.Errorf("after the crash the room is %+v (%v), before it was %+v", after, err, before)
		}
		// The owner is dead as any that stops renewing: its rooms can be had when its lease has ended.
		taker, err := w.witness.Join(w.Context(), store.Owner{}, 0)
		if err != nil {
			w.Fatal(err)
		}
		var held *store.HeldError
		if _, err := w.witness.Acquire(w.Context(), taker.ID, w.rooms[0].Key); !errors.As(err, &held) {
			w.Errorf("Acquire right after the crash: error %v, want a *HeldError", err)
		}
		time.Sleep(2 * time.Hour)
		if _, err := w.witness.Acquire(w.Context(), taker.ID, w.rooms[0].Key); err != nil {
			w.Errorf("Acquire after the lapse: %v", err)
		}
	})
}

// crashed makes 40 saves of three rooms, of which each waits, for various reasons, when the crash comes, and returns how
// many rooms were saved.
func crashed(t *testing.T, fate storefault.Fate) (saved, torn int) {
	const saves = 40
	in(t, 3*saves, func(w *world) {
		w.s.Inject(storefault.Fault{Room: w.rooms[0].Key, Kind: storefault.Hang})
		w.s.Inject(storefault.Fault{Room: w.rooms[3].Key, Kind: storefault.Slow, Delay: time.Hour})
		w.s.Inject(storefault.Fault{Kind: storefault.Hold})
		done := make(chan error, saves+1)
		for i := range saves {
			go func() {
				for _, err := range w.save(w.Context(), "a", 3*i, 3*i+1, 3*i+2) {
					if !errors.Is(err, storefault.ErrCrashed) {
						w.Errorf("Save under way in the crash: %v", err)
					}
				}
				done <- nil
			}()
		}
		go func() {
			_, err := w.s.Load(w.Context(), w.rooms[0].Key)
			done <- err
		}()
		synctest.Wait()
		w.s.Crash(fate)
		count := func() (saved, torn int) {
			for i := range saves {
				n := 0
				for room := 3 * i; room < 3*i+3; room++ {
					if w.state(room) == "a" {
						n++
					}
				}
				saved += n
				if n == 1 || n == 2 {
					torn++
				}
			}
			return saved, torn
		}
		saved, torn = count()
		failed := 0
		for range saves + 1 {
			if err := <-done; err != nil {
				if failed++; !errors.Is(err, storefault.ErrCrashed) {
					w.Errorf("Load under way in the crash: %v", err)
				}
			}
		}
		if failed != 1 {
			w.Errorf("%d reads failed, want one", failed)
		}
		w.s.Heal()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if later, _ := count(); later != saved {
			w.Errorf("%d rooms were saved when Crash returned, and %d later: it was not over", saved, later)
		}
	})
	return saved, torn
}

func TestCrashFates(t *testing.T) {
	if saved, _ := crashed(t, storefault.Lost); saved != 0 {
		t.Errorf("Lost: %d rooms were saved", saved)
	}
	if saved, _ := crashed(t, storefault.Applied); saved != 120 {
		t.Errorf("Applied: %d rooms were saved, want all 120", saved)
	}
	if saved, torn := crashed(t, storefault.Either); saved < 30 || saved > 90 || torn < 10 {
		t.Errorf("Either: %d of 120 rooms were saved, %d of 40 saves torn", saved, torn)
	}
}

func TestCrashOfOtherWrites(t *testing.T) {
	joined := func(fate storefault.Fate) (n int) {
		in(t, 0, func(w *world) {
			w.s.Inject(storefault.Fault{Kind: storefault.Hang})
			var wg sync.WaitGroup
			for range 40 {
				wg.Go(func() {
					if _, err := w.s.Join(w.Context(), store.Owner{}, 0); !errors.Is(err, storefault.ErrCrashed) {
						w.Errorf("Join: %v", err)
					}
				})
			}
			synctest.Wait()
			w.s.Crash(fate)
			wg.Wait()
			list, err := w.witness.Owners(w.Context())
			if err != nil {
				w.Fatal(err)
			}
			n = len(list) - 1
		})
		return n
	}
	if n := joined(storefault.Lost); n != 0 {
		t.Errorf("Lost: %d joined", n)
	}
	if n := joined(storefault.Applied); n != 40 {
		t.Errorf("Applied: %d joined, want 40", n)
	}
	if n := joined(storefault.Either); n < 8 || n > 32 {
		t.Errorf("Either: %d of 40 joined", n)
	}
}

// slowStore is a store whose saves take until they are told to go on.
type slowStore struct {
	store.Store
	goOn chan struct{}
}

func (s slowStore) Save(ctx context.Context, batches []store.Batch) []error {
	<-s.goOn
	return s.Store.Save(ctx, batches)
}

// What the store has got takes its course, and Crash and Close wait for it.
func TestCrashAndCloseWaitForTheStore(t *testing.T) {
	for name, end := range map[string]struct {
		call func(*storefault.Store)
		want error
	}{
		"Crash": {func(s *storefault.Store) { s.Crash(storefault.Lost) }, storefault.ErrCrashed},
		"Close": {func(s *storefault.Store) { _ = s.Close() }, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := store.NewMemory()
			slow := slowStore{Store: m.Open(), goOn: make(chan struct{})}
			s := storefault.Wrap(slow)
			o, err := s.Join(t.Context(), store.Owner{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Acquire(t.Context(), o.ID, store.Key{Kind: "chat", Name: "one"})
			if err != nil {
				t.Fatal(err)
			}
			result, over := make(chan []error, 1), make(chan struct{})
			go func() {
				result <- s.Save(t.Context(), []store.Batch{{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state"}}}})
			}()
			synctest.Wait()
			go func() {
				end.call(s)
				close(over)
			}()
			synctest.Wait()
			select {
			case <-over:
				t.Errorf("%s has returned while the store was at work", name)
			default:
			}
			close(slow.goOn)
			<-over
			if errs := <-result; !errors.Is(errs[0], end.want) {
				t.Errorf("%s: Save returned %v, want %v", name, errs, end.want)
			}
			if _, err := m.Load(t.Context(), r.Key); err != nil {
				t.Errorf("%s: what the store had got was lost: %v", name, err)
			}
		})
	}
}

func TestCrashEndsNotify(t *testing.T) {
	in(t, 1, func(w *world) {
		done := make(chan error, 1)
		calls := make(chan struct{}, 100)
		go func() { done <- w.s.Notify(w.Context(), func() { calls <- struct{}{} }) }()
		<-calls
		w.s.Crash(storefault.Lost)
		if err := <-done; !errors.Is(err, storefault.ErrCrashed) {
			w.Errorf("Notify returned %v", err)
		}
		if _, err := w.witness.Join(w.Context(), store.Owner{}, 0); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		if len(calls) != 0 {
			w.Error("f was called after the crash")
		}
	})
}

func TestFailEndsNotify(t *testing.T) {
	in(t, 1, func(w *world) {
		done := make(chan error, 2)
		for range 2 {
			go func() { done <- w.s.Notify(w.Context(), func() {}) }()
		}
		synctest.Wait()
		w.s.Inject(storefault.Fault{Room: w.rooms[0].Key})
		w.s.Inject(storefault.Fault{On: storefault.Save})
		w.s.Inject(storefault.Fault{Kind: storefault.Hang, Times: 1})
		synctest.Wait()
		if len(done) != 0 {
			w.Fatalf("Notify returned %v because of a fault that is not its", <-done)
		}
		cut := w.s.Inject(storefault.Fault{On: storefault.Notify, Times: 1})
		if err := <-done; !errors.Is(err, storefault.ErrInjected) || cut.Hits() != 1 {
			w.Errorf("Notify returned %v; %d hits", err, cut.Hits())
		}
		synctest.Wait()
		if len(done) != 0 {
			w.Error("a fault for one call ended both")
		}
		w.s.Inject(storefault.Fault{})
		if err := <-done; !errors.Is(err, storefault.ErrInjected) {
			w.Errorf("Notify returned %v", err)
		}
	})
}

// TestFaultsLoseNothingAcknowledged has a writer that does as a room should, over a store that does all it can to it: what
// it was told is durable is there.
func TestFaultsLoseNothingAcknowledged(t *testing.T) {
	for seed := range uint64(20) {
		in(t, 1, func(w *world) {
			w.s.Seed(seed)
			rnd := rand.New(rand.NewPCG(seed, 1))
			for _, f := range []storefault.Fault{
				{Kind: storefault.Slow, Odds: 0.5, Jitter: 2 * time.Second},
				{On: storefault.Save, Kind: storefault.Late, Odds: 0.2},
				{On: storefault.Save | storefault.Acquire, Kind: storefault.FailAfter, Odds: 0.2},
				{Odds: 0.2},
			} {
				w.s.Inject(f)
			}
			r := w.rooms[0]
			var acknowledged uint64
			crashAt := 20 + rnd.IntN(20)
			for round := range uint64(100) {
				if round == uint64(crashAt) {
					go w.s.Crash(storefault.Either)
				}
				seq := acknowledged + 1
				b := store.Batch{Key: r.Key, Epoch: r.Epoch, Number: round + 1, Append: []store.Append{
					{Log: "log", Record: store.Record{Seq: seq, Data: fmt.Append(nil, seq)}},
				}}
				ctx, cancel := context.WithTimeout(w.Context(), time.Second)
				err := w.s.Save(ctx, []store.Batch{b})[0]
				cancel()
				if errors.Is(err, storefault.ErrCrashed) {
					break
				}
				if errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrStale) {
					w.Fatalf("seed %d, round %d: %v", seed, round, err)
				}
				if err == nil {
					acknowledged = seq
				}
			}
			w.s.Heal() // all that is late arrives
			got, err := w.witness.Load(w.Context(), r.Key)
			if err != nil {
				w.Fatal(err)
			}
			log := got.Logs["log"]
			if n := uint64(len(log)); acknowledged == 0 || n < acknowledged || n > acknowledged+1 {
				w.Fatalf("seed %d: %d records are there, %d were acknowledged", seed, n, acknowledged)
			}
			for i, rec := range log {
				if want := uint64(i + 1); rec.Seq != want || string(rec.Data) != fmt.Sprint(want) {
					w.Errorf("seed %d: record %d is %d, %q", seed, i, rec.Seq, rec.Data)
				}
			}
		})
	}
}
