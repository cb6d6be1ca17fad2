package room

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
)

// room is the actor of one room. All its fields but ref's belong to its mailbox.
//
// It is active while it has a state: from the first message that needs one (attach, Ask, push from outside) until it is
// closed or has been empty for long enough. An inactive room is an actor without anything; the next message makes it
// active again, with a new state. It leaves the registry, and stops, only when it is inactive and nobody is on the way
// to it.
type room struct {
	server *Server
	kind   *kind
	id     ID
	ref    *entry
	self   *actors.PID
	alone  []string // the chain of a turn that nobody else waits for

	active bool
	life   *life             // of this activation
	state  any               // *State
	blank  [sha256.Size]byte // of the state as New made it

	sessions map[string]*session
	members  []*session // in order of joining; replaced, never changed in place

	leaving departures

	turns    uint64
	spare    *turn // for the next one
	releases releaseQueue
	outlet   *outlet            // nil until something is held
	works    map[*work]struct{} // started and not yet finished
	answered answeredAsks
	panics   []time.Time // of the last turns that panicked

	ticks   ticker
	empty   bool    // nobody is here, and nothing keeps the room but its state
	vacancy vacancy // the kind's list's; empty rooms are on it
}

// maxPanics within panicWindow close a room: it would only go on failing.
const (
	maxPanics   = 10
	panicWindow = 10 * time.Second
)

// Receive implements actors.Actor.
func (r *room) Receive(msg any) {
	switch m := msg.(type) {
	case *actors.Call:
		r.call(m)
	case *actors.Attach:
		r.server.rooms.arrived(r.ref)
		r.attach(m)
	case *actors.Detach:
		r.detach(m)
	case *actors.Ask:
		r.server.rooms.arrived(r.ref)
		r.ask(m)
	case *visit:
		r.server.rooms.arrived(r.ref)
		m.run(r)
	case *workDone:
		r.workDone(m)
	case tickDue:
		r.tick(m)
	case emptyDue:
		if r.active && r.empty && r.vacancy.over() { // else somebody came while it was on its way
			r.deactivate()
		}
	case settle:
	}
	r.settle()
}

// Stopped implements actors.Actor: it releases what the room still holds. After a regular end that is nothing.
func (r *room) Stopped(reason error) {
	if r.active {
		why := goingAway()
		if reason != nil {
			why = &actors.Close{Code: conn.CloseRoomFailed, Reason: "room failed"}
		}
		for _, s := range r.members {
			r.server.system.Send(s.pid, why)
		}
		r.deactivate()
	}
	r.server.rooms.remove(r.ref)
}

func goingAway() *actors.Close {
	return &actors.Close{Code: conn.CloseGoingAway, Reason: "server is shutting down"}
}

// visit is a message that runs code within the room, outside any turn: administration.
type visit struct {
	actors.Message
	run  func(r *room)
	lost func() // the room failed before; nil if nobody waits
}

// Undelivered implements actors.Undeliverable.
func (v *visit) Undelivered(*actors.System) {
	if v.lost != nil {
		v.lost()
	}
}

// settle, sent to a room, makes it look whether it still is needed.
type settle struct{ actors.Message }

// emptyDue comes when a room has been empty for KeepEmpty.
type emptyDue struct{ actors.Message }

// open makes the room active, for an asker or for a session. The context of New is that of the turn to which it belongs.
func (r *room) open(ask *actors.Ask) error {
	if r.active {
		return nil
	}
	r.life = &life{base: r.server.base}
	ctx := r.newTurnContext(time.Now(), ask)
	err := guarded("New", func() (err error) {
		if r.state, err = r.kind.newState(ctx, r.id); err != nil {
			return err
		}
		fresh, err := r.kind.encodeState(r.state)
		r.blank = sha256.Sum256(fresh)
		return err
	})
	ctx.end()
	if err != nil {
		r.life.end()
		r.life, r.state = nil, nil
		r.server.hooks.handlerError(HandlerErrorEvent{ID: r.id, Name: "New", Err: err})
		return err
	}
	r.active = true
	r.ref.active.Store(true)
	if r.kind.tickAlways {
		r.ticks.start(r)
	}
	return nil
}

// deactivate drops the state. The room has no sessions any more.
func (r *room) deactivate() {
	r.life.end()
	r.abandon()
	r.Idle()
	r.ticks.stop()
	r.setEmpty(false)
	r.setMembers(nil)
	r.ref.active.Store(false)
	r.active, r.state, r.sessions = false, nil, nil
	r.answered, r.panics, r.leaving.next, r.leaving.end = answeredAsks{}, nil, nil, nil
	r.life, r.spare, r.outlet = nil, nil, nil
}

// idle says whether nothing but its state keeps the room.
func (r *room) idle() bool {
	return len(r.members) == 0 && len(r.works) == 0 && !r.kind.tickAlways
}

// settle ends what is not needed any more. It runs after every message.
func (r *room) settle() {
	if r.active {
		switch {
		case !r.idle():
			r.setEmpty(false)
		case !r.empty && (r.kind.keepEmpty < 0 || r.unchanged()):
			r.deactivate()
		default: // if it was empty before, it was asked or visited: its time counts anew
			r.setEmpty(true)
		}
	}
	if !r.active && r.server.rooms.retire(r.ref) {
		r.server.system.Stop(r.self)
	}
}

// setEmpty says whether the room is empty. One that is gives up what only a room with sessions needs: there may be very
// many of them.
func (r *room) setEmpty(empty bool) {
	switch {
	case empty:
		r.kind.vacant.put(r)
		r.Idle()
		r.sessions, r.spare, r.outlet = nil, nil, nil
		r.releases.rest()
	case r.empty:
		r.kind.vacant.remove(r)
	}
	r.empty = empty
}

// unchanged says whether the state still equals what New made.
func (r *room) unchanged() bool {
	now, err := r.kind.encodeState(r.state)
	return err == nil && sha256.Sum256(now) == r.blank
}

func (r *room) attach(m *actors.Attach) {
	if r.server.closed.Load() { // it was on its way when Shutdown told the rooms to close
		r.release(release{at: recipient{pid: m.From}, msg: goingAway()})
		return
	}
	in := m.Data.(entrant)
	if !r.active && !in.create {
		r.release(release{at: recipient{pid: m.From}, msg: &actors.Close{Code: conn.CloseUnavailable, Reason: "the room has just ended; connect again"}})
		return
	}
	if err := r.open(nil); err != nil {
		r.refuse(m, err)
		return
	}
	if r.kind.maxSessions > 0 && len(r.members) >= r.kind.maxSessions {
		reason := fmt.Sprintf("%s: the room is full (%d sessions)", contract.ResourceExhausted, r.kind.maxSessions)
		r.release(release{at: recipient{pid: m.From}, msg: &actors.Close{Code: conn.CloseRoomFull, Reason: reason}})
		return
	}
	at := recipient{m.From, r.server.system.Holder(m.From)}
	s := &session{recipient: at, id: m.Session, format: m.Format, addr: m.Addr, attachedAt: time.Now()}
	s.public = r.kind.newSession(s, in.data)
	if r.sessions == nil {
		r.sessions = make(map[string]*session)
	}
	r.sessions[s.id] = s
	r.setMembers(append(r.members[:len(r.members):len(r.members)], s))
	if r.kind.onAttach != nil {
		var failed error
		t := &turn{room: r, name: "OnAttach", session: s, format: s.format}
		t.run(r.kind.onAttach, func(err error) release {
			if failed = err; err != nil {
				s.gone = true
				r.drop(s)
			} else {
				r.attached(s)
			}
			return release{}
		})
		if failed != nil {
			r.refuse(m, failed)
		}
		return
	}
	r.attached(s)
}

// attached says that a session is in. Whom OnAttach removes, the session itself perhaps, leaves after that.
func (r *room) attached(s *session) {
	r.ticks.start(r)
	r.server.hooks.attach(SessionEvent{ID: r.id, Session: s.id, Addr: s.addr, Sessions: len(r.members)})
}

// refuse closes the connection of a session that may not enter, saying why.
func (r *room) refuse(m *actors.Attach, err error) {
	frame := r.errorFrame(&turn{room: r, name: "OnAttach"}, m.Format, err)
	code := uint16(conn.CloseRefused)
	switch contract.Code(frame.Code) {
	case contract.Unauthenticated:
		code = conn.CloseUnauthenticated
	case contract.Internal:
		code = 1011
	case contract.Unavailable, contract.RateLimited:
		code = conn.CloseUnavailable
	case contract.ResourceExhausted:
		code = conn.CloseRoomFull
	}
	reason := frame.Error
	if frame.Code != "" {
		reason = frame.Code + ": " + reason
	}
	r.release(release{at: recipient{pid: m.From}, msg: &actors.Close{Code: code, Reason: reason}})
}

// has says whether a session is of this room and there to be sent to. Of another room's it reads nothing that changes.
func (r *room) has(s *session) bool { return r.sessions[s.id] == s && !s.gone }

func (r *room) drop(s *session) {
	delete(r.sessions, s.id)
	rest := make([]*session, 0, len(r.members))
	for _, other := range r.members {
		if other != s {
			rest = append(rest, other)
		}
	}
	r.setMembers(rest)
}

func (r *room) setMembers(m []*session) {
	r.members = m
	r.ref.sessions.Store(int32(len(m)))
}
