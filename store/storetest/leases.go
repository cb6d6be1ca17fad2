package storetest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gosocka/socka/store"
)

var leaseTests = []test{
	{"Join", testJoin},
	{"JoinCopiesProps", testJoinCopiesProps},
	{"JoinRefusesShortLeases", testJoinRefuses},
	{"OwnersOldestFirst", testOwnersOldestFirst},
	{"OwnersWithoutEndedLeases", testOwnersWithoutEnded},
	{"ZeroNeverEnds", testZeroNeverEnds},
	{"RenewProlongs", testRenewProlongs},
	{"RenewOfAnEndedLease", testRenewEnded},
	{"RenewAfterATakeover", testRenewAfterTakeover},
	{"RenewOfNobody", testRenewOfNobody},
	{"Leave", testLeave},
	{"LeaveTwice", testLeaveTwice},
	{"LeaveLeavesOthersAlone", testLeaveLeavesOthers},
	{"WallClockForward", testLeaseWallForward},
	{"WallClockBack", testLeaseWallBack},
}

func testJoin(e *env) {
	props := map[string]string{"version": "1.2", "": "empty", "drains": ""}
	seen := make(map[store.OwnerID]bool)
	for range 10 {
		o, err := e.s.Join(e.Context(), store.Owner{ID: "mine", Addr: "10.0.0.1:80", Props: props}, ttl)
		if err != nil {
			e.Fatalf("Join: %v", err)
		}
		if o.ID == "" || o.ID == "mine" || seen[o.ID] {
			e.Fatalf("Join gave the ID %q; want one of its own that it never gave before", o.ID)
		}
		seen[o.ID] = true
		if o.Addr != "10.0.0.1:80" || !maps.Equal(o.Props, props) || o.TTL != ttl {
			e.Fatalf("Join returned %+v", o)
		}
		if d := o.Expires.Sub(o.Joined) - ttl; o.Joined.IsZero() || d.Abs() > slack {
			e.Fatalf("Join: Joined %v, Expires %v, want them %v apart", o.Joined, o.Expires, ttl)
		}
	}
	list, err := e.open().Owners(e.Context())
	if err != nil || len(list) != 10 {
		e.Fatalf("Owners on another handle: %d owners (%v), want 10", len(list), err)
	}
	for _, o := range list {
		if !seen[o.ID] || o.Addr != "10.0.0.1:80" || !maps.Equal(o.Props, props) || o.TTL != ttl {
			e.Fatalf("Owners has %+v", o)
		}
		if d := o.Expires.Sub(o.Joined) - ttl; o.Joined.IsZero() || d.Abs() > slack {
			e.Fatalf("Owners: Joined %v, Expires %v, want them %v apart", o.Joined, o.Expires, ttl)
		}
	}
}

func testJoinCopiesProps(e *env) {
	props := map[string]string{"version": "1"}
	if _, err := e.s.Join(e.Context(), store.Owner{Props: props}, ttl); err != nil {
		e.Fatal(err)
	}
	props["version"] = "mine"
	for range 2 {
		list, err := e.s.Owners(e.Context())
		if err != nil || len(list) != 1 || list[0].Props["version"] != "1" {
			e.Fatalf("Owners: %+v (%v), want version 1: maps are copied", list, err)
		}
		list[0].Props["version"] = "mine"
	}
}

func testJoinRefuses(e *env) {
	for _, d := range []time.Duration{store.MinTTL - 1, time.Nanosecond, -1, -time.Hour} {
		if o, err := e.s.Join(e.Context(), store.Owner{}, d); err == nil {
			e.Errorf("Join with a lease of %v made %+v, want an error", d, o)
		}
	}
	e.wantOwners(e.s)
	e.join(e.s, store.MinTTL)
}

func testOwnersOldestFirst(e *env) {
	other := e.open()
	var want []store.OwnerID
	for i := range 6 {
		s := e.s
		if i%2 == 1 {
			s = other
		}
		want = append(want, e.join(s, ttl).ID)
		e.advance(time.Second)
	}
	e.wantOwners(e.s, want...)
	e.wantOwners(other, want...)
}

func testOwnersWithoutEnded(e *env) {
	short := e.join(e.s, ttl)
	e.advance(time.Second)
	long := e.join(e.s, 3*ttl)
	e.advance(ttl - slack)
	e.wantOwners(e.s, short.ID, long.ID)
	e.advance(2 * slack)
	e.wantOwners(e.s, long.ID)
	e.wantOwners(e.open(), long.ID)
}

func testZeroNeverEnds(e *env) {
	o := e.join(e.s, 0)
	if !o.Expires.IsZero() || o.TTL != 0 {
		e.Fatalf("Join with ttl 0: %+v, want no Expires", o)
	}
	e.asleep(e.s, o, room2, time.Time{})
	e.acquire(e.s, o, room1)
	e.advance(10_000 * time.Hour)
	e.renew(e.s, o)
	e.advance(10_000 * time.Hour)
	list, err := e.s.Owners(e.Context())
	if err != nil || len(list) != 1 || list[0].ID != o.ID || !list[0].Expires.IsZero() {
		e.Fatalf("Owners: %+v (%v), want %s without Expires", list, err, o.ID)
	}
	e.wantHeld(e.s, e.join(e.s, ttl), room1, o)
}

func testRenewProlongs(e *env) {
	o, taker := e.join(e.s, ttl), e.join(e.s, 0)
	e.acquire(e.s, o, room1)
	other := e.open()
	for range 5 {
		e.advance(ttl * 3 / 4)
		e.renew(e.s, o)
	}
	e.advance(ttl * 3 / 4)
	if !slices.Contains(e.owners(other), o.ID) {
		e.Fatal("a renewed owner is not listed")
	}
	e.wantHeld(other, taker, room1, o)
	// By its whole ttl, and no longer.
	e.advance(ttl/4 + margin + slack)
	if slices.Contains(e.owners(other), o.ID) {
		e.Fatal("an owner is listed beyond its ttl after the last renewal")
	}
	e.acquire(other, taker, room1)
}

func testRenewEnded(e *env) {
	o, taker := e.join(e.s, ttl), e.join(e.s, 0)
	r := e.acquire(e.s, o, room1)
	e.advance(3 * ttl)
	e.renew(e.s, o)
	if !slices.Contains(e.owners(e.s), o.ID) {
		e.Fatal("an owner that renewed its ended lease is not listed")
	}
	e.wantHeld(e.s, taker, room1, o)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "late")})
	e.wantParts(e.load(e.s, room1), "state", "late")
}

func testRenewAfterTakeover(e *env) {
	o, taker := e.join(e.s, ttl), e.join(e.s, 0)
	r1, r2 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2)
	e.advance(3 * ttl)
	e.acquire(e.s, taker, room1)
	e.renew(e.s, o)
	errs := e.s.Save(e.Context(), []store.Batch{
		{Key: room1, Epoch: r1.Epoch, Put: parts("state", "stale")},
		{Key: room2, Epoch: r2.Epoch, Put: parts("state", "good")},
	})
	if len(errs) != 2 || !errors.Is(errs[0], store.ErrFenced) || errs[1] != nil {
		e.Fatalf("Save of a room taken meanwhile and one that was not: %v, want ErrFenced and nil", errs)
	}
	e.wantHeld(e.s, o, room1, taker)
	e.wantHeld(e.s, taker, room2, o)
}

func testRenewOfNobody(e *env) {
	if err := e.s.Renew(e.Context(), "nobody"); !errors.Is(err, store.ErrLapsed) {
		e.Errorf("Renew of an owner that never was: %v, want ErrLapsed", err)
	}
	o := e.join(e.s, ttl)
	e.leave(e.s, o)
	if err := e.s.Renew(e.Context(), o.ID); !errors.Is(err, store.ErrLapsed) {
		e.Errorf("Renew after Leave: %v, want ErrLapsed", err)
	}
	e.wantOwners(e.s)
}

func testLeave(e *env) {
	o := e.join(e.s, ttl)
	wake := e.now.Add(5 * time.Hour)
	r1, r2 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r1.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 7, "b")}, Wake: wake, Linger: time.Hour,
	}, store.Batch{Key: room2, Epoch: r2.Epoch, Put: parts("state", "c")})
	want := e.load(e.s, room1)
	want.Owner = ""
	e.leave(e.s, o)
	e.wantSame(e.load(e.s, room1), want)
	if got := e.load(e.s, room2); got.Owner != "" || got.Epoch != r2.Epoch {
		e.Fatalf("after Leave: owner %q, epoch %d; want nobody and %d", got.Owner, got.Epoch, r2.Epoch)
	}
	e.wantOwners(e.s)
	// Nobody's: it is due by Wake alone, and anybody may have it.
	if next := e.wantDue(e.s, e.now.Add(2*time.Hour)); !next.Equal(wake) {
		e.Fatalf("Due: next %v, want the time to wake, %v", next, wake)
	}
	e.wantDue(e.s, wake, room1)
	other := e.open()
	taker := e.join(other, ttl)
	e.wantParts(e.acquire(other, taker, room1), "state", "a")
	e.wantParts(e.acquire(other, taker, room2), "state", "c")
}

func testLeaveTwice(e *env) {
	o := e.join(e.s, ttl)
	other := e.open()
	e.leave(e.s, o)
	e.leave(other, o)
	e.leave(e.s, o)
	e.leave(e.s, store.Owner{ID: "nobody"})
}

func testLeaveLeavesOthers(e *env) {
	o, stays := e.join(e.s, ttl), e.join(e.s, ttl)
	e.acquire(e.s, o, room1)
	e.acquire(e.s, stays, room2)
	e.acquire(e.s, o, room3)
	// What was taken over is not given back by the one who had it.
	e.save(e.s, store.Batch{Key: room3, Epoch: e.acquire(e.s, o, room3).Epoch, Then: store.Release})
	e.acquire(e.s, stays, room3)
	e.leave(e.s, o)
	e.wantOwners(e.s, stays.ID)
	taker := e.join(e.s, ttl)
	e.acquire(e.s, taker, room1)
	e.wantHeld(e.s, taker, room2, stays)
	e.wantHeld(e.s, taker, room3, stays)
}

func testLeaseWallForward(e *env) {
	e.needJump()
	o, taker := e.join(e.s, ttl), e.join(e.s, 0)
	e.acquire(e.s, o, room1)
	e.harness.Jump(e.T, 48*time.Hour)
	if !slices.Contains(e.owners(e.s), o.ID) {
		e.Fatal("an owner's lease ended because the wall clock was set forward")
	}
	e.wantHeld(e.s, taker, room1, o)
}

func testLeaseWallBack(e *env) {
	e.needJump()
	o, taker := e.join(e.s, ttl), e.join(e.s, 0)
	e.acquire(e.s, o, room1)
	e.advance(ttl / 2)
	e.harness.Jump(e.T, -48*time.Hour)
	e.advance(ttl/2 + margin + slack)
	if slices.Contains(e.owners(e.s), o.ID) {
		e.Fatal("an owner's lease was prolonged because the wall clock was set back")
	}
	e.acquire(e.s, taker, room1)
}
