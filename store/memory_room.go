package store

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unique"
)

// never stands for no time, in microseconds.
const never int64 = math.MaxInt64

// memoryKind has the rooms of one kind.
type memoryKind struct {
	name   string
	rooms  map[string]*memoryRoom
	byName memoryIndex
}

// memoryRoom is the row of a room. There may be millions of them that sleep, so it is slices instead of maps, names that
// recur are kept once for all rooms, and bytes are strings, which can be handed around without a copy.
type memoryRoom struct {
	kind       *memoryKind
	name       string
	epoch      Epoch
	number     uint64       // of the latest batch of the epoch that had one
	owner      *memoryOwner // nil: nobody
	prev, next *memoryRoom  // in the owner's list
	wake       int64        // wall clock in microseconds, or never
	linger     time.Duration
	updated    int64 // wall clock in microseconds, or never
	due        int64 // the room's place in memoryData.due, or never
	bytes      int64
	parts      []memoryPart // by name
	logs       []memoryLog  // by name, none of them without records
}

type memoryPart struct {
	name unique.Handle[string]
	data string
}

type memoryLog struct {
	name    unique.Handle[string]
	records []memoryRecord // by seq
}

type memoryRecord struct {
	seq  uint64
	data string
}

func (r *memoryRoom) key() Key { return Key{Kind: r.kind.name, Name: r.name} }

func (r *memoryRoom) empty() bool { return len(r.parts) == 0 && len(r.logs) == 0 }

func compareName(a, b *memoryRoom) int { return strings.Compare(a.name, b.name) }

func compareDue(a, b *memoryRoom) int {
	return cmp.Or(cmp.Compare(a.due, b.due), strings.Compare(a.kind.name, b.kind.name), strings.Compare(a.name, b.name))
}

// find returns a room, or nil.
func (d *memoryData) find(key Key) *memoryRoom {
	if k := d.kinds[key.Kind]; k != nil {
		return k.rooms[key.Name]
	}
	return nil
}

// create makes a room that is not there.
func (d *memoryData) create(key Key) *memoryRoom {
	k := d.kinds[key.Kind]
	if k == nil {
		k = &memoryKind{
			name:   strings.Clone(key.Kind),
			rooms:  make(map[string]*memoryRoom),
			byName: memoryIndex{compare: compareName},
		}
		d.kinds[k.name] = k
		at, _ := slices.BinarySearchFunc(d.sorted, k.name, func(k *memoryKind, name string) int { return strings.Compare(k.name, name) })
		d.sorted = slices.Insert(d.sorted, at, k)
	}
	r := &memoryRoom{kind: k, name: strings.Clone(key.Name), wake: never, updated: never, due: never}
	k.rooms[r.name] = r
	k.byName.insert(r)
	return r
}

// remove takes a room away.
func (d *memoryData) remove(r *memoryRoom) {
	r.give(nil)
	r.wake = never
	d.place(r)
	delete(r.kind.rooms, r.name)
	r.kind.byName.delete(r)
}

// give makes a room an owner's, or for nil nobody's.
func (r *memoryRoom) give(o *memoryOwner) {
	if r.owner == o {
		return
	}
	if r.owner != nil {
		if r.prev != nil {
			r.prev.next = r.next
		} else {
			r.owner.first = r.next
		}
		if r.next != nil {
			r.next.prev = r.prev
		}
		r.prev, r.next = nil, nil
	}
	if r.owner = o; o != nil {
		if r.next = o.first; r.next != nil {
			r.next.prev = r
		}
		o.first = r
	}
}

// apply does what a batch says but for Then. data has the bytes of its parts and then of its records.
func (r *memoryRoom) apply(b *Batch, data []string, now int64) {
	for _, name := range b.Delete {
		r.deletePart(name)
	}
	for i := range b.Put {
		r.putPart(b.Put[i].Name, data[i])
	}
	data = data[len(b.Put):]
	for i := range b.Trim {
		r.trim(b.Trim[i].Log, b.Trim[i].Before)
	}
	for i := range b.Append {
		r.append(b.Append[i].Log, b.Append[i].Seq, data[i])
	}
	if !b.Keep {
		r.wake, r.linger = never, b.Linger
		if !b.Wake.IsZero() {
			r.wake = b.Wake.UnixMicro()
		}
	}
	r.updated = now
}

func (r *memoryRoom) part(name string) (at int, found bool) {
	return slices.BinarySearchFunc(r.parts, name, func(p memoryPart, name string) int { return strings.Compare(p.name.Value(), name) })
}

func (r *memoryRoom) putPart(name, data string) {
	at, found := r.part(name)
	if !found {
		r.parts = slices.Insert(r.parts, at, memoryPart{name: unique.Make(name)})
	}
	r.bytes += int64(len(data) - len(r.parts[at].data))
	r.parts[at].data = data
}

func (r *memoryRoom) deletePart(name string) {
	if at, found := r.part(name); found {
		r.bytes -= int64(len(r.parts[at].data))
		r.parts = slices.Delete(r.parts, at, at+1)
	}
}

func (r *memoryRoom) log(name string) (at int, found bool) {
	return slices.BinarySearchFunc(r.logs, name, func(l memoryLog, name string) int { return strings.Compare(l.name.Value(), name) })
}

func (l *memoryLog) record(seq uint64) (at int, found bool) {
	if n := len(l.records); n == 0 || l.records[n-1].seq < seq {
		return n, false
	}
	return slices.BinarySearchFunc(l.records, seq, func(r memoryRecord, seq uint64) int { return cmp.Compare(r.seq, seq) })
}

func (r *memoryRoom) append(name string, seq uint64, data string) {
	at, found := r.log(name)
	if !found {
		r.logs = slices.Insert(r.logs, at, memoryLog{name: unique.Make(name)})
	}
	l := &r.logs[at]
	at, found = l.record(seq)
	if !found {
		l.records = slices.Insert(l.records, at, memoryRecord{seq: seq})
	}
	r.bytes += int64(len(data) - len(l.records[at].data))
	l.records[at].data = data
}

func (r *memoryRoom) trim(name string, before uint64) {
	at, found := r.log(name)
	if !found {
		return
	}
	l := &r.logs[at]
	n, _ := l.record(before)
	for i := range l.records[:n] {
		r.bytes -= int64(len(l.records[i].data))
	}
	if n == len(l.records) {
		r.logs = slices.Delete(r.logs, at, at+1)
		return
	}
	clear(l.records[:n])
	l.records = l.records[n:]
}

// shrink gives back the memory that slices have in reserve, when a room goes to sleep.
func (r *memoryRoom) shrink() {
	r.parts = exact(r.parts)
	r.logs = exact(r.logs)
	for i := range r.logs {
		r.logs[i].records = exact(r.logs[i].records)
	}
}

func exact[T any](s []T) []T {
	if len(s) == cap(s) {
		return s
	}
	if len(s) == 0 {
		return nil
	}
	out := make([]T, len(s))
	copy(out, s)
	return out
}

// freeze returns a copy of the row that no later batch changes. It shares the bytes, which nothing changes.
func (r *memoryRoom) freeze() memoryRoom {
	out := *r
	out.parts = slices.Clone(r.parts)
	out.logs = slices.Clone(r.logs)
	for i := range out.logs {
		out.logs[i].records = slices.Clone(out.logs[i].records)
	}
	return out
}

// room is the row as others see it, for a row that no batch can change. It copies all bytes.
func (r *memoryRoom) room(owner OwnerID) *Room {
	out := &Room{
		Key:     r.key(),
		Epoch:   r.epoch,
		Owner:   owner,
		Wake:    timeOf(r.wake),
		Linger:  r.linger,
		Updated: timeOf(r.updated),
		Parts:   make(map[string][]byte, len(r.parts)),
		Logs:    make(map[string][]Record, len(r.logs)),
	}
	for _, p := range r.parts {
		out.Parts[p.name.Value()] = []byte(p.data)
	}
	for _, l := range r.logs {
		records := make([]Record, len(l.records))
		for i, rec := range l.records {
			records[i] = Record{Seq: rec.seq, Data: []byte(rec.data)}
		}
		out.Logs[l.name.Value()] = records
	}
	return out
}

func (r *memoryRoom) ownerID() OwnerID {
	if r.owner == nil {
		return ""
	}
	return r.owner.ID
}

func timeOf(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}
