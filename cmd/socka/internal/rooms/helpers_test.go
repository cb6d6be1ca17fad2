package rooms

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

// put makes rooms in a store, as a server that is gone since.
func put(t *testing.T, s store.Store, rooms ...*store.Room) {
	t.Helper()
	o := joined(t, s, "a server that is gone")
	for _, r := range rooms {
		hold(t, s, o, r)
	}
	if err := s.Leave(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
}

func joined(t *testing.T, s store.Store, addr string) store.Owner {
	t.Helper()
	o, err := s.Join(t.Context(), store.Owner{Addr: addr}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// hold makes a room and leaves it with an owner.
func hold(t *testing.T, s store.Store, o store.Owner, r *store.Room) {
	t.Helper()
	got, err := s.Acquire(t.Context(), o.ID, r.Key)
	if err != nil {
		t.Fatal(err)
	}
	b := toSaved(r).batch(got)
	b.Then = store.Hold
	if err := s.Save(t.Context(), []store.Batch{*b})[0]; err != nil {
		t.Fatal(err)
	}
}

func key(kind, name string) store.Key { return store.Key{Kind: kind, Name: name} }

// sample is a room with all that a room may have.
func sample(kind, name string) *store.Room {
	h := snapshot.Header{Kind: "state", Version: 3, Encoding: snapshot.Msgpack, Pushes: 8}
	old, now := []byte{0x81, 0xa1, 'n', 1}, []byte{0x82, 0xa1, 'n', 1, 0xa1, 'm', 2}
	return &store.Room{
		Key: key(kind, name), Wake: time.Date(2026, 5, 6, 7, 8, 9, 123000, time.UTC), Linger: 90 * time.Second,
		Parts: map[string][]byte{
			"state":    snapshot.Append(nil, h, old),
			"sessions": snapshot.Append(nil, snapshot.Header{Kind: "sessions"}, []byte(`[{"id":"a<b"}]`)),
			"raw":      {0xff, 0xfe, name[0]},
			"empty":    {},
		},
		Logs: map[string][]store.Record{
			"state":  {{Seq: 4, Data: snapshot.AppendPatch(nil, h, snapshot.Diff(old, now))}},
			"pushes": {{Seq: 7, Data: snapshot.Append(nil, snapshot.Header{Kind: "push"}, []byte(`{"text":"hi"}`))}, {Seq: 9, Data: []byte("plain")}},
		},
	}
}

// small is a room with little in it.
func small(kind, name, text string) *store.Room {
	return &store.Room{Key: key(kind, name), Parts: map[string][]byte{"state": []byte(text)}}
}

// contents are all rooms of a store as lines of a file.
func contents(t *testing.T, s store.Store) string {
	t.Helper()
	var b strings.Builder
	for e, err := range All(t.Context(), s, "", store.Key{}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Load(t.Context(), e.Key)
		if err != nil {
			t.Fatal(err)
		}
		r.Updated = time.Time{}
		l, err := toLine(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", l.Room)
	}
	return b.String()
}

// exported is a store's file.
func exported(t *testing.T, s store.Store) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := Export(t.Context(), s, &out, "", nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// notes are the rooms and lines that were left out.
type notes []string

func (n *notes) left(what, why string) { *n = append(*n, what+": "+why) }

func imported(t *testing.T, s store.Store, file []byte, o ImportOptions) (*Imported, notes) {
	t.Helper()
	var left notes
	o.Left = left.left
	done, err := Import(t.Context(), s, bytes.NewReader(file), &o)
	if err != nil {
		t.Fatal(err)
	}
	return done, left
}

// nobody asserts that no owner is left behind but these.
func nobody(t *testing.T, s store.Store, but ...store.Owner) {
	t.Helper()
	live, err := s.Owners(context.WithoutCancel(t.Context()))
	if err != nil || len(live) != len(but) {
		t.Errorf("owners are left behind: %+v, error %v", live, err)
	}
}

// faulty is a store that fails when it is told to.
type faulty struct {
	store.Store
	load  func(store.Key) error
	save  func([]store.Batch) error
	renew func() error
}

func (f *faulty) Load(ctx context.Context, k store.Key) (*store.Room, error) {
	if f.load != nil {
		if err := f.load(k); err != nil {
			return nil, err
		}
	}
	return f.Store.Load(ctx, k)
}

func (f *faulty) Save(ctx context.Context, batches []store.Batch) []error {
	if f.save != nil {
		if err := f.save(batches); err != nil {
			errs := make([]error, len(batches))
			for i := range errs {
				errs[i] = err
			}
			return errs
		}
	}
	return f.Store.Save(ctx, batches)
}

func (f *faulty) Renew(ctx context.Context, id store.OwnerID) error {
	if f.renew != nil {
		return f.renew()
	}
	return f.Store.Renew(ctx, id)
}
