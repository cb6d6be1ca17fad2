package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/gosocka/socka/store"
)

var acquireTests = []test{
	{"Absent", testAcquireAbsent},
	{"Released", testAcquireReleased},
	{"Own", testAcquireOwn},
	{"Held", testAcquireHeld},
	{"HeldUntilTheMarginIsOver", testAcquireMargin},
	{"Lapsed", testAcquireLapsed},
	{"ByAnOwnerThatIsGone", testAcquireByGone},
	{"ByAnOwnerWhoseLeaseEnded", testAcquireByEnded},
	{"Removed", testAcquireRemoved},
	{"RefusedNames", testAcquireRefused},
	{"Load", testLoad},
	{"LoadNotFound", testLoadNotFound},
}

// wantHeld asserts that o does not get a room, because another has it.
func (e *env) wantHeld(s store.Store, o store.Owner, k store.Key, by store.Owner) {
	e.Helper()
	r, err := s.Acquire(e.Context(), o.ID, k)
	var held *store.HeldError
	if !errors.As(err, &held) {
		e.Fatalf("Acquire(%s) of a held room: %+v, error %v; want a *HeldError", k, r, err)
	}
	if held.Key != k || held.Owner.ID != by.ID || held.Owner.Addr != by.Addr {
		e.Fatalf("HeldError has %s and owner %s (%s), want %s and %s (%s)", held.Key, held.Owner.ID, held.Owner.Addr, k, by.ID, by.Addr)
	}
}

func testAcquireAbsent(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	if r.Key != room1 || r.Owner != o.ID || r.Epoch == 0 || !r.Empty() || !r.Wake.IsZero() || r.Linger != 0 || !r.Updated.IsZero() {
		e.Fatalf("a new room is %+v", *r)
	}
	// The same name of another kind is another room.
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	if r := e.acquire(e.s, o, room3); !r.Empty() {
		e.Fatalf("room %s has what was saved for %s", room3, room1)
	}
}

func testAcquireReleased(e *env) {
	a, b := e.join(e.s, ttl), e.join(e.s, ttl)
	wake := e.now.Add(time.Hour)
	r := e.acquire(e.s, a, room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "a", "sessions", "b"), Append: []store.Append{appendTo("log", 1, "c")},
		Wake: wake, Linger: time.Minute, Then: store.Release,
	})
	got := e.acquire(e.open(), b, room1)
	if got.Owner != b.ID || got.Epoch <= r.Epoch || !got.Wake.Equal(wake) || got.Linger != time.Minute || got.Updated.IsZero() {
		e.Fatalf("a released room is acquired as %+v", *got)
	}
	e.wantParts(got, "state", "a", "sessions", "b")
	e.wantLog(got, "log", "1:c")
}

func testAcquireOwn(e *env) {
	o := e.join(e.s, ttl)
	first := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: first.Epoch, Put: parts("state", "a")})
	second := e.acquire(e.open(), o, room1)
	if second.Epoch <= first.Epoch || second.Owner != o.ID {
		e.Fatalf("acquired again: epoch %d after %d, owner %q", second.Epoch, first.Epoch, second.Owner)
	}
	e.wantParts(second, "state", "a")
	e.wantFenced(e.s, store.Batch{Key: room1, Epoch: first.Epoch, Put: parts("state", "b")})
}

func testAcquireHeld(e *env) {
	a := e.join(e.s, ttl)
	other := e.open()
	b, err := other.Join(e.Context(), store.Owner{Addr: "127.0.0.1:2"}, ttl)
	if err != nil {
		e.Fatal(err)
	}
	r := e.acquire(e.s, a, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	want := e.load(e.s, room1)
	e.wantHeld(other, b, room1, a)
	e.wantSame(e.load(e.s, room1), want)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "b")})
	e.acquire(other, b, room2)
	e.wantHeld(e.s, a, room2, b)
}

func testAcquireMargin(e *env) {
	a, b := e.join(e.s, ttl), e.join(e.s, 0)
	e.acquire(e.s, a, room1)
	e.advance(ttl - slack)
	e.wantHeld(e.s, b, room1, a)
	e.advance(slack + margin - slack)
	e.wantHeld(e.s, b, room1, a)
	e.advance(2 * slack)
	e.acquire(e.s, b, room1)
	e.wantHeld(e.s, a, room1, b)
}

func testAcquireLapsed(e *env) {
	a := e.join(e.s, ttl)
	r := e.acquire(e.s, a, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}})
	e.advance(ttl + margin + slack)
	other := e.open()
	got := e.acquire(other, e.join(other, ttl), room1)
	if got.Epoch <= r.Epoch {
		e.Fatalf("a room taken over has epoch %d after %d", got.Epoch, r.Epoch)
	}
	e.wantParts(got, "state", "a")
	e.wantLog(got, "log", "1:b")
	e.wantFenced(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "stale")})
}

func testAcquireByGone(e *env) {
	o := e.join(e.s, ttl)
	e.leave(e.s, o)
	for _, id := range []store.OwnerID{o.ID, "nobody", ""} {
		if r, err := e.s.Acquire(e.Context(), id, room1); !errors.Is(err, store.ErrLapsed) {
			e.Errorf("Acquire by %q, who is gone: %+v, error %v; want ErrLapsed", id, r, err)
		}
	}
	e.wantDue(e.s, e.now)
}

// An owner whose row is there acquires and saves, ended lease or not: the epoch alone decides.
func testAcquireByEnded(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.advance(ttl + margin + slack)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	e.wantParts(e.acquire(e.s, o, room1), "state", "a")
	e.acquire(e.s, o, room2)
}

func testAcquireRemoved(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}, Wake: e.now, Linger: time.Hour,
	})
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Then: store.Remove})
	got := e.acquire(e.open(), e.join(e.s, ttl), room1)
	if !got.Empty() || !got.Wake.IsZero() || got.Linger != 0 || !got.Updated.IsZero() || got.Epoch <= r.Epoch {
		e.Fatalf("a removed room, acquired again after epoch %d: %+v", r.Epoch, *got)
	}
}

// badKeys are names that no room may have.
func badKeys() []store.Key {
	long := strings.Repeat("n", store.MaxNameBytes+1)
	return []store.Key{{}, {Kind: "chat"}, {Name: "one"}, {Kind: long, Name: "one"}, {Kind: "chat", Name: long}}
}

func testAcquireRefused(e *env) {
	o := e.join(e.s, ttl)
	for _, k := range badKeys() {
		var held *store.HeldError
		if _, err := e.s.Acquire(e.Context(), o.ID, k); err == nil || errors.As(err, &held) || errors.Is(err, store.ErrLapsed) {
			e.Errorf("Acquire(%.20q): error %v; want one that says that the name is not allowed", k.String(), err)
		}
	}
	e.advance(ttl + margin + slack)
	e.wantDue(e.s, e.now)
}

func testLoad(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	wake := e.now.Add(time.Hour)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}, Wake: wake, Linger: -1,
	})
	other := e.open()
	got := e.load(other, room1)
	e.wantSame(got, &store.Room{
		Key: room1, Epoch: r.Epoch, Owner: o.ID, Wake: wake, Linger: -1,
		Parts: map[string][]byte{"state": []byte("a")}, Logs: map[string][]store.Record{"log": {{Seq: 1, Data: []byte("b")}}},
	})
	if got.Updated.IsZero() {
		e.Fatal("a saved room has no Updated")
	}
	// It was not acquired.
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "c"), Then: store.Release})
	e.wantParts(e.load(other, room1), "state", "c")
	if got := e.load(other, room1); got.Owner != "" || got.Epoch != r.Epoch {
		e.Fatalf("loaded after Release: owner %q, epoch %d", got.Owner, got.Epoch)
	}
}

func testLoadNotFound(e *env) {
	wantNone := func(what string) {
		e.Helper()
		if r, err := e.s.Load(e.Context(), room1); !errors.Is(err, store.ErrNotFound) {
			e.Fatalf("Load of a room %s: %+v, error %v; want ErrNotFound", what, r, err)
		}
	}
	wantNone("that is not there")
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	wantNone("that was acquired and not saved")
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b")}})
	e.load(e.s, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Delete: []string{"state"}})
	e.load(e.s, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Trim: []store.Trim{{Log: "log", Before: 2}}})
	wantNone("whose parts and records are gone")
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a")})
	e.load(e.s, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Then: store.Remove})
	wantNone("that was removed")
	for _, k := range badKeys() {
		if _, err := e.s.Load(e.Context(), k); err == nil {
			e.Errorf("Load(%.20q) found something", k.String())
		}
	}
}
