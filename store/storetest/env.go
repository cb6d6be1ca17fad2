package storetest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
)

// What leases in the tests are like. Nothing is asserted within slack of the end of one.
const (
	ttl   = time.Hour
	slack = time.Minute
)

var (
	margin = store.Margin(ttl)
	room1  = store.Key{Kind: "chat", Name: "one"}
	room2  = store.Key{Kind: "chat", Name: "two"}
	room3  = store.Key{Kind: "game", Name: "one"}
)

// env is what one test works with.
type env struct {
	*testing.T
	harness Harness
	s       store.Store // a first handle
	settle  func()      // in a bubble: waits until everybody else waits; otherwise does nothing
	now     time.Time   // what the test passes to Due: the wall clock at its begin, and what has been made to pass since
}

func newEnv(t *testing.T, h Harness, settle func()) *env {
	t.Helper()
	e := &env{T: t, harness: h, settle: settle, now: time.UnixMicro(time.Now().UnixMicro())}
	e.s = e.open()
	return e
}

// open makes a further handle, which is closed at the end of the test.
func (e *env) open() store.Store {
	e.Helper()
	s := e.harness.Open(e.T)
	e.Cleanup(func() {
		if err := s.Close(); err != nil {
			e.Errorf("Close: %v", err)
		}
	})
	return s
}

func (e *env) advance(d time.Duration) {
	e.Helper()
	e.harness.Advance(e.T, d)
	e.now = e.now.Add(d)
}

func (e *env) join(s store.Store, ttl time.Duration) store.Owner {
	e.Helper()
	o, err := s.Join(e.Context(), store.Owner{Addr: "127.0.0.1:1"}, ttl)
	if err != nil {
		e.Fatalf("Join: %v", err)
	}
	return o
}

func (e *env) renew(s store.Store, o store.Owner) {
	e.Helper()
	if err := s.Renew(e.Context(), o.ID); err != nil {
		e.Fatalf("Renew: %v", err)
	}
}

func (e *env) leave(s store.Store, o store.Owner) {
	e.Helper()
	if err := s.Leave(e.Context(), o.ID); err != nil {
		e.Fatalf("Leave: %v", err)
	}
}

func (e *env) owners(s store.Store) []store.OwnerID {
	e.Helper()
	list, err := s.Owners(e.Context())
	if err != nil {
		e.Fatalf("Owners: %v", err)
	}
	var ids []store.OwnerID
	for _, o := range list {
		ids = append(ids, o.ID)
	}
	return ids
}

func (e *env) acquire(s store.Store, o store.Owner, k store.Key) *store.Room {
	e.Helper()
	r, err := s.Acquire(e.Context(), o.ID, k)
	if err != nil {
		e.Fatalf("Acquire(%s): %v", k, err)
	}
	return r
}

func (e *env) load(s store.Store, k store.Key) *store.Room {
	e.Helper()
	r, err := s.Load(e.Context(), k)
	if err != nil {
		e.Fatalf("Load(%s): %v", k, err)
	}
	return r
}

// trySave saves one batch.
func (e *env) trySave(s store.Store, b store.Batch) error {
	e.Helper()
	errs := s.Save(e.Context(), []store.Batch{b})
	if len(errs) != 1 {
		e.Fatalf("Save of one batch returned %d errors: %v", len(errs), errs)
	}
	return errs[0]
}

func (e *env) save(s store.Store, batches ...store.Batch) {
	e.Helper()
	errs := s.Save(e.Context(), batches)
	if len(errs) != len(batches) {
		e.Fatalf("Save of %d batches returned %d errors: %v", len(batches), len(errs), errs)
	}
	for i, err := range errs {
		if err != nil {
			e.Fatalf("Save, batch %d (%s): %v", i, batches[i].Key, err)
		}
	}
}

// asleep makes a room that has a part and that nobody has.
func (e *env) asleep(s store.Store, o store.Owner, k store.Key, wake time.Time) {
	e.Helper()
	r := e.acquire(s, o, k)
	e.save(s, store.Batch{Key: k, Epoch: r.Epoch, Put: parts("state", k.Name), Wake: wake, Then: store.Release})
}

func (e *env) due(s store.Store, now time.Time, limit int) ([]store.Key, time.Time) {
	e.Helper()
	keys, next, err := s.Due(e.Context(), now, limit)
	if err != nil {
		e.Fatalf("Due: %v", err)
	}
	return keys, next
}

// wantDue asserts what is due at a time, in order.
func (e *env) wantDue(s store.Store, now time.Time, want ...store.Key) (next time.Time) {
	e.Helper()
	got, next := e.due(s, now, 100)
	if !slices.Equal(got, want) {
		e.Fatalf("Due: got %v, want %v", got, want)
	}
	if !next.IsZero() && !next.After(now) {
		e.Fatalf("Due with nothing left over: next is %v, not after now, %v", next, now)
	}
	return next
}

func (e *env) wantOwners(s store.Store, want ...store.OwnerID) {
	e.Helper()
	if got := e.owners(s); !slices.Equal(got, want) {
		e.Fatalf("Owners: got %v, want %v", got, want)
	}
}

// parts makes parts of names and values in turn.
func parts(namesAndValues ...string) []store.Part {
	var list []store.Part
	for i := 0; i < len(namesAndValues); i += 2 {
		list = append(list, store.Part{Name: namesAndValues[i], Data: []byte(namesAndValues[i+1])})
	}
	return list
}

func appendTo(log string, seq uint64, data string) store.Append {
	return store.Append{Log: log, Record: store.Record{Seq: seq, Data: []byte(data)}}
}

// wantParts asserts the parts of a room, given as names and values in turn.
func (e *env) wantParts(r *store.Room, namesAndValues ...string) {
	e.Helper()
	want := make(map[string][]byte)
	for _, p := range parts(namesAndValues...) {
		want[p.Name] = p.Data
	}
	if !maps.EqualFunc(r.Parts, want, bytes.Equal) {
		e.Fatalf("parts of %s: got %q, want %q", r.Key, r.Parts, want)
	}
}

// wantLog asserts the records of one log, given as "seq:data".
func (e *env) wantLog(r *store.Room, log string, want ...string) {
	e.Helper()
	var got []string
	for _, rec := range r.Logs[log] {
		got = append(got, fmt.Sprintf("%d:%s", rec.Seq, rec.Data))
	}
	if !slices.Equal(got, want) {
		e.Fatalf("log %q of %s: got %q, want %q", log, r.Key, got, want)
	}
}

// wantSame asserts that two rooms are equal, but for Updated.
func (e *env) wantSame(got, want *store.Room) {
	e.Helper()
	equal := got.Key == want.Key && got.Epoch == want.Epoch && got.Owner == want.Owner && got.Wake.Equal(want.Wake) &&
		got.Linger == want.Linger && maps.EqualFunc(got.Parts, want.Parts, bytes.Equal) &&
		maps.EqualFunc(got.Logs, want.Logs, func(a, b []store.Record) bool {
			return slices.EqualFunc(a, b, func(a, b store.Record) bool { return a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) })
		})
	if !equal {
		e.Fatalf("the room is\n%+v, want\n%+v", *got, *want)
	}
}
