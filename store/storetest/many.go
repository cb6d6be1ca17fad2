package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gosocka/socka/store"
)

var manyTests = []test{
	{"RoomsInOneSave", testManyInOneSave},
	{"FightForRooms", testFight},
}

func testManyInOneSave(e *env) {
	o := e.join(e.s, ttl)
	const n, workers = 1000, 8
	key := func(i int) store.Key { return store.Key{Kind: "chat", Name: fmt.Sprintf("%04d", i)} }
	batches := make([]store.Batch, n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				r, err := e.s.Acquire(e.Context(), o.ID, key(i))
				if err != nil {
					e.Errorf("Acquire(%s): %v", key(i), err)
					return
				}
				batches[i] = store.Batch{
					Key: key(i), Epoch: r.Epoch, Put: parts("state", fmt.Sprint("state of ", i), "sessions", ""),
					Append: []store.Append{appendTo("log", uint64(i+1), fmt.Sprint("record of ", i))},
				}
			}
		})
	}
	wg.Wait()
	if e.Failed() {
		return
	}
	e.save(e.s, batches...)
	other := e.open()
	if got := len(e.list(other, "", store.Key{}, 2*n)); got != n {
		e.Fatalf("List: %d rooms, want %d", got, n)
	}
	for i := 0; i < n; i += 111 {
		got := e.load(other, key(i))
		e.wantParts(got, "state", fmt.Sprint("state of ", i), "sessions", "")
		e.wantLog(got, "log", fmt.Sprintf("%d:record of %d", i+1, i))
	}
	for i := range batches {
		b := &batches[i]
		*b = store.Batch{Key: b.Key, Epoch: b.Epoch, Wake: e.now.Add(time.Duration(i) * time.Microsecond), Then: store.Release}
	}
	e.save(e.s, batches...)
	now := e.now.Add(n * time.Microsecond)
	if got, next := e.due(other, now, n); len(got) != n || got[0] != key(0) || got[n-1] != key(n-1) || next.Equal(now) {
		e.Fatalf("Due: %d rooms, next %v; want %d in order", len(got), next, n)
	}
	for i := range batches {
		batches[i].Then = store.Remove
	}
	e.save(e.s, batches...)
	if got := len(e.list(other, "", store.Key{}, 2*n)); got != 0 {
		e.Fatalf("List after Remove: %d rooms", got)
	}
}

// acknowledgement is a record of whose save the writer was told that it is durable.
type acknowledgement struct {
	key   store.Key
	seq   uint64
	epoch store.Epoch
}

// testFight has owners on two handles take the same rooms from each other, in the same owner's name as well. Every one
// numbers its records from what it found, so that a save that should have been fenced overwrites another's.
func testFight(e *env) {
	const workers, rounds, saves = 8, 15, 3
	handles := []store.Store{e.s, e.open()}
	owners := []store.Owner{e.join(handles[0], ttl), e.join(handles[1], ttl)}
	keys := []store.Key{room1, room2, room3}
	acks := make([][]acknowledgement, workers)
	var wg sync.WaitGroup
	for w := range workers {
		f := &fighter{e: e, s: handles[w%2], owner: owners[w%2]}
		wg.Go(func() {
			for i := range rounds {
				f.round(keys[(w/2+i)%len(keys)], saves, i%3 != 0)
			}
			acks[w] = f.acks
		})
	}
	wg.Wait()
	rooms := make(map[store.Key]*store.Room)
	total := 0
	for _, list := range acks {
		total += len(list)
		for _, a := range list {
			if rooms[a.key] == nil {
				rooms[a.key] = e.load(e.s, a.key)
			}
			data := ""
			for _, rec := range rooms[a.key].Logs["log"] {
				if rec.Seq == a.seq {
					data = string(rec.Data)
				}
			}
			if data != fmt.Sprint(a.epoch) {
				e.Errorf("%s: record %d was acknowledged under epoch %d and is %q", a.key, a.seq, a.epoch, data)
			}
		}
	}
	if total < workers {
		e.Errorf("only %d saves were acknowledged: nobody got through", total)
	}
	for k, r := range rooms {
		var epoch store.Epoch
		for i, rec := range r.Logs["log"] {
			var under store.Epoch
			if _, err := fmt.Sscan(string(rec.Data), &under); err != nil {
				e.Fatal(err)
			}
			if under < epoch || rec.Seq != uint64(i+1) {
				e.Errorf("%s: record %d (the one at %d) is of epoch %d, after one of %d", k, rec.Seq, i, under, epoch)
			}
			epoch = under
		}
	}
}

type fighter struct {
	e     *env
	s     store.Store
	owner store.Owner
	acks  []acknowledgement
}

// round acquires a room, unless the other owner has it, appends records until it is fenced, and gives the room back or
// leaves it to the next of its own owner.
func (f *fighter) round(k store.Key, saves int, release bool) {
	ctx := f.e.Context()
	r, err := f.s.Acquire(ctx, f.owner.ID, k)
	if err != nil {
		if held := (*store.HeldError)(nil); !errors.As(err, &held) || held.Owner.ID == f.owner.ID {
			f.e.Errorf("Acquire(%s): %v", k, err)
		}
		return
	}
	var seq uint64
	if log := r.Logs["log"]; len(log) > 0 {
		seq = log[len(log)-1].Seq
	}
	for i := range saves {
		seq++
		b := store.Batch{Key: k, Epoch: r.Epoch, Append: []store.Append{appendTo("log", seq, fmt.Sprint(r.Epoch))}}
		if release && i == saves-1 {
			b.Then = store.Release
		}
		errs := f.s.Save(ctx, []store.Batch{b})
		switch {
		case len(errs) == 1 && errs[0] == nil:
			f.acks = append(f.acks, acknowledgement{key: k, seq: seq, epoch: r.Epoch})
		case len(errs) == 1 && errors.Is(errs[0], store.ErrFenced):
			return
		default:
			f.e.Errorf("Save of %s: %v", k, errs)
			return
		}
	}
}
