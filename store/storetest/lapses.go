package storetest

import (
	"time"

	"github.com/gosocka/socka/store"
)

// Rooms of owners whose leases end.
var lapseTests = []test{
	{"AcquiredAndNeverSaved", testLapseAcquired},
	{"LingerZero", testLapseLingerZero},
	{"LingerPositive", testLapseLingerPositive},
	{"LingerWithinTheMargin", testLapseLingerShort},
	{"LingerNegative", testLapseLingerNegative},
	{"LingerAndWake", testLapseLingerAndWake},
	{"LingerOfNobodysRoom", testLapseReleased},
	{"Order", testLapseOrder},
	{"Renewed", testLapseRenewed},
	{"TakenOver", testLapseTakenOver},
	{"SavedMeanwhile", testLapseSaved},
	{"NextIsNeverTooLate", testLapseNext},
}

// held makes a room that its owner goes on having.
func (e *env) held(s store.Store, o store.Owner, k store.Key, wake time.Time, linger time.Duration) *store.Room {
	e.Helper()
	r := e.acquire(s, o, k)
	e.save(s, store.Batch{Key: k, Epoch: r.Epoch, Put: parts("state", k.Name), Wake: wake, Linger: linger})
	return r
}

// wantNextBy asserts that next is after now, and not too late to find what is due at a time.
func (e *env) wantNextBy(next, at time.Time) {
	e.Helper()
	if !next.After(e.now) || next.After(at.Add(slack)) {
		e.Fatalf("next is %v; want it after %v, and not after %v", next, e.now, at.Add(slack))
	}
}

func testLapseAcquired(e *env) {
	o := e.join(e.s, ttl)
	e.acquire(e.s, o, room1)
	at := e.now.Add(ttl + margin)
	e.wantNextBy(e.wantDue(e.s, e.now), at)
	e.advance(ttl + slack) // it has ended, and nobody may take over yet
	e.wantNextBy(e.wantDue(e.s, e.now), at)
	e.advance(margin)
	e.wantDue(e.open(), e.now, room1)
	e.wantDue(e.s, e.now, room1)
	// Whoever is told of a due room gets it.
	e.acquire(e.s, e.join(e.s, ttl), room1)
}

func testLapseLingerZero(e *env) {
	o := e.join(e.s, ttl)
	e.held(e.s, o, room1, time.Time{}, 0)
	at := e.now.Add(ttl + margin)
	e.advance(ttl + margin - slack)
	e.wantNextBy(e.wantDue(e.s, e.now), at)
	e.advance(2 * slack)
	e.wantDue(e.s, e.now, room1)
}

func testLapseLingerPositive(e *env) {
	o := e.join(e.s, ttl)
	linger := 2 * ttl
	e.held(e.s, o, room1, time.Time{}, linger)
	at := e.now.Add(ttl + linger)
	e.wantNextBy(e.wantDue(e.s, e.now), at)
	e.advance(ttl + margin + slack)
	e.wantNextBy(e.wantDue(e.s, e.now), at)
	e.advance(at.Sub(e.now) - slack)
	e.wantNextBy(e.wantDue(e.s, e.now), at)
	e.advance(2 * slack)
	e.wantDue(e.s, e.now, room1)
}

func testLapseLingerShort(e *env) {
	o := e.join(e.s, ttl)
	e.held(e.s, o, room1, time.Time{}, margin/2)
	e.advance(ttl + margin - slack)
	e.wantDue(e.s, e.now)
	e.advance(2 * slack)
	e.wantDue(e.s, e.now, room1)
}

func testLapseLingerNegative(e *env) {
	o := e.join(e.s, ttl)
	e.held(e.s, o, room1, time.Time{}, -1)
	e.held(e.s, o, room2, time.Time{}, -time.Hour)
	for range 3 {
		e.advance(2 * ttl)
		if next := e.wantDue(e.s, e.now); !next.IsZero() {
			e.Fatalf("lapsed with negative Linger and no Wake: next is %v, want zero", next)
		}
	}
	if got := e.load(e.s, room1).Linger; got != -1 {
		e.Fatalf("Load: Linger is %v, want -1ns", got)
	}
	if got := e.load(e.s, room2).Linger; got >= 0 {
		e.Fatalf("Load: Linger is %v, want it negative", got)
	}
	// They can be had nonetheless.
	e.acquire(e.s, e.join(e.s, ttl), room1)
}

func testLapseLingerAndWake(e *env) {
	o := e.join(e.s, ttl)
	start := e.now
	e.held(e.s, o, room1, start.Add(ttl/2), -1)    // due as soon as it can be had
	e.held(e.s, o, room2, start.Add(3*ttl), -1)    // by Wake
	e.held(e.s, o, room3, start.Add(9*ttl), 4*ttl) // by Linger
	room4 := store.Key{Kind: "game", Name: "two"}
	e.held(e.s, o, room4, start.Add(4*ttl), 8*ttl) // by Wake, before Linger is over
	e.advance(ttl - slack)
	e.wantDue(e.s, e.now)
	e.advance(margin + 2*slack)
	e.wantNextBy(e.wantDue(e.s, e.now, room1), start.Add(3*ttl))
	e.acquire(e.s, e.join(e.s, 0), room1)
	e.advance(start.Add(3 * ttl).Sub(e.now))
	e.wantDue(e.s, e.now.Add(-time.Microsecond))
	e.wantNextBy(e.wantDue(e.s, e.now, room2), start.Add(4*ttl))
	e.acquire(e.s, e.join(e.s, 0), room2)
	e.advance(start.Add(4 * ttl).Sub(e.now))
	e.wantDue(e.s, e.now.Add(-time.Microsecond))
	e.wantNextBy(e.wantDue(e.s, e.now, room4), start.Add(5*ttl))
	e.acquire(e.s, e.join(e.s, 0), room4)
	e.advance(start.Add(5*ttl - slack).Sub(e.now))
	e.wantDue(e.s, e.now)
	e.advance(2 * slack)
	e.wantDue(e.s, e.now, room3)
}

// Linger is for rooms that have an owner.
func testLapseReleased(e *env) {
	o := e.join(e.s, ttl)
	for _, linger := range []time.Duration{0, time.Minute} {
		r := e.held(e.s, o, room1, time.Time{}, linger)
		e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Linger: linger, Then: store.Release})
		e.wantDue(e.s, e.now)
		e.advance(10 * ttl)
		e.wantDue(e.s, e.now)
		e.renew(e.s, o)
	}
}

func testLapseOrder(e *env) {
	forever, a, b := e.join(e.s, 0), e.join(e.s, ttl), e.join(e.s, 2*ttl)
	keys := make([]store.Key, 7)
	for i := range keys {
		keys[i] = store.Key{Kind: "chat", Name: string(rune('z' - i))}
	}
	e.asleep(e.s, forever, keys[0], e.now.Add(-1000*time.Hour))
	e.held(e.s, a, keys[3], time.Time{}, 3*ttl) // at 4 ttl
	e.held(e.s, a, keys[1], time.Time{}, 0)     // at ttl and the margin
	e.held(e.s, b, keys[4], time.Time{}, 3*ttl) // at 5 ttl
	e.held(e.s, b, keys[2], time.Time{}, 0)     // at 2 ttl and the margin
	e.held(e.s, a, keys[5], time.Time{}, 5*ttl) // at 6 ttl
	e.advance(10 * ttl)
	e.asleep(e.s, forever, keys[6], e.now)
	e.wantDue(e.s, e.now, keys...)
	for limit := 1; limit < len(keys); limit++ {
		got, next := e.due(e.s, e.now, limit)
		if len(got) != limit || got[limit-1] != keys[limit-1] || !next.Equal(e.now) {
			e.Fatalf("Due with limit %d: %v, next %v; want %v and now", limit, got, next, keys[:limit])
		}
	}
}

func testLapseRenewed(e *env) {
	o := e.join(e.s, ttl)
	start := e.now
	e.held(e.s, o, room1, time.Time{}, 0)
	e.held(e.s, o, room2, start.Add(ttl/2), -1)
	for range 3 {
		e.advance(ttl - slack)
		e.renew(e.s, o)
		e.wantDue(e.s, e.now)
	}
	e.advance(ttl + margin + slack)
	if got, _ := e.due(e.s, e.now, 10); len(got) != 2 {
		e.Fatalf("Due after the lapse: %v, want two rooms", got)
	}
	e.renew(e.s, o)
	e.wantNextBy(e.wantDue(e.s, e.now), e.now.Add(ttl+margin))
	e.advance(ttl + margin - slack)
	e.wantDue(e.s, e.now)
	e.advance(2 * slack)
	if got, _ := e.due(e.s, e.now, 10); len(got) != 2 {
		e.Fatalf("Due after a second lapse: %v, want two rooms", got)
	}
}

func testLapseTakenOver(e *env) {
	o := e.join(e.s, ttl)
	e.held(e.s, o, room1, time.Time{}, 0)
	e.acquire(e.s, o, room2)
	e.advance(ttl + margin + slack)
	if got, _ := e.due(e.s, e.now, 10); len(got) != 2 {
		e.Fatalf("Due after the lapse: %v, want two rooms", got)
	}
	taker := e.join(e.s, ttl)
	e.acquire(e.s, taker, room1)
	e.wantDue(e.s, e.now, room2)
	r := e.acquire(e.s, taker, room2)
	e.wantDue(e.s, e.now)
	e.save(e.s, store.Batch{Key: room2, Epoch: r.Epoch, Then: store.Remove})
	e.advance(ttl + margin + slack)
	e.wantDue(e.s, e.now, room1)
}

// The owner of a lapsed room that nobody took saves it: what it says counts.
func testLapseSaved(e *env) {
	o := e.join(e.s, ttl)
	r1, r2 := e.held(e.s, o, room1, time.Time{}, 0), e.held(e.s, o, room2, time.Time{}, 4*ttl)
	e.advance(2 * ttl)
	e.wantDue(e.s, e.now, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Linger: -1}, store.Batch{Key: room2, Epoch: r2.Epoch})
	e.wantDue(e.s, e.now, room2)
	e.save(e.s,
		store.Batch{Key: room1, Epoch: r1.Epoch, Wake: e.now.Add(ttl), Then: store.Release},
		store.Batch{Key: room2, Epoch: r2.Epoch, Then: store.Release},
	)
	if next := e.wantDue(e.s, e.now); !next.Equal(e.now.Add(ttl)) {
		e.Fatalf("next is %v, want the time to wake, %v", next, e.now.Add(ttl))
	}
}

// Who asks when next says so, and never else, finds every room when it is due.
func testLapseNext(e *env) {
	forever, a, b := e.join(e.s, 0), e.join(e.s, ttl), e.join(e.s, 2*ttl)
	start := e.now
	at := map[store.Key]time.Duration{
		{Kind: "chat", Name: "sleeping"}: 30 * time.Minute,
		{Kind: "chat", Name: "acquired"}: ttl + margin,
		{Kind: "chat", Name: "lingers"}:  3 * ttl,
		{Kind: "chat", Name: "of b"}:     2*ttl + store.Margin(2*ttl),
		{Kind: "chat", Name: "wakes"}:    4 * ttl,
	}
	e.asleep(e.s, forever, store.Key{Kind: "chat", Name: "sleeping"}, start.Add(30*time.Minute))
	e.acquire(e.s, a, store.Key{Kind: "chat", Name: "acquired"})
	e.held(e.s, a, store.Key{Kind: "chat", Name: "lingers"}, time.Time{}, 2*ttl)
	e.acquire(e.s, b, store.Key{Kind: "chat", Name: "of b"})
	e.held(e.s, b, store.Key{Kind: "chat", Name: "wakes"}, start.Add(4*ttl), -1)
	for range 30 {
		keys, next := e.due(e.s, e.now, 10)
		for _, k := range keys {
			want, there := at[k]
			if late := e.now.Sub(start) - want; !there || late.Abs() > slack {
				e.Fatalf("%s was due after %v, and listed after %v", k, want, e.now.Sub(start))
			}
			delete(at, k)
			e.acquire(e.s, forever, k)
		}
		if len(at) == 0 {
			if len(keys) > 0 {
				_, next = e.due(e.s, e.now, 10)
			}
			if !next.IsZero() {
				e.Fatalf("nothing is left that could be due, and next is %v", next)
			}
			return
		}
		if !next.After(e.now) {
			e.Fatalf("next is %v at %v, with %v to come", next, e.now, at)
		}
		e.advance(next.Sub(e.now))
	}
	e.Fatalf("asked 30 times, and these were not listed: %v", at)
}
