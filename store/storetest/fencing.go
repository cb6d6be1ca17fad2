package storetest

import (
	"errors"
	"time"

	"github.com/gosocka/socka/store"
)

var fenceTests = []test{
	{"EveryKindOfBatch", testFenceKinds},
	{"AbsentRooms", testFenceAbsent},
	{"AfterATakeover", testFenceTakeover},
	{"NotByTheLease", testFenceNotByLease},
	{"NotByRelease", testFenceNotByRelease},
}

// wantFenced asserts that a batch is refused with ErrFenced.
func (e *env) wantFenced(s store.Store, b store.Batch) {
	e.Helper()
	if err := e.trySave(s, b); !errors.Is(err, store.ErrFenced) {
		e.Fatalf("Save of %s under epoch %d: error %v, want ErrFenced", b.Key, b.Epoch, err)
	}
}

// kindsOfBatch are batches for room1 that each do one thing to what setUp made.
func (e *env) kindsOfBatch() map[string]store.Batch {
	return map[string]store.Batch{
		"put a new part":    {Put: parts("other", "x")},
		"put a part":        {Put: parts("state", "x")},
		"delete a part":     {Delete: []string{"state"}},
		"append a record":   {Append: []store.Append{appendTo("log", 3, "x")}},
		"replace a record":  {Append: []store.Append{appendTo("log", 1, "x")}},
		"begin a log":       {Append: []store.Append{appendTo("other", 1, "x")}},
		"trim":              {Trim: []store.Trim{{Log: "log", Before: 2}}},
		"set Wake":          {Wake: e.now.Add(2 * time.Hour)},
		"clear Wake":        {},
		"set Linger":        {Wake: e.now.Add(time.Hour), Linger: time.Second},
		"keep":              {Keep: true},
		"release":           {Keep: true, Then: store.Release},
		"remove":            {Then: store.Remove},
		"put and release":   {Put: parts("state", "x"), Then: store.Release},
		"append and remove": {Append: []store.Append{appendTo("log", 3, "x")}, Then: store.Remove},
	}
}

func testFenceKinds(e *env) {
	o := e.join(e.s, ttl)
	old := e.acquire(e.s, o, room1).Epoch
	r := e.acquire(e.s, o, room1)
	e.save(e.s, store.Batch{
		Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Append: []store.Append{appendTo("log", 1, "b"), appendTo("log", 2, "c")},
		Wake: e.now.Add(time.Hour), Linger: -1,
	})
	want := e.load(e.s, room1)
	for name, b := range e.kindsOfBatch() {
		b.Key = room1
		for _, epoch := range []store.Epoch{old, r.Epoch - 1, r.Epoch + 1, 0, 1, 1<<53 - 1} {
			b.Epoch = epoch
			if err := e.trySave(e.s, b); !errors.Is(err, store.ErrFenced) {
				e.Fatalf("%s, under epoch %d of a room with epoch %d: error %v, want ErrFenced", name, epoch, r.Epoch, err)
			}
		}
		got := e.load(e.s, room1)
		e.wantSame(got, want)
		if !got.Updated.Equal(want.Updated) {
			e.Fatalf("%s, fenced, changed Updated from %v to %v", name, want.Updated, got.Updated)
		}
	}
	e.wantHeld(e.s, e.join(e.s, ttl), room1, o)
}

func testFenceAbsent(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room2)
	e.save(e.s, store.Batch{Key: room2, Epoch: r.Epoch, Put: parts("state", "a"), Then: store.Remove})
	for name, b := range e.kindsOfBatch() {
		for k, epoch := range map[store.Key]store.Epoch{room1: 0, room3: r.Epoch, room2: r.Epoch} {
			b.Key, b.Epoch = k, epoch
			if err := e.trySave(e.s, b); !errors.Is(err, store.ErrFenced) {
				e.Fatalf("%s of %s, which is not there: error %v, want ErrFenced", name, k, err)
			}
		}
	}
	if list, err := e.s.List(e.Context(), "", store.Key{}, 10); err != nil || len(list) != 0 {
		e.Fatalf("List after saves of rooms that are not there: %v (%v)", list, err)
	}
	e.wantDue(e.s, e.now.Add(10*time.Hour))
}

func testFenceTakeover(e *env) {
	other := e.open()
	a, b := e.join(e.s, ttl), e.join(other, ttl)
	old := e.acquire(e.s, a, room1)
	e.save(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Put: parts("state", "a")})
	e.advance(ttl / 2)
	e.renew(other, b)
	e.advance(ttl/2 + margin + slack)
	r := e.acquire(other, b, room1)
	e.wantFenced(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Put: parts("state", "stale")})
	e.wantFenced(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Then: store.Release})
	e.wantHeld(e.s, a, room1, b)
	e.save(other, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "b"), Then: store.Release})
	// Also while nobody has it.
	e.wantFenced(e.s, store.Batch{Key: room1, Epoch: old.Epoch, Then: store.Remove})
	e.wantParts(e.load(e.s, room1), "state", "b")
}

// A lease that has ended stops no save: nobody has taken the room.
func testFenceNotByLease(e *env) {
	o := e.join(e.s, ttl)
	r := e.acquire(e.s, o, room1)
	e.advance(10 * ttl)
	e.save(e.s, store.Batch{Key: room1, Epoch: r.Epoch, Put: parts("state", "a"), Then: store.Release})
	e.wantParts(e.load(e.s, room1), "state", "a")
}

// Release, and Leave, leave the epoch: what is under way still gets in, and the room stays nobody's.
func testFenceNotByRelease(e *env) {
	o := e.join(e.s, ttl)
	r1, r2 := e.acquire(e.s, o, room1), e.acquire(e.s, o, room2)
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Then: store.Release})
	e.save(e.s, store.Batch{Key: room1, Epoch: r1.Epoch, Put: parts("state", "a")})
	e.leave(e.s, o)
	e.save(e.s, store.Batch{Key: room2, Epoch: r2.Epoch, Put: parts("state", "b")})
	for k, value := range map[store.Key]string{room1: "a", room2: "b"} {
		got := e.load(e.s, k)
		e.wantParts(got, "state", value)
		if got.Owner != "" {
			e.Fatalf("%s is %q's after a late save, want nobody's", k, got.Owner)
		}
	}
}
