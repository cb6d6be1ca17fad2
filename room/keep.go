package room

import (
	"bytes"
	"errors"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

// keeper is a room's view of its snapshot: what the store has, what is on its way there, and what was captured and waits
// for that. One batch of a room is under way at a time; what is captured meanwhile goes together with the next.
//
//	turn ─▶ capture: encoded, compared ─▶ next, parts ─▶ fly: one batch ─▶ saver ─▶ store
//	                                         ▲                                        │
//	                                         └──────────── saved ◀────────────────────┘
//
// What a turn causes waits in the release queue while the turn, or an earlier one, is at the gate: captured and not yet
// durable. Only EachTurn, and turns that set alarms, send turns to the gate.
type keeper struct {
	epoch  store.Epoch   // zero: the room is not this server's
	term   uint64        // of the lease in which the epoch was last known to be ours
	owner  store.OwnerID // that has it
	number uint64        // of the last batch

	whole   bool              // the store has a state
	state   []byte            // the state's encoding that it has, or will have once what is under way is there
	patches patchLog          // how it has it
	next    []byte            // the encoding captured since; nil: none
	parts   map[string][]byte // captured since; nil: to be deleted
	wake    time.Time         // and linger, as captured
	linger  time.Duration
	timed   bool      // they were captured, and are not under way
	deleted []string  // parts deleted by what is under way
	blank   [32]byte  // of the state as New made it
	created time.Time // when New made it
	pushes  uint64    // how many the room has ever sent

	gate   uint64 // the first turn of what was captured and is not under way that must be durable; zero: none
	since  time.Time
	flying *saving
	flight flight

	dirty     bool // turns have run since the last capture
	timer     *time.Timer
	frozen    bool // the store fails; no turn starts
	verifying bool // the lease had ended: what comes back next says whether the epoch is still ours
	broken    bool // the state cannot be saved, and that was said
}

// flight is what is known of the batch that is under way.
type flight struct {
	gate  uint64
	since time.Time
	term  uint64
}

// partState and so on are the names of a room's parts; sessions have one each.
const (
	partState   = "state" // and the log of its patches
	partAlarms  = "alarms"
	partRoom    = "room"
	partSession = "session/"
)

// atOnce says whether a turn is saved before what it has caused leaves.
func (t *turn) atOnce() bool {
	return t.room.kind.save == EachTurn && !t.read || len(t.alarmed) > 0 || t.fired != nil
}

// committed is the last turn that is durable together with all before it.
func (r *room) committed() uint64 {
	switch k := &r.keep; {
	case k.flight.gate != 0:
		return k.flight.gate - 1
	case k.gate != 0:
		return k.gate - 1
	}
	return r.turns
}

// unsaved says whether something was captured that the store does not have.
func (k *keeper) unsaved() bool {
	return k.next != nil || len(k.parts) > 0 || k.flying != nil
}

// judgeState is the part of a turn's end that can still fail it: under EachTurn its state is captured, and after a panic the
// state of before comes back.
func (t *turn) judgeState(err error) error {
	r := t.room
	if !t.atOnce() {
		return err
	}
	if _, panicked := err.(*PanicError); panicked {
		if r.kind.save == EachTurn {
			if failed := r.rewind(); failed != nil {
				err = errors.Join(err, failed)
			}
		}
		return err
	}
	before := r.keep.next
	changed, failed := r.captureState()
	if failed == nil {
		var rest bool
		if rest, failed = r.captureSessions(); failed == nil {
			t.changed, t.captured = changed || rest, true
			return err
		}
		r.keep.next = before
	}
	if r.kind.save == EachTurn {
		if again := r.rewind(); again != nil {
			failed = errors.Join(failed, again)
		}
	}
	if err != nil {
		failed = errors.Join(failed, errors.New(textOf(err)))
	}
	return failed
}

// rewind gives the room back what was captured last: the state, and the data of the sessions that this turn may have
// changed.
func (r *room) rewind() error {
	k := &r.keep
	last := k.state
	if k.next != nil {
		last = k.next
	}
	state, err := r.kind.decodeState(r.kind.encoding, last)
	if err != nil {
		return err
	}
	r.state = state
	for _, s := range r.touched {
		if s.saved == nil { // it is new
			continue
		}
		if err := r.kind.restoreData(s); err != nil {
			return err
		}
	}
	return nil
}

// keepTurn sees to it that what a turn has changed is saved as the policy wants it. It is the last part of every turn.
func (t *turn) keepTurn() {
	r := t.room
	switch {
	case t.atOnce():
		changed, err := r.captureRest()
		if err != nil {
			r.cannotSave(err)
		}
		if changed || t.changed {
			r.atGate()
		}
		if !t.captured && r.kind.save != EachTurn { // it panicked, and its state stays
			r.setDirty()
		}
		r.fly()
	case !t.read:
		r.setDirty()
	}
}

// commit saves what has changed outside any turn: who is a member, and how.
func (r *room) commit() {
	r.turns++
	if r.kind.save != EachTurn {
		r.setDirty()
		return
	}
	changed, err := r.captureRest()
	if err != nil {
		r.cannotSave(err)
	}
	if changed {
		r.atGate()
	}
	r.fly()
}

// atGate has what the last turn causes, and what comes after it, wait until it is durable.
func (r *room) atGate() {
	if k := &r.keep; k.gate == 0 {
		k.gate, k.since = r.turns, time.Now()
	}
}

// saveDue comes when a room that was changed is to be saved, under Every.
type saveDue struct{ actors.Message }

// setDirty notes that there is something to save.
func (r *room) setDirty() {
	k := &r.keep
	k.dirty = true
	if r.kind.save > 0 && k.timer == nil && r.server.lasting {
		r.saveIn(time.Duration(r.kind.save))
	}
}

func (r *room) saveIn(d time.Duration) {
	self, system := r.self, r.server.system
	r.keep.timer = time.AfterFunc(d, func() { system.Send(self, saveDue{}) })
}

// saveNow saves what Every has let gather.
func (r *room) saveNow() {
	k := &r.keep
	k.timer = nil
	if !k.dirty {
		return
	}
	if k.flying != nil || r.stalled() { // it is late already
		r.saveIn(min(time.Duration(r.kind.save), saveAgain))
		return
	}
	k.dirty = false
	if err := r.capture(); err != nil {
		r.cannotSave(err)
		k.dirty = true // not again before the next turn
		return
	}
	r.fly()
}

// cannotSave reports, once until it is over, that the state or a session's data cannot be encoded.
func (r *room) cannotSave(err error) {
	if !r.keep.broken {
		r.keep.broken = true
		r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: err})
	}
}

// fly hands in what was captured, unless a batch is under way.
func (r *room) fly() {
	k := &r.keep
	if k.flying != nil || k.epoch == 0 || !k.unsaved() && !k.verifying {
		return
	}
	k.flight = flight{gate: k.gate, since: k.since, term: r.server.lease.term.Load()}
	k.gate = 0
	k.flying = &saving{batch: r.batch(store.Hold), to: r.self}
	r.server.saver.submit(k.flying)
}

// batch makes what was captured into the next batch.
func (r *room) batch(then store.Then) store.Batch {
	k := &r.keep
	k.number++
	b := store.Batch{Key: store.Key(r.id), Epoch: k.epoch, Number: k.number, Then: then, Wake: k.wake, Linger: k.linger, Keep: !k.timed}
	if k.timed = false; r.kind.tickAlways {
		b.Wake = time.Now()
	}
	if then == store.Remove {
		return b
	}
	if !k.whole && k.next == nil && len(k.parts) > 0 {
		k.next = k.state // nothing is saved without the state
	}
	if k.next != nil {
		if !k.whole || !bytes.Equal(k.next, k.state) {
			k.patches.write(&b, r, k.state, k.next, k.whole)
		}
		if !k.whole {
			b.Put = append(b.Put, store.Part{Name: partRoom, Data: r.roomPart()})
		}
		k.state, k.next, k.whole = k.next, nil, true
	}
	for name, data := range k.parts {
		if data == nil {
			b.Delete = append(b.Delete, name)
			k.deleted = append(k.deleted, name)
		} else {
			b.Put = append(b.Put, store.Part{Name: name, Data: data})
		}
	}
	k.parts = nil
	return b
}

// linger is how long after the death of this server the room wants to be woken, for those who were in it to leave; negative:
// not at all.
func (r *room) linger() time.Duration {
	d := time.Duration(-1)
	for _, s := range r.members {
		if !s.away.IsZero() { // its time is in Wake
			continue
		}
		if d = max(d, 0); s.key != nil {
			return max(d, r.kind.resumeFor)
		}
	}
	if r.kind.tickAlways {
		d = 0
	}
	return d
}

// again has everything saved anew: of a batch that was given up nobody knows whether it was carried out.
func (r *room) again() {
	k := &r.keep
	if k.next == nil {
		k.next = k.state
	}
	k.whole = false
	for _, s := range r.members {
		r.touchAnew(s)
	}
	r.alarms.touched = true
	k.wake, k.linger, k.timed = r.wakeAt(), r.linger(), true
	for _, name := range k.deleted {
		k.put(name, nil)
	}
	k.deleted = nil
	k.dirty = true
}

// saved takes the store's word on the batch that was under way.
func (r *room) saved(m *saved) {
	k := &r.keep
	if k.flying == nil || k.flying != m.s {
		return
	}
	if m.err != nil && r.asleep {
		r.taken()
		return
	}
	if m.err != nil {
		r.fenced()
		return
	}
	r.landed()
	if r.asleep {
		return
	}
	r.fly()
	r.releases.durable(r.committed(), r)
	r.proceed()
}

// landed says that what was under way is durable.
func (r *room) landed() {
	k := &r.keep
	k.frozen = false
	k.deleted = nil
	if k.flight.term == r.server.lease.term.Load() {
		k.term, k.verifying = k.flight.term, false
	}
	k.flying, k.flight = nil, flight{}
}

// patchLog is how the store has the state: as a whole, and patches to it since.
type patchLog struct {
	whole   int // bytes
	count   int
	bytes   int
	lastSeq uint64
}

// write adds the change from one encoding to the next to a batch: as a patch if that is much smaller, else as a whole.
func (p *patchLog) write(b *store.Batch, r *room, from, to []byte, whole bool) {
	if whole && p.whole > snapshot.SmallValue {
		diff := snapshot.Diff(from, to)
		var patch []byte
		if diff.Len() < len(to)/2 {
			patch = snapshot.AppendPatch(nil, r.header(contentState), diff)
		}
		if patch != nil && !snapshot.Compact(p.whole, p.bytes+len(patch), p.count+1) {
			p.lastSeq++
			p.count++
			p.bytes += len(patch)
			b.Append = append(b.Append, store.Append{Log: partState, Record: store.Record{Seq: p.lastSeq, Data: patch}})
			return
		}
	}
	data := r.frame(contentState, to)
	b.Put = append(b.Put, store.Part{Name: partState, Data: data})
	if p.lastSeq > 0 {
		b.Trim = append(b.Trim, store.Trim{Log: partState, Before: p.lastSeq + 1})
	}
	p.whole, p.count, p.bytes = len(data), 0, 0
}
