package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// forgetAfter is how long the row of an owner without rooms is kept after its lease has ended.
const forgetAfter = 24 * time.Hour

// Memory is a [Store] and a [Notifier] that keeps everything in the memory of this process: all is lost when it ends. A
// Memory is one handle on its data; [Memory.Open] makes others, for servers that are to be as separate as processes are.
//
// It tells of Join and Leave, of a Renew of a lease that had ended, and of saves that make a room due sooner while nobody
// who lives has it. Changes that were made by a handle itself are not told to it.
type Memory struct {
	data   *memoryData
	done   chan struct{} // closed by Close
	closed bool          // guarded by data.mu
}

var (
	_ Store    = (*Memory)(nil)
	_ Notifier = (*Memory)(nil)
)

// memoryData is what all handles share.
//
// Invariants, whenever mu is free:
//   - A room is in kinds exactly while its row is there, and in the list of its owner exactly while it has one.
//   - A room is in due exactly when its due is not never, and its due is what dueAt says.
//   - last is the greatest epoch that was ever given out.
type memoryData struct {
	mu       sync.Mutex
	wall     func() time.Time // the wall clock
	start    time.Time        // where the clock of leases is 0
	last     Epoch
	joins    uint64 // owners that ever joined
	owners   map[OwnerID]*memoryOwner
	kinds    map[string]*memoryKind
	sorted   []*memoryKind // by name
	due      memoryIndex
	watchers map[*memoryWatcher]struct{}
}

// memoryOwner is the row of an owner.
type memoryOwner struct {
	Owner               // Expires is not kept up
	nth   uint64        // in the order of joining
	ends  time.Duration // of the lease, by the clock of leases; never if it has no end
	first *memoryRoom   // the list of its rooms
	// dead says that Due has seen the lease ended and the margin over: its rooms are in due, by ended, the end of the lease
	// as a wall-clock time in microseconds.
	dead  bool
	ended int64
}

type memoryWatcher struct {
	handle *Memory
	told   chan struct{} // holds one
}

// NewMemory makes an empty memory store.
func NewMemory() *Memory {
	d := &memoryData{
		wall:     time.Now,
		start:    time.Now(),
		owners:   make(map[OwnerID]*memoryOwner),
		kinds:    make(map[string]*memoryKind),
		due:      memoryIndex{compare: compareDue},
		watchers: make(map[*memoryWatcher]struct{}),
	}
	return d.open()
}

func (d *memoryData) open() *Memory { return &Memory{data: d, done: make(chan struct{})} }

// Open makes a further handle on the same data, whether or not m is closed. Each is closed for itself.
func (m *Memory) Open() *Memory { return m.data.open() }

// Close is part of [Store]. It makes the handle unusable; the data stay as long as there is any.
func (m *Memory) Close() error {
	m.data.mu.Lock()
	defer m.data.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.done)
	}
	return nil
}

// lock begins a call. It leaves mu free if it fails.
func (m *Memory) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: nothing was done: %w", err)
	}
	m.data.mu.Lock()
	if m.closed {
		m.data.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// Join is part of [Store]. It forgets owners without rooms whose leases ended more than a day ago.
func (m *Memory) Join(ctx context.Context, o Owner, ttl time.Duration) (Owner, error) {
	if err := CheckTTL(ttl); err != nil {
		return Owner{}, err
	}
	if err := m.lock(ctx); err != nil {
		return Owner{}, err
	}
	d := m.data
	defer d.mu.Unlock()
	clock := d.clock()
	for id, old := range d.owners {
		if old.first == nil && clock > later(old.ends, forgetAfter) {
			delete(d.owners, id)
		}
	}
	o.ID = newOwnerID()
	o.Props = maps.Clone(o.Props)
	o.TTL = ttl
	o.Joined = time.UnixMicro(d.wall().UnixMicro())
	d.joins++
	row := &memoryOwner{Owner: o, nth: d.joins}
	row.renew(clock)
	d.owners[o.ID] = row
	d.tell(m)
	return d.owner(row, clock), nil
}

// Renew is part of [Store].
func (m *Memory) Renew(ctx context.Context, id OwnerID) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	d := m.data
	defer d.mu.Unlock()
	o := d.owners[id]
	if o == nil {
		return fmt.Errorf("%w: owner %s", ErrLapsed, id)
	}
	clock := d.clock()
	late := clock >= o.ends
	o.renew(clock)
	if o.dead {
		o.dead = false
		for r := o.first; r != nil; r = r.next {
			d.place(r)
		}
	}
	if late {
		d.tell(m)
	}
	return nil
}

// Leave is part of [Store].
func (m *Memory) Leave(ctx context.Context, id OwnerID) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	d := m.data
	defer d.mu.Unlock()
	o := d.owners[id]
	if o == nil {
		return nil
	}
	delete(d.owners, id)
	for o.first != nil {
		r := o.first
		r.give(nil)
		d.place(r)
	}
	d.tell(m)
	return nil
}

// Owners is part of [Store].
func (m *Memory) Owners(ctx context.Context) ([]Owner, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	d := m.data
	defer d.mu.Unlock()
	clock := d.clock()
	var rows []*memoryOwner
	for _, o := range d.owners {
		if clock < o.ends {
			rows = append(rows, o)
		}
	}
	slices.SortFunc(rows, func(a, b *memoryOwner) int { return cmp.Compare(a.nth, b.nth) })
	list := make([]Owner, len(rows))
	for i, o := range rows {
		list[i] = d.owner(o, clock)
	}
	return list, nil
}

// Notify is part of [Notifier].
func (m *Memory) Notify(ctx context.Context, f func()) error {
	if err := m.lock(ctx); err != nil {
		return err
	}
	w := &memoryWatcher{handle: m, told: make(chan struct{}, 1)}
	m.data.watchers[w] = struct{}{}
	m.data.mu.Unlock()
	defer func() {
		m.data.mu.Lock()
		delete(m.data.watchers, w)
		m.data.mu.Unlock()
	}()
	for ctx.Err() == nil {
		f()
		select {
		case <-ctx.Done():
		case <-m.done:
			return ErrClosed
		case <-w.told:
		}
	}
	return ctx.Err()
}

// tell has all handles but one told of a change.
func (d *memoryData) tell(by *Memory) {
	for w := range d.watchers {
		if w.handle != by {
			select {
			case w.told <- struct{}{}:
			default: // it will be told of this one too
			}
		}
	}
}

// clock is the time by which leases end. No change of the wall clock moves it.
func (d *memoryData) clock() time.Duration { return time.Since(d.start) }

// later adds what is not negative, and never stays never.
func later(t, d time.Duration) time.Duration {
	if t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}

func (o *memoryOwner) renew(clock time.Duration) {
	o.ends = math.MaxInt64
	if o.TTL > 0 {
		o.ends = later(clock, o.TTL)
	}
}

// takeable is when the lease has ended for others. Margin goes by the ttl, so that of a lease without end is as well.
func (o *memoryOwner) takeable() time.Duration { return later(o.ends, Margin(o.TTL)) }

// owner is the row as others see it.
func (d *memoryData) owner(o *memoryOwner, clock time.Duration) Owner {
	out := o.Owner
	out.Props = maps.Clone(o.Props)
	if o.ends != math.MaxInt64 {
		out.Expires = time.UnixMicro(d.wall().Add(o.ends - clock).UnixMicro())
	}
	return out
}

func newOwnerID() OwnerID {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return OwnerID(base64.RawURLEncoding.EncodeToString(b[:]))
}
