package room

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/snapshot"
)

// hold makes the room this server's under a new epoch, and reads what is kept of it into r.kept, unless that was done and
// not used yet. It holds up the room, and tries again while the store fails, for loadTimeout at most.
func (r *room) hold(ask *actors.Ask) error {
	if r.kept != nil {
		return nil
	}
	if r.storeAway != nil && time.Since(r.awaySince) < sayAgain { // who has waited as long need not wait once more
		return r.storeAway
	}
	r.storeAway, r.elsewhere = nil, false
	by := time.Now().Add(loadTimeout)
	impatient := ask != nil && !ask.Deadline.IsZero() && ask.Deadline.Before(by)
	if impatient {
		by = ask.Deadline
	}
	ctx, cancel := context.WithDeadline(r.server.base, by)
	defer cancel()
	for backoff := firstBackoff; ; backoff *= 2 {
		owner, term, err := r.server.lease.get(ctx)
		var kept *store.Room
		if err == nil {
			kept, err = r.server.store.Acquire(ctx, owner, store.Key(r.id))
		}
		var held *store.HeldError
		switch {
		case err == nil:
			r.kept, r.slept = kept, false
			if r.keep.flying != nil { // it only asked whether the room still is ours
				r.server.saver.giveUp(r.keep.flying)
				r.keep.flying = nil
			}
			r.continued = r.asleep && r.keep.term == term // nobody can have had it in between
			r.keep.epoch, r.keep.owner, r.keep.term, r.keep.number = kept.Epoch, owner, term, 0
			return nil
		case errors.As(err, &held):
			if r.asleep {
				r.taken()
			}
			r.elsewhere = true
			return r.heldBy(held.Owner)
		case errors.Is(err, errShuttingDown):
			return err
		case errors.Is(err, store.ErrLapsed):
			r.server.lease.forget(owner)
		}
		if !pause(ctx, backoff) {
			r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: fmt.Errorf("room: the snapshot could not be read: %w", err)})
			away := contract.Errorf(contract.Unavailable, "the store of room %s does not answer; try again", r.id).WithRetryAfter(time.Second)
			if !impatient {
				r.storeAway, r.awaySince = away, time.Now()
			}
			return away
		}
	}
}

// taken ends a room that another server took while it slept here.
func (r *room) taken() {
	r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: store.ErrFenced, Fenced: true})
	r.asleep, r.keep = false, keeper{}
	r.ref.asleep.Store(false)
	r.ref.sessions.Store(0)
	r.wakeTimer.stop()
	r.server.gateway.CloseRoom(r.id.Kind, r.id.Name, takenClose.Code, takenClose.Reason, nil)
}

// heldBy is the error for a room that another server runs.
func (r *room) heldBy(o store.Owner) error {
	name := o.Addr
	if name == "" {
		name = string(o.ID)
	}
	wait := time.Second
	if !o.Expires.IsZero() {
		wait = min(max(time.Until(o.Expires), 100*time.Millisecond), time.Second)
	}
	return contract.Errorf(contract.Unavailable, "room %s is held by %s; try again later, or there", r.id, name).WithRetryAfter(wait)
}

// letGo gives back a room: as it is kept, if it was only looked at, and else, because it ended without being saved, to be
// woken soon, for those of its sessions that are gone. It does not wait for that: until it is done nobody else has the
// room, and if this server wants it before, it gets it under another epoch.
func (r *room) letGo() {
	k := &r.keep
	if k.epoch == 0 {
		return
	}
	k.number++
	b := store.Batch{Key: store.Key(r.id), Epoch: k.epoch, Number: k.number, Then: store.Release, Keep: true}
	s := &saving{}
	switch {
	case r.slept:
		s.known, s.wake = true, r.next
	case r.kept == nil:
		b.Keep, b.Wake, b.Linger = false, time.Now().Add(wakePause), -1
	case r.kept.Empty():
		b.Then = store.Remove
	}
	r.kept, r.slept, k.epoch = nil, false, 0
	s.batch = b
	r.server.saver.submit(s)
}

// exists says whether there is something to be woken: without starting anything, for those who may not make a room.
func (r *room) exists(ask *actors.Ask) (bool, error) {
	if r.active || r.asleep {
		return true, nil
	}
	if err := r.hold(ask); err != nil {
		return false, err
	}
	return !r.kept.Empty(), nil
}

// known is exists without acquiring a room that does not exist.
func (r *room) known(ask *actors.Ask) (bool, error) {
	if r.active || r.asleep || r.kept != nil {
		return r.exists(ask)
	}
	ctx, cancel := context.WithTimeout(r.server.base, loadTimeout)
	defer cancel()
	_, err := r.server.store.Load(ctx, store.Key(r.id))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return r.exists(ask) // which says what is wrong, if something is
}

// open makes the room active, for an asker or for a session: from its snapshot, or by New.
func (r *room) open(ask *actors.Ask) error {
	if r.active {
		return nil
	}
	if err := r.hold(ask); err != nil {
		return err
	}
	r.life = &life{base: r.server.base}
	var err error
	if r.kept.Empty() {
		err = r.make(ask)
	} else {
		err = r.restore()
	}
	if err != nil {
		r.life.end()
		r.life, r.state, r.alarms = nil, nil, alarms{}
		r.setMembers(nil)
		r.sessions = nil
		if !r.asleep {
			r.letGo()
		}
		r.kept = nil
		return err
	}
	lingered := !r.asleep && r.woke && (r.kept.Wake.IsZero() || r.kept.Wake.After(time.Now()))
	strange := r.asleep && !r.continued
	r.kept, r.asleep, r.woke, r.active = nil, false, false, true
	r.ref.active.Store(true)
	r.opened = time.Now()
	if r.kind.tickAlways || r.connected() > 0 {
		r.ticks.start(r)
	}
	r.server.hooks.wake(RoomEvent{ID: r.id, Sessions: len(r.members)})
	if !r.continued {
		if strange {
			r.closeStrangers()
		}
		r.reconcile(lingered)
		if !r.active { // somebody's OnDetach has ended it
			return contract.Errorf(contract.Unavailable, "room %s has just ended; try again", r.id).WithRetryAfter(time.Second)
		}
	}
	r.setWake()
	return nil
}

// closeStrangers closes the connections of a room that it does not know any more: another server had it while it slept
// here.
func (r *room) closeStrangers() {
	known := make(map[string]bool, len(r.members))
	for _, s := range r.members {
		known[s.link] = s.away.IsZero()
	}
	r.server.gateway.CloseRoom(r.id.Kind, r.id.Name, takenClose.Code, "another server had the room; connect again", func(link string) bool { return !known[link] })
}

// make has New make the state. The context of New is that of the turn to which it belongs.
func (r *room) make(ask *actors.Ask) error {
	ctx := r.newTurnContext(time.Now(), ask)
	k := &r.keep
	err := guarded("New", func() (err error) {
		if r.state, err = r.kind.newState(ctx, r.id); err != nil {
			return err
		}
		k.state, err = r.kind.encodeState(r.state, nil)
		return err
	})
	ctx.end()
	if err != nil {
		r.server.hooks.handlerError(HandlerErrorEvent{ID: r.id, Name: "New", Err: err})
		return err
	}
	k.blank, k.created, k.whole, k.patches = sha256.Sum256(k.state), time.Now(), false, patchLog{}
	return nil
}

// restore reads the snapshot. What cannot be read is left as it is: the room is refused, with an error for those who want
// in, and reported.
func (r *room) restore() error {
	err := guarded("the decoding of a snapshot", r.decode)
	if err == nil {
		return nil
	}
	r.server.hooks.snapshotError(SnapshotErrorEvent{ID: r.id, Err: err})
	switch {
	case errors.Is(err, errNewer), errors.Is(err, snapshot.ErrNewerLayout):
		return contract.Errorf(contract.Unavailable, "room %s was saved by a newer version of this server", r.id).WithRetryAfter(10 * time.Second)
	default:
		return contract.Errorf(contract.Internal, "the snapshot of room %s cannot be read; it was left as it is", r.id)
	}
}

func (r *room) decode() (err error) {
	k, kept := &r.keep, r.kept
	k.whole, k.next, k.parts = true, nil, nil
	var data []byte
	var h snapshot.Header
	if data, h, err = r.keptState(); err != nil {
		return fmt.Errorf("room: part %q: %w", partState, err)
	}
	k.pushes = h.Pushes
	ctx := r.life.context()
	raw, err := r.kind.migrate(ctx, h, data, func(m Migration) Step { return m.State })
	if err != nil {
		return err
	}
	if r.state, err = r.kind.decodeState(h.Encoding, raw); err != nil {
		return fmt.Errorf("room: part %q: %w: %w", partState, snapshot.ErrCorrupt, err)
	}
	k.state = data
	if int(h.Version) != r.kind.version || h.Encoding != r.kind.encoding { // it is written anew when it is saved next
		k.whole = false
		if k.state, err = r.kind.encodeState(r.state, nil); err != nil {
			return err
		}
	}
	if part, ok := kept.Parts[partRoom]; ok {
		var rec roomRecord
		_, body, err := r.unframe(contentRoom, part)
		if err == nil {
			err = snapshot.JSON.Unmarshal(body, &rec)
		}
		if err != nil {
			return fmt.Errorf("room: part %q: %w", partRoom, err)
		}
		k.created, r.emptySince = rec.Created, rec.Empty
		copy(k.blank[:], rec.Blank)
	}
	if part, ok := kept.Parts[partAlarms]; ok {
		if r.alarms, err = r.readAlarms(part); err != nil {
			return fmt.Errorf("room: part %q: %w", partAlarms, err)
		}
	}
	var members []*session
	for name, part := range kept.Parts {
		if !strings.HasPrefix(name, partSession) {
			continue
		}
		h, body, err := r.unframe(contentSession, part)
		if err != nil {
			return fmt.Errorf("room: part %q: %w", name, err)
		}
		if body, err = r.kind.migrateRecord(ctx, h, body); err != nil {
			return fmt.Errorf("room: part %q: %w", name, err)
		}
		s, err := r.kind.decodeSession(h.Encoding, body)
		if err != nil {
			return fmt.Errorf("room: part %q: %w: %w", name, snapshot.ErrCorrupt, err)
		}
		if s.saved, err = r.kind.encodeData(s.public, nil); err != nil {
			return err
		}
		if s.stored = true; int(h.Version) != r.kind.version || h.Encoding != r.kind.encoding {
			r.touchAnew(s)
		}
		members = append(members, s)
	}
	slices.SortFunc(members, func(a, b *session) int { return cmp.Compare(a.order, b.order) })
	r.sessions = make(map[string]*session, len(members))
	for _, s := range members {
		r.sessions[s.link] = s
		r.joined = max(r.joined, s.order)
		if s.away.IsZero() {
			r.connect(s)
		}
	}
	r.setMembers(members)
	return nil
}

// keptState is the encoding of the state that the store has.
func (r *room) keptState() ([]byte, snapshot.Header, error) {
	p := &r.keep.patches
	whole, log := r.kept.Parts[partState], r.kept.Logs[partState]
	*p = patchLog{whole: len(whole)}
	patches := make([][]byte, len(log))
	for i, rec := range log {
		patches[i] = rec.Data
		p.lastSeq = rec.Seq
		p.count++
		p.bytes += len(rec.Data)
	}
	if _, _, err := r.unframe(contentState, whole); err != nil {
		return nil, snapshot.Header{}, err
	}
	return snapshot.Apply(whole, patches...)
}

// connect finds the connection of a session that was in the room when it fell asleep, if it is still there.
func (r *room) connect(s *session) {
	if m, ok := r.server.gateway.Lookup(s.link); ok {
		s.recipient = recipient{m.PID, r.server.system.Holder(m.PID)}
		s.format = m.Format
	}
}

// reconcile comes after a room was loaded that was another server's, or an earlier process's, before: of its sessions
// none has a connection here any more. Those that may come back are away, the others leave; all leave if lingered, for
// then their time was up before the room was woken.
func (r *room) reconcile(lingered bool) {
	for _, s := range r.members {
		switch {
		case !s.away.IsZero():
		case s.recipient.pid != nil && r.has(s): // both a snapshot and this gateway know it
		case s.key != nil && r.kind.resumeFor > 0 && !lingered:
			r.goAway(s)
		default:
			s.lost = true
			r.leave(s)
		}
	}
}

// reload gives the room the state that was saved last, under a new epoch, after a panic.
func (r *room) reload() {
	failed := func(err error) {
		r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: fmt.Errorf("room: the state of before the panic could not be loaded: %w", err)})
		r.end(&ending{why: &actors.Close{Code: conn.CloseRoomFailed, Reason: "the room failed"}, failed: true})
	}
	k := &r.keep
	for k.flying != nil || k.gate != 0 { // what was promised to be kept
		r.fly()
		ctx, cancel := context.WithTimeout(r.server.saving, storeTimeout)
		err := r.server.saver.wait(ctx, k.flying)
		cancel()
		if errors.Is(err, store.ErrFenced) {
			r.fenced()
			return
		}
		if err != nil {
			failed(err)
			return
		}
		r.landed()
	}
	r.releases.durable(r.committed(), r)
	if err := r.hold(nil); err != nil {
		failed(err)
		return
	}
	before := r.members
	k.next, k.parts, k.dirty = nil, nil, false
	r.alarms, r.touched, r.removed = alarms{}, nil, nil
	var err error
	if r.kept.Empty() {
		r.sessions, r.members = nil, nil
		err = r.make(nil)
	} else {
		err = r.restore()
	}
	r.kept = nil
	if err != nil {
		failed(err)
		return
	}
	r.meet(before)
	r.setWake()
}

// meet gives the sessions of a snapshot the connections of those that were in the room; who is not in the snapshot comes
// anew, and who is in it and not here has left since.
func (r *room) meet(before []*session) {
	kept := r.members
	var anew []*session
	for _, old := range before {
		s := r.byID(old.id)
		if s == nil {
			if !old.gone {
				anew = append(anew, old)
			}
			continue
		}
		delete(r.sessions, s.link)
		s.recipient, s.format, s.addr, s.link, s.away, s.lost = old.recipient, old.format, old.addr, old.link, old.away, old.lost
		s.async, s.waiting, s.gone = old.async, old.waiting, old.gone
		for w := range r.works {
			if w.session == old {
				w.session = s
			}
		}
		r.sessions[s.link] = s
		r.touchAnew(s)
		old.dropped = true
		if w := s.async; w != nil {
			if _, runs := r.works[w]; !runs { // the panic was in its end
				s.async = nil
				defer r.goOn(s)
			}
		}
	}
	for _, s := range kept {
		switch {
		case r.sessions[s.link] != s || s.recipient.pid != nil || !s.away.IsZero():
		case s.id == r.detaching: // its OnDetach has run, and is why we are here
			s.gone = true
			r.drop(s)
		default:
			s.lost = true
			r.leave(s)
		}
	}
	for _, s := range anew {
		s.saved, s.stored, s.touched, s.dropped = nil, false, 0, false
		r.admitSession(s, func(err error) {
			r.release(release{at: s.recipient, msg: &actors.Close{Code: conn.CloseRefused, Reason: textOf(err)}})
		})
	}
}
