package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/gosocka/socka/store"
)

var randomTests = []test{
	{"AgainstAModel", testRandom},
}

// testRandom does the same things to the store and to a model of it, and compares what they say. Its seed is fixed, so that
// it does the same in every run. No time in it comes near the end of a lease or of a Linger.
func testRandom(e *env) {
	rnd := rand.New(rand.NewPCG(1, 2))
	w := &world{env: e, rnd: rnd, handles: []store.Store{e.s, e.open()}, rooms: make(map[store.Key]*modelRoom)}
	for range 3 {
		w.join()
	}
	for i := range 400 {
		w.step()
		if e.Failed() {
			e.Fatalf("at step %d", i)
		}
		if i%5 == 0 {
			w.compare()
		}
	}
	w.compare()
}

// Leases of the model's owners are of ttl, 60 minutes, and the margin 12; time passes by 25 minutes.
const (
	randomStep   = 25 * time.Minute
	randomLinger = 33 * time.Minute
)

// world is a store and its model.
type world struct {
	*env
	rnd     *rand.Rand
	handles []store.Store
	owners  []*modelOwner // those that have not left
	rooms   map[store.Key]*modelRoom
	epochs  []store.Epoch // all that were given
}

type modelOwner struct {
	store.Owner
	age time.Duration // since the last renewal
}

type modelRoom struct {
	epoch  store.Epoch
	number uint64
	owner  *modelOwner
	wake   time.Time
	linger time.Duration
	parts  map[string]string
	logs   map[string]map[uint64]string
}

func (o *modelOwner) lapsed() bool { return o.age > ttl+margin }

func (w *world) handle() store.Store { return w.handles[w.rnd.IntN(len(w.handles))] }

func (w *world) key() store.Key {
	return store.Key{Kind: fmt.Sprint("kind", w.rnd.IntN(2)), Name: fmt.Sprint("room", w.rnd.IntN(5))}
}

func (w *world) join() {
	w.owners = append(w.owners, &modelOwner{Owner: w.env.join(w.handle(), ttl)})
}

func (w *world) step() {
	o := w.owners[w.rnd.IntN(len(w.owners))]
	switch n := w.rnd.IntN(100); {
	case n < 30:
		w.acquire(o, w.key())
	case n < 75:
		w.save()
	case n < 87:
		w.advance(randomStep)
		for _, o := range w.owners {
			o.age += randomStep
		}
	case n < 96:
		w.renew(w.handle(), o.Owner)
		o.age = 0
	default:
		w.leave(w.handle(), o.Owner)
		w.owners = slices.DeleteFunc(w.owners, func(other *modelOwner) bool { return other == o })
		for _, r := range w.rooms {
			if r.owner == o {
				r.owner = nil
			}
		}
		w.join()
	}
}

func (w *world) acquire(o *modelOwner, k store.Key) {
	r := w.rooms[k]
	got, err := w.handle().Acquire(w.Context(), o.ID, k)
	if r != nil && r.owner != nil && r.owner != o && !r.owner.lapsed() {
		if held := (*store.HeldError)(nil); !errors.As(err, &held) || held.Owner.ID != r.owner.ID {
			w.Errorf("Acquire(%s): error %v, want that %s has it", k, err, r.owner.ID)
		}
		return
	}
	if err != nil {
		w.Errorf("Acquire(%s): %v", k, err)
		return
	}
	if n := len(w.epochs); n > 0 && got.Epoch <= w.epochs[n-1] {
		w.Errorf("Acquire(%s): epoch %d after %d", k, got.Epoch, w.epochs[n-1])
	}
	w.epochs = append(w.epochs, got.Epoch)
	if r == nil {
		r = &modelRoom{parts: make(map[string]string), logs: make(map[string]map[uint64]string)}
		w.rooms[k] = r
	}
	r.owner, r.epoch, r.number = o, got.Epoch, 0
	w.wantSame(got, r.room(k))
}

// save saves one to three rooms, one in ten of them under an epoch that may be another's.
func (w *world) save() {
	var batches []store.Batch
	for range 1 + w.rnd.IntN(3) {
		k := w.key()
		if len(w.epochs) == 0 || slices.ContainsFunc(batches, func(b store.Batch) bool { return b.Key == k }) {
			continue
		}
		b := store.Batch{Key: k, Epoch: w.epochs[w.rnd.IntN(len(w.epochs))]}
		if r := w.rooms[k]; r != nil && w.rnd.IntN(10) > 0 {
			b.Epoch = r.epoch
			if w.rnd.IntN(3) > 0 {
				b.Number = r.number + 2 - w.rnd.Uint64N(min(r.number, 3)+1)
			}
		}
		w.fill(&b)
		batches = append(batches, b)
	}
	errs := w.handle().Save(w.Context(), batches)
	if len(errs) != len(batches) {
		w.Fatalf("Save of %d batches returned %d errors", len(batches), len(errs))
	}
	for i, b := range batches {
		r := w.rooms[b.Key]
		if r == nil || r.epoch != b.Epoch {
			if !errors.Is(errs[i], store.ErrFenced) {
				w.Errorf("Save of %s: error %v, want ErrFenced", b.Key, errs[i])
			}
			continue
		}
		if b.Number != 0 && b.Number < r.number {
			if !errors.Is(errs[i], store.ErrStale) {
				w.Errorf("Save of %s, number %d after %d: error %v, want ErrStale", b.Key, b.Number, r.number, errs[i])
			}
			continue
		}
		if errs[i] != nil {
			w.Errorf("Save of %s: %v", b.Key, errs[i])
		}
		r.number = max(r.number, b.Number)
		if b.Then == store.Remove {
			delete(w.rooms, b.Key)
			continue
		}
		r.apply(&b)
	}
}

func (w *world) fill(b *store.Batch) {
	name := func() string { return fmt.Sprint("name", w.rnd.IntN(3)) }
	for _, i := range w.rnd.Perm(3)[:w.rnd.IntN(3)] {
		// A part is either put or deleted.
		if n := fmt.Sprint("name", i); w.rnd.IntN(3) > 0 {
			b.Put = append(b.Put, parts(n, fmt.Sprint(w.rnd.IntN(1000)))...)
		} else {
			b.Delete = append(b.Delete, n)
		}
	}
	for range w.rnd.IntN(3) {
		b.Append = append(b.Append, appendTo(name(), 1+w.rnd.Uint64N(9), fmt.Sprint(w.rnd.IntN(1000))))
	}
	if w.rnd.IntN(3) == 0 {
		b.Trim = append(b.Trim, store.Trim{Log: name(), Before: w.rnd.Uint64N(11)})
	}
	if w.rnd.IntN(2) == 0 {
		b.Wake = w.now.Add(time.Duration(w.rnd.IntN(40)-10) * 10 * time.Minute)
	}
	b.Linger = []time.Duration{0, randomLinger, -1}[w.rnd.IntN(3)]
	b.Keep = w.rnd.IntN(4) == 0
	if n := w.rnd.IntN(10); n > 6 {
		b.Then = store.Release
		if n == 9 {
			b.Then = store.Remove
		}
	}
}

func (r *modelRoom) apply(b *store.Batch) {
	for _, name := range b.Delete {
		delete(r.parts, name)
	}
	for _, p := range b.Put {
		r.parts[p.Name] = string(p.Data)
	}
	for _, t := range b.Trim {
		for seq := range r.logs[t.Log] {
			if seq < t.Before {
				delete(r.logs[t.Log], seq)
			}
		}
	}
	for _, a := range b.Append {
		if r.logs[a.Log] == nil {
			r.logs[a.Log] = make(map[uint64]string)
		}
		r.logs[a.Log][a.Seq] = string(a.Data)
	}
	for name, log := range r.logs {
		if len(log) == 0 {
			delete(r.logs, name)
		}
	}
	if !b.Keep {
		r.wake, r.linger = b.Wake, b.Linger
	}
	if b.Then == store.Release {
		r.owner = nil
	}
}

func (r *modelRoom) room(k store.Key) *store.Room {
	out := &store.Room{
		Key: k, Epoch: r.epoch, Wake: r.wake, Linger: r.linger,
		Parts: make(map[string][]byte), Logs: make(map[string][]store.Record),
	}
	if r.owner != nil {
		out.Owner = r.owner.ID
	}
	for name, data := range r.parts {
		out.Parts[name] = []byte(data)
	}
	for name, log := range r.logs {
		for seq, data := range log {
			out.Logs[name] = append(out.Logs[name], store.Record{Seq: seq, Data: []byte(data)})
		}
		slices.SortFunc(out.Logs[name], func(a, b store.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	return out
}

// due says whether the room wants to be woken now, and if not, in how much time it will, by what is known now.
func (r *modelRoom) due(now time.Time) (due bool, in time.Duration, will bool) {
	var earliest time.Duration
	switch {
	case r.owner == nil && r.wake.IsZero():
		return false, 0, false
	case r.owner == nil:
		in = r.wake.Sub(now)
	case r.wake.IsZero() && r.linger < 0:
		return false, 0, false
	default:
		earliest = ttl + margin - r.owner.age
		in = ttl + r.linger - r.owner.age
		if wake := r.wake.Sub(now); r.linger < 0 || !r.wake.IsZero() && wake < in {
			in = wake
		}
		in = max(in, earliest)
	}
	return in <= 0, in, true
}

// compare compares all that reads say.
func (w *world) compare() {
	s := w.handle()
	var alive []store.OwnerID
	for _, o := range w.owners {
		if o.age < ttl {
			alive = append(alive, o.ID)
		}
	}
	if got := w.env.owners(s); !sameSet(got, alive) {
		w.Errorf("Owners: %v, want %v", got, alive)
	}
	var full, due []store.Key
	soonest := time.Duration(-1)
	for k, r := range w.rooms {
		want := r.room(k)
		if want.Empty() {
			if _, err := s.Load(w.Context(), k); !errors.Is(err, store.ErrNotFound) {
				w.Errorf("Load(%s): %v, want ErrNotFound", k, err)
			}
		} else {
			full = append(full, k)
			w.wantSame(w.load(s, k), want)
		}
		if is, in, will := r.due(w.now); is {
			due = append(due, k)
		} else if will && (soonest < 0 || in < soonest) {
			soonest = in
		}
	}
	sort.Slice(full, func(i, j int) bool { return full[i].Less(full[j]) })
	w.wantList("", store.Key{}, 100, full...)
	for _, entry := range w.list(s, "", store.Key{}, 100) {
		r := w.rooms[entry.Key].room(entry.Key)
		if entry.Epoch != r.Epoch || entry.Owner != r.Owner || !entry.Wake.Equal(r.Wake) || entry.Bytes != size(r) {
			w.Errorf("List: %+v, want what %+v has, and %d bytes", entry, *r, size(r))
		}
	}
	got, next := w.env.due(s, w.now, 100)
	if !sameSet(got, due) {
		w.Errorf("Due: %v, want in any order %v", got, due)
	}
	if !next.IsZero() && !next.After(w.now) || soonest >= 0 && (next.IsZero() || next.Sub(w.now) > soonest+slack) {
		w.Errorf("Due at %v: next is %v, want it in at most %v", w.now, next, soonest)
	}
}

func size(r *store.Room) (n int64) {
	for _, data := range r.Parts {
		n += int64(len(data))
	}
	for _, log := range r.Logs {
		for _, rec := range log {
			n += int64(len(rec.Data))
		}
	}
	return n
}

func sameSet[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(v T) bool { return !slices.Contains(b, v) })
}
