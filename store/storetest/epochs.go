package storetest

import (
	"sync"
	"time"

	"github.com/gosocka/socka/store"
)

var epochTests = []test{
	{"Increase", testEpochsIncrease},
	{"NeverTwice", testEpochsConcurrent},
	{"AfterRemove", testEpochsAfterRemove},
	{"AfterReopening", testEpochsAfterReopening},
	{"AfterARestoredBackup", testEpochsAfterRestore},
	{"AfterTheWallClockWentBack", testEpochsAfterJumpBack},
}

func (e *env) needJump() {
	e.Helper()
	if e.harness.Jump == nil {
		e.Skip("the harness cannot set the wall clock of the store (Jump is nil)")
	}
}

// epochs acquires a room n times and asserts that every epoch is above those before. It returns the last.
func (e *env) epochs(s store.Store, o store.Owner, k store.Key, above store.Epoch, n int) store.Epoch {
	e.Helper()
	for range n {
		r := e.acquire(s, o, k)
		if r.Epoch <= above {
			e.Fatalf("epoch %d of %s is not above %d, which was given before", r.Epoch, k, above)
		}
		above = r.Epoch
	}
	return above
}

func testEpochsIncrease(e *env) {
	other := e.open()
	a, b := e.join(e.s, ttl), e.join(other, ttl)
	var last store.Epoch
	for range 5 {
		last = e.epochs(e.s, a, room1, last, 3)
		last = e.epochs(other, b, room2, last, 3)
		last = e.epochs(e.s, a, room3, last, 1)
	}
	if last >= 1<<53 {
		e.Errorf("epoch %d does not fit into 53 bits", last)
	}
	if wall := a.Joined.UnixMicro(); last < store.Epoch(wall) {
		e.Errorf("epoch %d is below the wall clock in microseconds, %d", last, wall)
	}
}

func testEpochsConcurrent(e *env) {
	handles := []store.Store{e.s, e.open()}
	const workers, rounds = 4, 10
	epochs := make([][]store.Epoch, workers)
	var wg sync.WaitGroup
	for i := range workers {
		s := handles[i%2]
		o := e.join(s, ttl)
		k := store.Key{Kind: "chat", Name: string(rune('a' + i))}
		wg.Go(func() {
			for range rounds {
				r, err := s.Acquire(e.Context(), o.ID, k)
				if err != nil {
					e.Errorf("Acquire(%s): %v", k, err)
					return
				}
				epochs[i] = append(epochs[i], r.Epoch)
			}
		})
	}
	wg.Wait()
	seen := make(map[store.Epoch]bool)
	for _, list := range epochs {
		var last store.Epoch
		for _, epoch := range list {
			if seen[epoch] {
				e.Errorf("epoch %d was given twice", epoch)
			}
			if epoch <= last {
				e.Errorf("epoch %d was given after %d", epoch, last)
			}
			seen[epoch], last = true, epoch
		}
	}
}

func testEpochsAfterRemove(e *env) {
	o := e.join(e.s, ttl)
	var last store.Epoch
	for range 5 {
		last = e.epochs(e.s, o, room1, last, 2)
		e.save(e.s, store.Batch{Key: room1, Epoch: last, Put: parts("state", "a"), Then: store.Remove})
	}
	e.leave(e.s, o)
	e.epochs(e.s, e.join(e.s, ttl), room1, last, 1)
}

func testEpochsAfterReopening(e *env) {
	o := e.join(e.s, ttl)
	last := e.epochs(e.s, o, room1, 0, 3)
	e.save(e.s, store.Batch{Key: room1, Epoch: last, Then: store.Remove})
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	e.epochs(e.open(), o, room2, last, 3)
}

func testEpochsAfterRestore(e *env) {
	if e.harness.Backup == nil {
		e.Skip("the harness makes no backups (Backup is nil)")
	}
	o := e.join(e.s, 0)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "old"), Append: []store.Append{appendTo("log", 1, "a")}})
	want := e.load(e.s, room1)
	restore := e.harness.Backup(e.T)
	// What happens after a backup is lost when it is put back, but for the epochs that were given.
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "new")})
	e.asleep(e.s, o, room2, e.now)
	last := e.epochs(e.s, o, room1, r.Epoch, 20)
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	e.advance(time.Second)
	restore(e.T)
	s := e.open()
	e.wantSame(e.load(s, room1), want)
	if list, err := s.List(e.Context(), "", store.Key{}, 10); err != nil || len(list) != 1 {
		e.Fatalf("List after the backup was put back: %v (%v), want %s alone", list, err, room1)
	}
	e.wantFenced(s, store.Batch{Key: room1, Epoch: last, Put: parts("state", "of before")})
	e.epochs(s, o, room1, last, 3)
}

func testEpochsAfterJumpBack(e *env) {
	e.needJump()
	o := e.join(e.s, 0)
	last := e.epochs(e.s, o, room1, 0, 3)
	e.harness.Jump(e.T, 10*time.Hour)
	last = e.epochs(e.s, o, room1, last, 3)
	e.save(e.s, store.Batch{Key: room1, Epoch: last, Then: store.Remove})
	e.harness.Jump(e.T, -1000*time.Hour)
	last = e.epochs(e.s, o, room1, last, 3)
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	e.epochs(e.open(), o, room2, last, 3)
}
