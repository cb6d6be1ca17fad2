package store

import (
	"context"
	"fmt"
	"math"
	"time"
)

// Acquire is part of [Store].
func (m *Memory) Acquire(ctx context.Context, owner OwnerID, key Key) (*Room, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	row, err := m.data.acquire(owner, key)
	m.data.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return row.room(owner), nil
}

func (d *memoryData) acquire(owner OwnerID, key Key) (memoryRoom, error) {
	o := d.owners[owner]
	if o == nil {
		return memoryRoom{}, fmt.Errorf("%w: owner %s", ErrLapsed, owner)
	}
	r := d.find(key)
	if r == nil {
		r = d.create(key)
	} else if has := r.owner; has != nil && has != o {
		if clock := d.clock(); clock < has.takeable() {
			return memoryRoom{}, &HeldError{Key: key, Owner: d.owner(has, clock)}
		}
	}
	d.last = max(d.last+1, Epoch(max(0, d.wall().UnixMicro())))
	r.epoch, r.number = d.last, 0
	r.give(o)
	d.place(r)
	return r.freeze(), nil
}

// Save is part of [Store].
func (m *Memory) Save(ctx context.Context, batches []Batch) []error {
	errs := make([]error, len(batches))
	var n int
	for i := range batches {
		errs[i] = CheckBatch(&batches[i])
		n += len(batches[i].Put) + len(batches[i].Append)
	}
	data := make([]string, 0, n)
	for i := range batches {
		for j := range batches[i].Put {
			data = append(data, string(batches[i].Put[j].Data))
		}
		for j := range batches[i].Append {
			data = append(data, string(batches[i].Append[j].Data))
		}
	}
	if err := m.lock(ctx); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	d := m.data
	defer d.mu.Unlock()
	now := d.wall().UnixMicro()
	sooner := false
	for i := range batches {
		b := &batches[i]
		n := len(b.Put) + len(b.Append)
		if errs[i] == nil {
			var s bool
			s, errs[i] = d.save(b, data[:n], now)
			sooner = sooner || s
		}
		data = data[n:]
	}
	if sooner {
		d.tell(m)
	}
	return errs
}

// save carries out one batch, and says whether the room is due sooner than before.
func (d *memoryData) save(b *Batch, data []string, now int64) (sooner bool, err error) {
	r := d.find(b.Key)
	if r == nil {
		return false, fmt.Errorf("%w: room %s is gone", ErrFenced, b.Key)
	}
	if r.epoch != b.Epoch {
		return false, fmt.Errorf("%w: room %s has epoch %d, the batch %d", ErrFenced, b.Key, r.epoch, b.Epoch)
	}
	if b.Number != 0 {
		if b.Number < r.number {
			return false, fmt.Errorf("%w: room %s has had batch %d of epoch %d, this is %d", ErrStale, b.Key, r.number, r.epoch, b.Number)
		}
		r.number = b.Number
	}
	if b.Then == Remove {
		d.remove(r)
		return false, nil
	}
	r.apply(b, data, now)
	if b.Then == Release {
		r.give(nil)
		r.shrink()
	}
	return d.place(r), nil
}

// Load is part of [Store].
func (m *Memory) Load(ctx context.Context, key Key) (*Room, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	r := m.data.find(key)
	if r == nil || r.empty() {
		m.data.mu.Unlock()
		return nil, fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	row, owner := r.freeze(), r.ownerID()
	m.data.mu.Unlock()
	return row.room(owner), nil
}

// List is part of [Store].
func (m *Memory) List(ctx context.Context, kind string, after Key, limit int) ([]Entry, error) {
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	d := m.data
	defer d.mu.Unlock()
	var list []Entry
	for _, k := range d.sorted {
		if kind != "" && k.name != kind || k.name < after.Kind {
			continue
		}
		var from *memoryRoom
		if k.name == after.Kind {
			from = &memoryRoom{kind: k, name: after.Name}
		}
		for r := range k.byName.from(from) {
			if len(list) >= limit {
				return list, nil
			}
			if r.empty() || from != nil && r.name == from.name {
				continue
			}
			list = append(list, Entry{
				Key:     r.key(),
				Epoch:   r.epoch,
				Owner:   r.ownerID(),
				Wake:    timeOf(r.wake),
				Updated: timeOf(r.updated),
				Bytes:   r.bytes,
			})
		}
	}
	return list, nil
}

// Due is part of [Store]. The next it returns is never after the end of a lease of an owner that lives, whether or not
// that has rooms: so nobody has to be told when it acquires one.
func (m *Memory) Due(ctx context.Context, now time.Time, limit int) (due []Key, next time.Time, err error) {
	if err := m.lock(ctx); err != nil {
		return nil, time.Time{}, err
	}
	d := m.data
	defer d.mu.Unlock()
	soonest := d.bury(d.clock(), now.UnixMicro())
	for r := range d.due.from(nil) {
		if r.due > now.UnixMicro() {
			soonest = min(soonest, r.due)
			break
		}
		if len(due) >= limit {
			return due, now, nil
		}
		due = append(due, r.key())
	}
	return due, timeOf(soonest), nil
}

// bury puts the rooms of owners whose leases have ended where they belong in due, and returns when the next lease will have
// ended, or never. A lease ended so long before now as it did by the clock of leases, whatever the wall clock did since: if
// that was set, by more than a second, the rooms move.
func (d *memoryData) bury(clock time.Duration, now int64) (next int64) {
	next = never
	for _, o := range d.owners {
		if o.ends == math.MaxInt64 {
			continue
		}
		if left := o.takeable() - clock; left > 0 {
			// Rounded up, so that it is over then.
			next = min(next, now+left.Microseconds()+1)
			continue
		}
		ended := now - (clock - o.ends).Microseconds()
		if moved := ended - o.ended; !o.dead || moved < -1e6 || moved > 1e6 {
			o.dead, o.ended = true, ended
			for r := o.first; r != nil; r = r.next {
				d.place(r)
			}
		}
	}
	return next
}

// dueAt is when the room wants to be woken by what is known of its owner: a wall-clock time in microseconds, or never.
func (r *memoryRoom) dueAt() int64 {
	switch {
	case r.owner == nil:
		return r.wake
	case !r.owner.dead:
		return never
	}
	at := r.wake
	if r.linger >= 0 {
		at = min(at, r.owner.ended+r.linger.Microseconds())
	}
	return max(at, r.owner.ended+Margin(r.owner.TTL).Microseconds())
}

// place puts a room where it belongs in due, and says whether it is due sooner than before.
func (d *memoryData) place(r *memoryRoom) (sooner bool) {
	at := r.dueAt()
	if at == r.due {
		return false
	}
	sooner = at < r.due
	if r.due != never {
		d.due.delete(r)
	}
	if r.due = at; at != never {
		d.due.insert(r)
	}
	return sooner
}
