package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gosocka/socka/store"
)

var numberTests = []test{
	{"EveryKindOfBatch", testNumberKinds},
	{"SameAgain", testNumberSame},
	{"Gaps", testNumberGaps},
	{"ZeroIsNeitherCheckedNorNoted", testNumberZero},
	{"OfOneEpoch", testNumberEpoch},
	{"AfterRelease", testNumberReleased},
	{"AfterReopening", testNumberReopened},
	{"OfWhatWasNotDone", testNumberNotDone},
	{"StaleAmongOthers", testNumberAmongOthers},
	{"TheLatestWins", testNumberConcurrent},
}

// wantStale asserts that a batch is refused with ErrStale.
func (e *env) wantStale(s store.Store, b store.Batch) {
	e.Helper()
	if err := e.trySave(s, b); !errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrFenced) {
		e.Fatalf("Save of %s with number %d after a later one: error %v, want ErrStale", b.Key, b.Number, err)
	}
}

func testNumberKinds(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Number: 7, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b"), appendTo("log", 2, "c")},
		Wake: e.now.Add(time.Hour), Linger: -1,
	})
	want := e.load(e.s, room1)
	other := e.open()
	for name, b := range e.kindsOfBatch() {
		b.Key, b.Epoch = room1, r.Epoch
		for _, b.Number = range []uint64{1, 6} {
			if err := e.trySave(other, b); !errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrFenced) {
				e.Fatalf("%s, number %d after 7: error %v, want ErrStale", name, b.Number, err)
			}
		}
		got := e.load(e.s, room1)
		e.wantSame(got, want)
		if !got.Updated.Equal(want.Updated) {
			e.Fatalf("%s, stale, changed Updated from %v to %v", name, want.Updated, got.Updated)
		}
	}
	e.wantHeld(e.s, e.join(e.s, ttl), room1, o)
}

func testNumberSame(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	b := store.Batch{Key: room1, Epoch: r.Epoch, Number: 1, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}}
	for range 3 {
		e.save(e.s, b)
	}
	b.Number, b.Then = 2, store.Release
	for range 3 {
		e.save(e.s, b)
	}
	got := e.load(e.s, room1)
	e.wantParts(got, "state", "a")
	e.wantLog(got, "log", "1:b")
	if got.Owner != "" {
		e.Fatalf("released three times, and %q's", got.Owner)
	}
}

func testNumberGaps(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	for _, n := range []uint64{3, 4, 1000, 1 << 53, 1<<53 + 1, 1<<63 - 1} {
		e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: n, Put: parts("state", fmt.Sprint(n))})
		e.wantStale(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: n - 1, Put: parts("state", "stale")})
		e.wantParts(e.load(e.s, room1), "state", fmt.Sprint(n))
	}
}

func testNumberZero(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 1, Put: parts("state", "b")})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 5, Put: parts("state", "c")})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "d")})
	e.wantParts(e.load(e.s, room1), "state", "d")
	e.wantStale(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 4, Put: parts("state", "stale")})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 5, Put: parts("state", "c")})
	e.wantParts(e.load(e.s, room1), "state", "c")
}

func testNumberEpoch(e *env) {
	o := e.join(e.s, ttl)
	old := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Number: 50, Put: parts("state", "a")})
	r := e.acquire(e.s, o, room1)
	for _, n := range []uint64{1, 49, 50, 51} {
		e.wantFenced(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Number: n, Put: parts("state", "stale")})
	}
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 1, Put: parts("state", "b")})
	e.wantParts(e.load(e.s, room1), "state", "b")
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 9, Then: store.Remove})
	r = e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 1, Put: parts("state", "c")})
	// And each room has its own.
	r = e.acquire(e.s, o, room2)
	e.save(e.s, store.Batch{Key: room2, Epoch: r.Epoch, Number: 1, Put: parts("state", "d")})
}

// A save that was given up and comes after the room was given back undoes nothing.
func testNumberReleased(e *env) {
	o := e.join(e.s, ttl)
	r1, r2 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2)
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Number: 2, Put: parts("state", "last"), Then: store.Release})
	e.wantStale(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Number: 1, Put: parts("state", "stale"), Then: store.Remove})
	e.wantParts(e.load(e.s, room1), "state", "last")
	e.save(e.s, store.Batch{Key: room2, Epoch: r2.Epoch, Number: 2, Put: parts("state", "last")})
	e.leave(e.s, o)
	e.wantStale(e.s, store.Batch{Key: room2, Epoch: r2.Epoch, Number: 1, Put: parts("state", "stale")})
	e.wantParts(e.load(e.s, room2), "state", "last")
}

func testNumberReopened(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 2, Put: parts("state", "a")})
	if err := e.s.Close(); err != nil {
		e.Fatal(err)
	}
	s := e.open()
	e.wantStale(s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 1, Put: parts("state", "stale")})
	e.save(s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 3, Put: parts("state", "b")})
	e.wantParts(e.load(s, room1), "state", "b")
}

// Batches that were fenced, refused or stale are not noted.
func testNumberNotDone(e *env) {
	o := e.join(e.s, ttl)
	old := e.acquire(e.s, o, room1)
	r := e.acquire(e.s, o, room1)
	e.wantFenced(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Number: 100, Put: parts("state", "x")})
	if err := e.trySave(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 100, Put: parts("", "x")}); err == nil {
		e.Fatal("a part without a name was saved")
	}
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 3, Put: parts("state", "a")})
	e.wantStale(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 2, Put: parts("state", "x")})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 3, Put: parts("state", "a")})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Number: 4, Put: parts("state", "b")})
	e.wantParts(e.load(e.s, room1), "state", "b")
}

func testNumberAmongOthers(e *env) {
	o := e.join(e.s, ttl)
	r1, r2, r3 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2), e.acquire(e.s, o, room3)
	e.save(e.s, store.Batch{Key: room2, Epoch: r2.Epoch, Number: 2, Put: parts("state", "b")})
	errs := e.s.Save(e.Context(), []store.Batch{
		{Key: room1, Epoch: r1.Epoch, Number: 1, Put: parts("state", "a")},
		{Key: room2, Epoch: r2.Epoch, Number: 1, Put: parts("state", "stale")},
		{Key: room3, Epoch: r3.Epoch, Number: 1, Put: parts("state", "c")},
	})
	if len(errs) != 3 || errs[0] != nil || !errors.Is(errs[1], store.ErrStale) || errs[2] != nil {
		e.Fatalf("Save of a stale batch among two good ones: %v", errs)
	}
	for k, value := range map[store.Key]string{room1: "a", room2: "b", room3: "c"} {
		e.wantParts(e.load(e.s, k), "state", value)
	}
}

// Whatever the order in which batches arrive, what stays is the latest.
func testNumberConcurrent(e *env) {
	r := e.acquire(e.s, e.join(e.s, ttl), room1)
	handles := []store.Store{e.s, e.open()}
	const n, workers = 40, 8
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := n - w; i > 0; i -= workers {
				b := store.Batch{Key: room1, Epoch: r.Epoch, Number: uint64(i), Put: parts("state", fmt.Sprint(i))}
				errs := handles[w%2].Save(e.Context(), []store.Batch{b})
				if len(errs) != 1 || errs[0] != nil && (!errors.Is(errs[0], store.ErrStale) || i == n) {
					e.Errorf("Save of number %d: %v", i, errs)
				}
			}
		})
	}
	wg.Wait()
	e.wantParts(e.load(e.s, room1), "state", fmt.Sprint(n))
}
