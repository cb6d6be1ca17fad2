package room

import (
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
)

// departures are the sessions that are to leave, and the end of the room if that is to come. Whoever leaves is off the list
// before the next one's OnDetach runs, and all who are to leave have left before the room ends: OnDetach may remove others
// and close the room, but what it asks for happens after it.
type departures struct {
	next    []*session
	end     *actors.Close // the room ends; with this for its sessions
	running bool
}

// leave lets a session go, now or when those before it have gone.
func (r *room) leave(s *session) {
	r.leaving.next = append(r.leaving.next, s)
	r.depart()
}

// end ends the room's activation, once who is to leave before has left. Only the first reason counts.
func (r *room) end(why *actors.Close) {
	if r.active && r.leaving.end == nil {
		r.leaving.end = why
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
	for len(d.next) > 0 || d.end != nil {
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

// remove runs OnDetach while the session is still listed, then takes it off the list.
func (r *room) remove(s *session) {
	if r.sessions[s.id] != s {
		return
	}
	if r.kind.onDetach != nil {
		t := &turn{room: r, name: "OnDetach", session: s, format: s.format}
		t.run(r.kind.onDetach, nil)
	}
	s.gone = true
	s.waiting = nil
	r.drop(s)
	r.server.hooks.detach(SessionEvent{ID: r.id, Session: s.id, Addr: s.addr, Sessions: len(r.members)})
	if len(r.members) == 0 && !r.kind.tickAlways {
		r.ticks.stop()
	}
}

// close ends the room's activation: async calls are answered, every session leaves in order of joining and is closed.
func (r *room) close(why *actors.Close) {
	r.abandon()
	for _, s := range r.members {
		wasGone := s.gone
		r.remove(s)
		if !wasGone {
			r.release(release{at: s.recipient, msg: why})
		}
	}
	r.deactivate()
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
	s := r.sessions[m.Session]
	if s == nil || s.gone {
		return
	}
	s.lost = true
	if s.async != nil && len(s.waiting) > 0 {
		s.waiting = append(s.waiting, m) // calls received before the close run before OnDetach
		return
	}
	r.leave(s)
}

// panicked closes a room whose turns do nothing but panic.
func (r *room) panicked() {
	now := time.Now()
	r.panics = append(r.panics, now)
	if len(r.panics) > maxPanics {
		r.panics = r.panics[1:]
		if now.Sub(r.panics[0]) < panicWindow {
			r.end(&actors.Close{Code: conn.CloseRoomFailed, Reason: "the room failed repeatedly"})
		}
	}
}
