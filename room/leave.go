package room

import (
	"context"
	"errors"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/store"
)

// departures are the sessions that are to leave, and the end of the room if that is to come. Whoever leaves is off the list
// before the next one's OnDetach runs, and all who are to leave have left before the room ends: OnDetach may remove others
// and close the room, but what it asks for happens after it.
type departures struct {
	next    []*session
	end     *ending // the room ends
	running bool
}

// ending is how an activation ends.
type ending struct {
	why      *actors.Close // for the sessions
	destroy  bool          // nothing is kept
	failed   bool          // what is in memory is not to be trusted: the room stays as it was last saved
	shutdown bool          // sessions with a resume key are away, and do not leave
}

// leave lets a session go, now or when those before it have gone.
func (r *room) leave(s *session) {
	r.leaving.next = append(r.leaving.next, s)
	r.depart()
}

// end ends the room's activation, once who is to leave before has left. Only the first reason counts.
func (r *room) end(e *ending) {
	if r.active && r.leaving.end == nil {
		r.leaving.end = e
		r.depart()
	}
}

// depart sees to it that all who are to leave do.
func (r *room) depart() {
	d := &r.leaving
	if d.running {
		return
	}
	d.running = true
	for r.active && (len(d.next) > 0 || d.end != nil) {
		if len(d.next) > 0 {
			s := d.next[0]
			d.next = d.next[1:]
			r.remove(s)
		} else {
			r.close(d.end)
		}
	}
	d.running = false
}

// remove runs OnDetach while the session is still listed, then takes it off the list. Both are saved together.
func (r *room) remove(s *session) {
	if r.sessions[s.link] != s {
		if s = r.byID(s.id); s == nil { // else the state was taken back meanwhile, and the session with it
			return
		}
	}
	if r.kind.onDetach != nil {
		r.detaching = s.id
		t := &turn{room: r, name: "OnDetach", session: s, format: s.format, removes: s}
		t.run(r.kind.onDetach, nil)
		r.detaching = ""
	} else {
		r.drop(s)
		r.commit()
	}
	s.gone = true
	s.waiting = nil
	r.server.hooks.detach(SessionEvent{ID: r.id, Session: s.id, Addr: s.addr, Sessions: len(r.members)})
	if r.connected() == 0 && !r.kind.tickAlways {
		r.ticks.stop()
	}
}

// close ends the room's activation: async calls are answered, every session leaves in order of joining and is closed, and
// the room is saved.
func (r *room) close(e *ending) {
	r.abandon()
	for _, s := range r.members {
		wasGone := s.gone || !s.away.IsZero()
		switch {
		case !e.shutdown || s.key == nil || s.gone || r.kind.resumeFor <= 0:
			r.remove(s)
		case s.away.IsZero():
			r.goAway(s)
		}
		if !r.active { // it was fenced
			return
		}
		if !wasGone {
			r.release(release{at: s.recipient, msg: e.why})
		}
	}
	r.finish(e)
}

// finish saves what is left of a room in which nobody is any more, gives the room back, and lets go of what was held.
func (r *room) finish(e *ending) {
	then := store.Release
	var err error
	switch {
	case e.failed:
		err = errFailed
	case e.destroy, r.forgettable():
		then = store.Remove
	default:
		if r.emptySince = time.Now(); len(r.members) > 0 {
			r.emptySince = time.Time{}
		}
		if err = r.capture(); err != nil {
			r.cannotSave(err)
			break
		}
		r.keep.put(partRoom, r.roomPart())
	}
	if err == nil {
		err = r.saveLast(then, e.shutdown)
	}
	if !r.active { // it was fenced
		return
	}
	if err == nil {
		r.releases.durable(r.turns, r)
	} else {
		r.releases.giveUp(r)
	}
	r.deactivate()
}

var errFailed = errors.New("room: it failed repeatedly")

// saveLast saves before the end. A Shutdown takes as long over that as it may.
func (r *room) saveLast(then store.Then, shutdown bool) error {
	ctx := r.server.saving
	if !shutdown {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, storeTimeout)
		defer cancel()
	}
	err := r.saveBy(ctx, then)
	if err != nil && r.active && shutdown {
		r.server.unsaved.Add(1)
	}
	return err
}

// abandon answers for the work that runs; what it comes to will not be heard.
func (r *room) abandon() {
	for w := range r.works {
		if w.abandoned != nil {
			r.release(w.abandoned(r))
		}
	}
	r.works = nil
}

// detach takes the news that a session's socket has closed.
func (r *room) detach(m *actors.Detach) {
	if r.asleep {
		if err := r.open(nil); err != nil && r.asleep { // it must not be lost
			self, system := r.self, r.server.system
			time.AfterFunc(time.Second, func() { system.Send(self, m) })
			return
		}
	}
	s := r.sessions[m.Session]
	if s == nil {
		r.newcomerLeft(m)
		return
	}
	if s.gone || !s.away.IsZero() {
		return
	}
	s.lost = true
	if s.async != nil && len(s.waiting) > 0 {
		s.waiting = append(s.waiting, m) // calls received before the close run before OnDetach
		return
	}
	r.detached(s)
}

// detached comes when a session has lost its connection and all that was received before has run.
func (r *room) detached(s *session) {
	if s.key != nil && r.kind.resumeFor > 0 {
		r.goAway(s)
	} else {
		r.leave(s)
	}
}

// panicked closes a room whose turns do nothing but panic.
func (r *room) panicked() {
	now := time.Now()
	r.panics = append(r.panics, now)
	if len(r.panics) > maxPanics {
		r.panics = r.panics[1:]
		if now.Sub(r.panics[0]) < panicWindow {
			r.end(&ending{why: &actors.Close{Code: conn.CloseRoomFailed, Reason: "the room failed repeatedly"}, failed: true})
			return
		}
	}
	if r.kind.onPanic == RestoreState && r.kind.save != EachTurn {
		r.reload()
	}
}
