package storefault

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gosocka/socka/store"
)

// poll is how often Notify calls its function where the store is no notifier.
const poll = time.Second

// Store is a store.Store, and a store.Notifier, that does what another does, but for the faults that are injected. Its
// methods may be called from any goroutine. Make it with [Wrap].
type Store struct {
	inner  store.Store
	start  time.Time
	dead   chan struct{} // closed by Crash
	closed chan struct{} // closed by Close

	mu       sync.Mutex
	idle     sync.Cond // signaled when underWay becomes 0
	underWay int
	crashed  bool
	fate     Fate
	rnd      *rand.Rand
	faults   []*Injection
	notifies map[*notifying]struct{}
	lines    []string // of the log: a ring once there are logLines
	dropped  int      // lines that were overwritten
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Notifier = (*Store)(nil)
)

// Wrap makes a store without faults of one handle of another, which it closes when it is closed itself.
func Wrap(s store.Store) *Store {
	out := &Store{
		inner:    s,
		start:    time.Now(),
		dead:     make(chan struct{}),
		closed:   make(chan struct{}),
		notifies: make(map[*notifying]struct{}),
	}
	out.idle.L = &out.mu
	out.Seed(1)
	return out
}

// Seed begins chance anew. A new Store has seed 1.
func (s *Store) Seed(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rnd = rand.New(rand.NewPCG(seed, 0))
}

// Join is part of store.Store.
func (s *Store) Join(ctx context.Context, o store.Owner, ttl time.Duration) (out store.Owner, err error) {
	s.do(ctx, &call{
		op: Join, what: fmt.Sprintf("%s, %v", o.Addr, ttl),
		run:  func(ctx context.Context) error { out, err = s.inner.Join(ctx, o, ttl); return err },
		fail: func(e error) { out, err = store.Owner{}, e },
		late: func() func(context.Context) error {
			o.Props = maps.Clone(o.Props)
			return func(ctx context.Context) error { _, err := s.inner.Join(ctx, o, ttl); return err }
		},
	})
	return out, err
}

// Renew is part of store.Store.
func (s *Store) Renew(ctx context.Context, owner store.OwnerID) (err error) {
	s.do(ctx, &call{
		op: Renew, what: string(owner),
		run:  func(ctx context.Context) error { err = s.inner.Renew(ctx, owner); return err },
		fail: func(e error) { err = e },
		late: func() func(context.Context) error {
			return func(ctx context.Context) error { return s.inner.Renew(ctx, owner) }
		},
	})
	return err
}

// Leave is part of store.Store.
func (s *Store) Leave(ctx context.Context, owner store.OwnerID) (err error) {
	s.do(ctx, &call{
		op: Leave, what: string(owner),
		run:  func(ctx context.Context) error { err = s.inner.Leave(ctx, owner); return err },
		fail: func(e error) { err = e },
		late: func() func(context.Context) error {
			return func(ctx context.Context) error { return s.inner.Leave(ctx, owner) }
		},
	})
	return err
}

// Owners is part of store.Store.
func (s *Store) Owners(ctx context.Context) (list []store.Owner, err error) {
	s.do(ctx, &call{
		op:   Owners,
		run:  func(ctx context.Context) error { list, err = s.inner.Owners(ctx); return err },
		fail: func(e error) { list, err = nil, e },
	})
	return list, err
}

// Acquire is part of store.Store.
func (s *Store) Acquire(ctx context.Context, owner store.OwnerID, key store.Key) (r *store.Room, err error) {
	s.do(ctx, &call{
		op: Acquire, rooms: []store.Key{key}, what: fmt.Sprintf("%s by %s", key, owner),
		run:  func(ctx context.Context) error { r, err = s.inner.Acquire(ctx, owner, key); return err },
		fail: func(e error) { r, err = nil, e },
		late: func() func(context.Context) error {
			return func(ctx context.Context) error { _, err := s.inner.Acquire(ctx, owner, key); return err }
		},
	})
	return r, err
}

// Save is part of store.Store.
func (s *Store) Save(ctx context.Context, batches []store.Batch) (errs []error) {
	rooms := make([]store.Key, len(batches))
	for i := range batches {
		rooms[i] = batches[i].Key
	}
	s.do(ctx, &call{
		op: Save, rooms: rooms, what: describe(batches),
		run: func(ctx context.Context) error {
			errs = s.inner.Save(ctx, batches)
			return summary(errs)
		},
		fail: func(e error) {
			errs = make([]error, len(batches))
			for i := range errs {
				errs[i] = e
			}
		},
		late: func() func(context.Context) error {
			batches := cloneBatches(batches)
			return func(ctx context.Context) error { return summary(s.inner.Save(ctx, batches)) }
		},
		batches: batches,
		torn: func(ctx context.Context, done []bool, others error, blind bool) error {
			errs = s.saveSome(ctx, batches, done, others)
			if err := summary(errs); !blind {
				return err
			}
			for i := range errs {
				errs[i] = others
			}
			return others
		},
	})
	return errs
}

// saveSome carries out some batches; the others have an error.
func (s *Store) saveSome(ctx context.Context, batches []store.Batch, done []bool, others error) []error {
	var some []store.Batch
	for i := range batches {
		if done[i] {
			some = append(some, batches[i])
		}
	}
	errs := make([]error, len(batches))
	result := s.inner.Save(ctx, some)
	for i := range errs {
		if !done[i] {
			errs[i] = others
			continue
		}
		errs[i], result = result[0], result[1:]
	}
	return errs
}

// Due is part of store.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due []store.Key, next time.Time, err error) {
	s.do(ctx, &call{
		op:   Due,
		run:  func(ctx context.Context) error { due, next, err = s.inner.Due(ctx, now, limit); return err },
		fail: func(e error) { due, next, err = nil, time.Time{}, e },
	})
	return due, next, err
}

// List is part of store.Store.
func (s *Store) List(ctx context.Context, kind string, after store.Key, limit int) (list []store.Entry, err error) {
	s.do(ctx, &call{
		op: List, what: fmt.Sprintf("%q after %s", kind, after),
		run:  func(ctx context.Context) error { list, err = s.inner.List(ctx, kind, after, limit); return err },
		fail: func(e error) { list, err = nil, e },
	})
	return list, err
}

// Load is part of store.Store.
func (s *Store) Load(ctx context.Context, key store.Key) (r *store.Room, err error) {
	s.do(ctx, &call{
		op: Load, rooms: []store.Key{key}, what: key.String(),
		run:  func(ctx context.Context) error { r, err = s.inner.Load(ctx, key); return err },
		fail: func(e error) { r, err = nil, e },
	})
	return r, err
}

// Close closes the store. Calls that wait for something here fail with store.ErrClosed, and nothing is done for them.
func (s *Store) Close() error {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
		s.note("Close")
	}
	for s.underWay > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()
	return s.inner.Close()
}

// cloneBatches copies all that a caller may change after Save has returned.
func cloneBatches(batches []store.Batch) []store.Batch {
	out := slices.Clone(batches)
	for i := range out {
		b := &out[i]
		b.Put, b.Delete, b.Append, b.Trim = slices.Clone(b.Put), slices.Clone(b.Delete), slices.Clone(b.Append), slices.Clone(b.Trim)
		for j := range b.Put {
			b.Put[j].Data = slices.Clone(b.Put[j].Data)
		}
		for j := range b.Append {
			b.Append[j].Data = slices.Clone(b.Append[j].Data)
		}
	}
	return out
}

// notifying is a Notify that runs.
type notifying struct{ cut context.CancelCauseFunc }

// Notify is part of store.Notifier. Where the wrapped store is none it calls f once a second.
func (s *Store) Notify(ctx context.Context, f func()) error {
	s.mu.Lock()
	if s.crashed {
		s.mu.Unlock()
		return ErrCrashed
	}
	p := s.plan(Notify, nil)
	cut, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := &notifying{cut: cancel}
	s.notifies[n] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.notifies, n)
	}()
	err := s.wait(cut, p.delay, p.gates)
	if err == nil && p.end != nil {
		err = p.end.error(Notify)
		if p.end.fault.Kind == Hang {
			err = s.wait(cut, 0, []<-chan struct{}{nil})
		}
	}
	if err == nil {
		err = s.notify(cut, func() {
			if cut.Err() == nil {
				f()
			}
		})
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	} else if cause := context.Cause(cut); cause != nil {
		err = cause
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("Notify ended: %v", err)
	return err
}

func (s *Store) notify(ctx context.Context, f func()) error {
	if n, ok := s.inner.(store.Notifier); ok {
		return n.Notify(ctx, f)
	}
	for {
		select {
		case <-s.closed:
			return store.ErrClosed
		default:
		}
		f()
		if err := s.wait(ctx, poll, nil); err != nil {
			return err
		}
	}
}
