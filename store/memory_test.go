package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.RunVirtual(t, func(*testing.T) storetest.Harness {
		root := store.NewMemory()
		var ahead time.Duration
		return storetest.Harness{
			Open:    func(*testing.T) store.Store { return root.Open() },
			Advance: func(_ *testing.T, d time.Duration) { time.Sleep(d) },
			Jump: func(_ *testing.T, d time.Duration) {
				ahead += d
				by := ahead
				root.SetWall(func() time.Time { return time.Now().Add(by) })
			},
			Backup: func(*testing.T) func(*testing.T) {
				restore := root.Backup()
				return func(*testing.T) { restore() }
			},
		}
	})
}

// The suite works outside of a bubble as well, where a harness makes time pass for leases alone.
func TestMemoryInRealTime(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Harness {
		root := store.NewMemory()
		return storetest.Harness{
			Open:    func(*testing.T) store.Store { return root.Open() },
			Advance: func(_ *testing.T, d time.Duration) { root.Pass(d) },
		}
	})
}

func join(t *testing.T, s store.Store, ttl time.Duration) store.Owner {
	t.Helper()
	o, err := s.Join(t.Context(), store.Owner{}, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func acquire(t testing.TB, s store.Store, o store.OwnerID, k store.Key) *store.Room {
	t.Helper()
	r, err := s.Acquire(context.Background(), o, k)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func save(t testing.TB, s store.Store, batches ...store.Batch) {
	t.Helper()
	if err := errors.Join(s.Save(context.Background(), batches)...); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryForgetsOwnersAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		idle, busy := join(t, m, time.Hour), join(t, m, time.Hour)
		r := acquire(t, m, busy.ID, store.Key{Kind: "chat", Name: "one"})
		time.Sleep(25*time.Hour - time.Second)
		join(t, m, time.Hour)
		if err := m.Renew(t.Context(), idle.ID); err != nil {
			t.Fatalf("Renew within a day of the lapse: %v", err)
		}
		time.Sleep(25*time.Hour + time.Second)
		if n := m.OwnerRows(); n != 3 {
			t.Fatalf("%d owners have rows before anybody joins, want 3", n)
		}
		join(t, m, time.Hour)
		if err := m.Renew(t.Context(), idle.ID); !errors.Is(err, store.ErrLapsed) {
			t.Fatalf("Renew of a forgotten owner: %v, want ErrLapsed", err)
		}
		// One that has rooms is kept, and has them.
		if err := m.Renew(t.Context(), busy.ID); err != nil {
			t.Fatalf("Renew of an owner with a room: %v", err)
		}
		save(t, m, store.Batch{Key: r.Key, Epoch: r.Epoch, Then: store.Release})
		if n := m.OwnerRows(); n != 2 {
			t.Fatalf("%d owners have rows, want the one with a room and the one that joined", n)
		}
	})
}

func TestMemoryOpensAfterClose(t *testing.T) {
	m := store.NewMemory()
	o := join(t, m, 0)
	r := acquire(t, m, o.ID, store.Key{Kind: "chat", Name: "one"})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Renew(t.Context(), o.ID); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("Renew after Close: %v, want ErrClosed", err)
	}
	m = m.Open()
	save(t, m, store.Batch{Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state"}}})
}

// What comes and goes in every order leaves lists as they should be.
func TestMemoryKeepsOrderThroughChange(t *testing.T) {
	m := store.NewMemory()
	o := join(t, m, 0)
	const n = 3000
	start := time.UnixMicro(1e15)
	key := func(i int) store.Key { return store.Key{Kind: "chat", Name: fmt.Sprintf("%05d", i)} }
	there := make([]bool, n)
	check := func() {
		t.Helper()
		var want []store.Key
		for i, is := range there {
			if is {
				want = append(want, key(i))
			}
		}
		list, err := m.List(t.Context(), "", store.Key{}, n)
		if err != nil {
			t.Fatal(err)
		}
		due, _, err := m.Due(t.Context(), start.Add(n*time.Second), n)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) != len(want) || len(due) != len(want) {
			t.Fatalf("%d rooms are listed and %d due, want %d", len(list), len(due), len(want))
		}
		for i, k := range want {
			if list[i].Key != k || due[len(want)-1-i] != k {
				t.Fatalf("room %d is %s in the list and %s of those due, want %s", i, list[i].Key, due[len(want)-1-i], k)
			}
		}
	}
	for round, step := range []int{1, 7, 1999, n - 1, 1001, 13} {
		for i := range n {
			k := i * step % n
			if !there[k] && (round%2 == 0 || k%3 == 0) {
				r := acquire(t, m, o.ID, key(k))
				// Due in the reverse of the order of names.
				save(t, m, store.Batch{
					Key: r.Key, Epoch: r.Epoch, Put: []store.Part{{Name: "state"}}, Wake: start.Add(time.Duration(n-k) * time.Second), Then: store.Release,
				})
				there[k] = true
			}
		}
		check()
		for i := range n {
			if k := i * step % n; there[k] && (k%(round+2) != 0 || round == 3) {
				save(t, m, store.Batch{Key: key(k), Epoch: acquire(t, m, o.ID, key(k)).Epoch, Then: store.Remove})
				there[k] = false
			}
		}
		check()
	}
}

// A room that its owner kept from being woken is due since the lapse, whatever its Wake.
func TestMemoryDueSinceTheLapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		o, forever := join(t, m, time.Hour), join(t, m, 0)
		held, nobodys := store.Key{Kind: "chat", Name: "a"}, store.Key{Kind: "chat", Name: "b"}
		r := acquire(t, m, o.ID, held)
		save(t, m, store.Batch{Key: held, Epoch: r.Epoch, Wake: time.Now().Add(-2 * time.Hour)})
		r = acquire(t, m, forever.ID, nobodys)
		save(t, m, store.Batch{Key: nobodys, Epoch: r.Epoch, Wake: time.Now().Add(-time.Hour), Then: store.Release})
		time.Sleep(2 * time.Hour)
		due, _, err := m.Due(t.Context(), time.Now(), 10)
		if err != nil || len(due) != 2 || due[0] != nobodys {
			t.Fatalf("Due: %v (%v), want %s first", due, err, nobodys)
		}
	})
}
