package room

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/store"
)

// idleDue comes when a room may have been without work for SleepAfter.
type idleDue struct{ actors.Message }

// working says whether there is something that keeps the room awake but messages on their way: work outside, an answer or
// a save that is not there yet, a tick.
func (r *room) working() bool {
	return len(r.works) > 0 || r.keep.flying != nil || r.keep.gate != 0 || r.keep.frozen || r.keep.verifying || len(r.deferred) > 0 || len(r.probes) > 0 ||
		len(r.releases.entries) > 0 || r.ticks.timer != nil || r.leaving.running
}

// settle ends what is not needed any more. It runs after every message.
func (r *room) settle() {
	if r.active {
		switch {
		case len(r.members) > 0:
			r.empty = false
		case r.working():
		case !r.empty:
			r.empty, r.emptySince = true, time.Now()
			if r.forgettable() {
				_ = r.forget() // if it cannot now, it can when it would sleep
			}
		}
		if r.empty && r.lastTurn.After(r.emptySince) { // it was asked
			r.emptySince = r.lastTurn
		}
		if r.active && r.idleTimer == nil && !r.working() {
			r.setIdle(r.kind.sleepAfter)
		}
	}
	if !r.active && !r.asleep && !r.server.rooms.wanted(r.ref) {
		r.letGo()
		if r.server.rooms.retire(r.ref) {
			r.stopTimers()
			r.server.system.Stop(r.self)
		}
	}
}

func (r *room) setIdle(d time.Duration) {
	if r.idleTimer != nil {
		r.idleTimer.Reset(d)
		return
	}
	self, system := r.self, r.server.system
	r.idleTimer = time.AfterFunc(d, func() { system.Send(self, idleDue{}) })
}

// idle puts the room to sleep if it has been without work for long enough.
func (r *room) idle() {
	if !r.active {
		return
	}
	since := r.opened
	if r.lastTurn.After(since) {
		since = r.lastTurn
	}
	left := r.kind.sleepAfter - time.Since(since)
	switch {
	case r.working() || r.stalled():
		r.idleTimer = nil // settle sets it when the work is done
	case left > 0:
		r.setIdle(left)
	default:
		r.idleTimer = nil
		if err := r.sleep(); err != nil {
			r.setIdle(r.kind.sleepAfter)
		}
	}
}

// unchanged says whether the state still equals what New made.
func (r *room) unchanged() bool {
	now, err := r.kind.encodeState(r.state, make([]byte, 0, len(r.keep.state)+64))
	return err == nil && sha256.Sum256(now) == r.keep.blank
}

// sleep saves what is not saved and drops the state. A room with open sockets stays its server's and keeps its actor; any
// other is given back. It holds up the room, which has nothing to do. After an error the room is awake as before.
func (r *room) sleep() error {
	alone := r.connected() == 0
	if alone && (r.overdue() || r.forgettable()) {
		return r.forget()
	}
	if err := r.capture(); err != nil {
		r.cannotSave(err)
		return err
	}
	r.keep.dirty = false
	if alone {
		r.keep.put(partRoom, r.roomPart())
	}
	if r.keep.unsaved() {
		// Not with Release: if that was given up, and done all the same, the room would go on and be nobody's.
		if err := r.saveAll(store.Hold); err != nil {
			return err
		}
	}
	sessions, next := len(r.members), r.wakeAt()
	r.deactivate()
	if alone {
		r.slept, r.next = true, next // settle gives it back
	} else {
		r.asleep = true
		r.ref.sessions.Store(int32(sessions))
		r.ref.asleep.Store(true)
		r.wakeTimer.set(r, next)
	}
	r.server.hooks.sleep(RoomEvent{ID: r.id, Sessions: sessions})
	return nil
}

// forgettable says whether nothing is worth being kept of a room.
func (r *room) forgettable() bool {
	return len(r.members) == 0 && len(r.alarms.list) == 0 && (r.kind.keepEmpty < 0 || r.unchanged())
}

// overdue says whether an empty room has been kept for as long as it is to be.
func (r *room) overdue() bool {
	return len(r.members) == 0 && len(r.alarms.list) == 0 && r.kind.keepEmpty > 0 && time.Since(r.emptySince) >= r.kind.keepEmpty
}

// forget ends a room in which nobody is, and removes what is kept of it.
func (r *room) forget() error {
	if err := r.saveAll(store.Remove); err != nil {
		return err
	}
	r.deactivate()
	return nil
}

// saveAll saves what was captured, and what becomes of the room with it, and waits for that.
func (r *room) saveAll(then store.Then) error {
	ctx, cancel := context.WithTimeout(r.server.saving, storeTimeout)
	defer cancel()
	return r.saveBy(ctx, then)
}

func (r *room) saveBy(ctx context.Context, then store.Then) error {
	k := &r.keep
	if k.flying != nil {
		if err := r.server.saver.wait(ctx, k.flying); err != nil {
			if errors.Is(err, store.ErrFenced) {
				r.fenced()
			}
			return err
		}
		r.landed()
	}
	if then == store.Remove && !k.whole && k.number == 0 && k.epoch == 0 {
		return nil
	}
	s := &saving{batch: r.batch(then), done: make(chan error, 1)}
	err := r.server.saver.do(ctx, s)
	if then == store.Remove && errors.Is(err, store.ErrFenced) && s.attempts > 0 {
		// One of the attempts that seemed to fail may have done it.
		if _, gone := r.server.store.Load(ctx, s.batch.Key); errors.Is(gone, store.ErrNotFound) {
			err = nil
		}
	}
	switch {
	case err == nil:
		k.gate = 0
		r.landed()
		if then != store.Hold {
			k.epoch = 0
		}
	case errors.Is(err, store.ErrFenced):
		r.fenced()
	default:
		r.again()
		r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: err})
	}
	return err
}

// deactivate drops the state and everything else that only an active room needs.
func (r *room) deactivate() {
	r.life.end()
	r.abandon()
	r.Idle()
	r.ticks.stop()
	if r.keep.flying != nil {
		r.server.saver.giveUp(r.keep.flying)
	}
	if r.keep.timer != nil {
		r.keep.timer.Stop()
	}
	if r.idleTimer != nil {
		r.idleTimer.Stop()
		r.idleTimer = nil
	}
	r.setMembers(nil)
	r.ref.active.Store(false)
	r.ref.asleep.Store(false)
	r.wakeTimer.stop()
	r.active, r.asleep, r.empty, r.woke = false, false, false, false
	r.state, r.sessions, r.touched, r.removed = nil, nil, nil, nil
	r.answered.end(r)
	r.answered, r.panics, r.leaving = answeredAsks{}, nil, departures{}
	r.life, r.spare, r.outlet, r.scratch = nil, nil, nil, nil
	for _, p := range r.probes {
		r.server.system.Send(p.attach.From, &actors.Close{Code: conn.CloseUnavailable, Reason: "the room has just ended; connect again"})
	}
	r.alarms, r.probes, r.emptySince = alarms{}, nil, time.Time{}
	r.keep = keeper{epoch: r.keep.epoch, owner: r.keep.owner, term: r.keep.term, number: r.keep.number}
	r.releases.drop(r)
	deferred := r.deferred
	r.deferred = nil
	for _, msg := range deferred {
		r.server.system.Send(r.self, msg) // nothing was lost, only late
	}
}

// fenced ends a room that another server has by now: nothing of what was held leaves, and its clients are told to come
// again.
func (r *room) fenced() {
	r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: store.ErrFenced, Fenced: true})
	r.releases.closes(r)
	r.releases.drop(r)
	r.keep.epoch, r.keep.flying = 0, nil
	r.stop(takenClose)
}

// takenClose is what the clients of a room are told that another server has taken.
var takenClose = &actors.Close{Code: conn.CloseUnavailable, Reason: "another server has the room now; connect again"}

// stop ends an activation without any turn, and without saving.
func (r *room) stop(why *actors.Close) {
	if !r.active {
		return
	}
	members := r.members
	for _, s := range members {
		if s.recipient.pid != nil && s.away.IsZero() {
			r.server.system.Send(s.recipient.pid, why)
		}
		s.gone = true
		r.server.hooks.detach(SessionEvent{ID: r.id, Session: s.id, Addr: s.addr})
	}
	for w := range r.works {
		if w.ask != nil {
			r.replyUnknown(w.ask)
		}
	}
	r.works = nil
	r.deactivate()
}

func (r *room) stopTimers() {
	r.wakeTimer.stop()
	if r.idleTimer != nil {
		r.idleTimer.Stop()
	}
}
