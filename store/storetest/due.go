package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
)

// Rooms that are nobody's, or a living owner's. The owner of most of these tests has a lease without end, so that nothing
// but times to wake matters.
var dueTests = []test{
	{"Nothing", testDueNothing},
	{"Wake", testDueWake},
	{"WakeToTheMicrosecond", testDueMicrosecond},
	{"WakeLongAgo", testDueLongAgo},
	{"Order", testDueOrder},
	{"Limit", testDueLimit},
	{"Acquired", testDueAcquired},
	{"Changed", testDueChanged},
	{"HeldByOneThatLives", testDueHeld},
	{"OverTheKinds", testDueKinds},
}

func testDueNothing(e *env) {
	if next := e.wantDue(e.s, e.now); !next.IsZero() {
		e.Errorf("an empty store: next is %v, want zero", next)
	}
	o := e.join(e.s, 0)
	e.acquire(e.s, o, room1)
	e.asleep(e.s, o, room2, time.Time{})
	for _, now := range []time.Time{e.now, e.now.Add(1000 * time.Hour)} {
		if next := e.wantDue(e.s, now); !next.IsZero() {
			e.Errorf("no room wants to be woken: next is %v, want zero", next)
		}
	}
}

func testDueWake(e *env) {
	o := e.join(e.s, 0)
	at1, at2 := e.now.Add(time.Hour), e.now.Add(2*time.Hour)
	e.asleep(e.s, o, room2, at2)
	e.asleep(e.s, o, room1, at1)
	e.asleep(e.s, o, room3, time.Time{})
	other := e.open()
	for _, s := range []store.Store{e.s, other} {
		wantNext := func(now, next, want time.Time) {
			e.Helper()
			if !next.Equal(want) {
				e.Fatalf("Due at %v: next is %v, want %v", now, next, want)
			}
		}
		wantNext(e.now, e.wantDue(s, e.now), at1)
		wantNext(at1, e.wantDue(s, at1, room1), at2)
		wantNext(at2, e.wantDue(s, at2, room1, room2), time.Time{})
		later := at2.Add(1000 * time.Hour)
		wantNext(later, e.wantDue(s, later, room1, room2), time.Time{})
		// Asking takes nothing away.
		wantNext(at1, e.wantDue(s, at1, room1), at2)
	}
}

func testDueMicrosecond(e *env) {
	o := e.join(e.s, 0)
	at := e.now.Add(time.Hour + 123456*time.Microsecond)
	e.asleep(e.s, o, room1, at)
	if next := e.wantDue(e.s, at.Add(-time.Microsecond)); !next.Equal(at) {
		e.Fatalf("next is %v, want %v", next, at)
	}
	e.wantDue(e.s, at, room1)
	if got := e.load(e.s, room1).Wake; !got.Equal(at) {
		e.Fatalf("Load: Wake is %v, want %v", got, at)
	}
	// What is finer than that may be rounded, either way.
	e.asleep(e.s, o, room1, at.Add(700*time.Nanosecond))
	e.wantDue(e.s, at.Add(-time.Microsecond))
	e.wantDue(e.s, at.Add(time.Microsecond), room1)
}

func testDueLongAgo(e *env) {
	o := e.join(e.s, 0)
	e.asleep(e.s, o, room1, time.Unix(0, 0))
	e.asleep(e.s, o, room2, time.Unix(-1000, 0))
	e.asleep(e.s, o, room3, e.now.Add(-1000*time.Hour))
	e.wantDue(e.s, e.now, room2, room1, room3)
	if got := e.load(e.s, room1).Wake; !got.Equal(time.Unix(0, 0)) {
		e.Errorf("Load: Wake is %v, want %v", got, time.Unix(0, 0))
	}
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	e.asleep(e.s, o, room1, far)
	if next := e.wantDue(e.s, e.now, room2, room3); !next.Equal(far) {
		e.Errorf("next is %v, want %v", next, far)
	}
}

func testDueOrder(e *env) {
	o := e.join(e.s, 0)
	const n = 30
	want := make([]store.Key, n)
	for i := range n {
		place := i * 7 % n
		k := store.Key{Kind: fmt.Sprint("kind", i%3), Name: fmt.Sprint(i)}
		e.asleep(e.s, o, k, e.now.Add(time.Duration(place)*time.Microsecond))
		want[place] = k
	}
	e.wantDue(e.s, e.now.Add(n*time.Microsecond), want...)
	e.wantDue(e.s, e.now.Add(9*time.Microsecond), want[:10]...)
}

func testDueLimit(e *env) {
	o := e.join(e.s, 0)
	var all []store.Key
	for i := range 6 {
		k := store.Key{Kind: "chat", Name: fmt.Sprint(i)}
		all = append(all, k)
		e.asleep(e.s, o, k, e.now.Add(time.Duration(i)*time.Second))
	}
	now := e.now.Add(4 * time.Second) // five are due
	for limit := 1; limit <= 7; limit++ {
		want, next := all[:min(limit, 5)], now
		if limit >= 5 {
			next = e.now.Add(5 * time.Second)
		}
		got, gotNext := e.due(e.s, now, limit)
		if !slices.Equal(got, want) || !gotNext.Equal(next) {
			e.Fatalf("Due with limit %d: %v, next %v; want %v, %v", limit, got, gotNext, want, next)
		}
	}
	// Who acquires what is listed gets to the rest.
	var got []store.Key
	for len(got) < 5 {
		page, _ := e.due(e.s, now, 2)
		if len(page) == 0 {
			break
		}
		for _, k := range page {
			e.acquire(e.s, o, k)
			got = append(got, k)
		}
	}
	if !slices.Equal(got, all[:5]) {
		e.Fatalf("all that is due, by pages: %v, want %v", got, all[:5])
	}
}

func testDueAcquired(e *env) {
	o := e.join(e.s, 0)
	e.asleep(e.s, o, room1, e.now)
	e.asleep(e.s, o, room2, e.now.Add(time.Second))
	later := e.now.Add(time.Hour)
	e.wantDue(e.s, later, room1, room2)
	r := e.acquire(e.open(), o, room1)
	if !r.Wake.Equal(e.now) {
		e.Fatalf("Acquire returned Wake %v, want %v", r.Wake, e.now)
	}
	e.wantDue(e.s, later, room2)
	// Acquire forgets nothing: given back as it was, it is due as it was.
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Keep: true, Then: store.Release})
	e.wantDue(e.s, later, room1, room2)
	r = e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Then: store.Remove})
	e.wantDue(e.s, later, room2)
}

func testDueChanged(e *env) {
	o := e.join(e.s, 0)
	e.asleep(e.s, o, room1, e.now.Add(time.Hour))
	e.asleep(e.s, o, room2, e.now.Add(2*time.Hour))
	epoch := e.load(e.s, room1).Epoch
	later := e.now.Add(4 * time.Hour)
	e.wantDue(e.s, later, room1, room2)
	e.save(e.s, store.Batch{Key: room1, Epoch: epoch, Wake: e.now.Add(3 * time.Hour)})
	e.wantDue(e.s, later, room2, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: epoch, Wake: e.now.Add(time.Minute)})
	e.wantDue(e.s, later, room1, room2)
	e.save(e.s, store.Batch{Key: room1, Epoch: epoch, Keep: true})
	e.wantDue(e.s, later, room1, room2)
	e.save(e.s, store.Batch{Key: room1, Epoch: epoch})
	e.wantDue(e.s, later, room2)
	// A room does not have to have contents to be woken.
	e.save(e.s, store.Batch{Key: room1, Epoch: epoch, Delete: []string{"state"}, Wake: e.now})
	e.wantDue(e.s, later, room1, room2)
}

// Whether an owner lives is judged by the store, not by the time that Due is given.
func testDueHeld(e *env) {
	forever, o := e.join(e.s, 0), e.join(e.s, ttl)
	e.held(e.s, forever, room1, e.now.Add(-1000*time.Hour), 0)
	e.held(e.s, o, room2, e.now.Add(-time.Hour), -1)
	e.wantDue(e.s, e.now)
	e.wantDue(e.s, e.now.Add(1000*time.Hour))
	e.leave(e.s, forever)
	e.wantDue(e.s, e.now, room1)
	e.advance(10 * ttl)
	e.wantDue(e.s, e.now.Add(1000*time.Hour), room1, room2)
}

func testDueKinds(e *env) {
	o := e.join(e.s, 0)
	for i, name := range binaryNames()[:8] {
		e.asleep(e.s, o, store.Key{Kind: name, Name: name}, e.now.Add(time.Duration(i)*time.Second))
	}
	var want []store.Key
	for _, name := range binaryNames()[:8] {
		want = append(want, store.Key{Kind: name, Name: name})
	}
	e.wantDue(e.s, e.now.Add(time.Hour), want...)
}
