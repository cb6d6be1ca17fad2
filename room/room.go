package room

import (
	"fmt"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store"
)

// room is the actor of one room. All its fields but ref's belong to its mailbox.
//
//	             message that needs a state             without work for SleepAfter: saved
//	idle, absent ──────────────────────────▶ active ──────────────────────────────────────▶ asleep, with open sockets
//	     ▲         snapshot, or New             │ │  ◀──────────────────────────────────────    │
//	     │                                      │ │     message, alarm: the snapshot           │
//	     └──────────────────────────────────────┘ └── without open sockets ──▶ absent          │
//	       CloseRoom, Destroy, Shutdown, fenced, repeated panics                                │
//	     ◀──────────────────────────────────────────────────────────────────────────────────────┘ via active
//
// It is active while it has a state, and then it is held: its server is its only writer, under an epoch. Asleep it is held
// and has no state. Else it is an actor without anything; it leaves the registry, and stops, when nobody is on the way to it.
type room struct {
	server *Server
	kind   *kind
	id     ID
	ref    *entry
	self   *actors.PID
	alone  []string // the chain of a turn that nobody else waits for

	active    bool
	asleep    bool      // it has open sockets and no state
	woke      bool      // the store said that it is due
	continued bool      // it was asleep, and nobody else can have had it
	slept     bool      // it was saved as it is, and is to be given back
	next      time.Time // when it then wants to be woken
	elsewhere bool      // another server had it, when it was last asked for
	storeAway error     // what those were told who waited last for the snapshot, in vain
	awaySince time.Time
	kept      *store.Room // what the store has, read and not used yet
	life      *life       // of this activation
	state     any         // *State
	keep      keeper      // what is saved of it
	alarms    alarms

	sessions map[string]*session // by link
	members  []*session          // in order of joining; replaced, never changed in place
	joined   uint64              // the order of the last that has joined
	touched  []*session          // members that may have changed since they were captured
	removed  []string            // ids of members that have left since
	scratch  []byte              // for encodings that are only compared
	probes   map[string]*probe   // newcomers that wait, by link

	leaving   departures
	detaching string // the id of the session whose OnDetach runs

	turns    uint64
	spare    *turn // for the next one
	releases releaseQueue
	outlet   *outlet            // nil until something is held
	works    map[*work]struct{} // started and not yet finished
	answered answeredAsks
	panics   []time.Time // of the last turns that panicked
	deferred []any       // what waits while no turn may start

	ticks      ticker
	wakeTimer  wakeTimer
	idleTimer  *time.Timer
	lastTurn   time.Time
	opened     time.Time // when it was last made active
	empty      bool      // nobody is here, and nothing keeps the room awake
	emptySince time.Time
}

// maxPanics within panicWindow close a room: it would only go on failing.
const (
	maxPanics   = 10
	panicWindow = 10 * time.Second
)

// Receive implements actors.Actor.
func (r *room) Receive(msg any) {
	if r.server.killed.Load() {
		if v, ok := msg.(*visit); ok {
			v.Undelivered(r.server.system)
		}
		return
	}
	if stands := r.active && r.stalled(); !stands || !r.active || !r.stall(msg) {
		r.receive(msg)
	}
	r.settle()
}

func (r *room) receive(msg any) {
	switch m := msg.(type) {
	case *actors.Call:
		if r.awakeFor(m) {
			r.call(m)
		}
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
	case *actors.Probed:
		if r.active {
			r.probed(m)
		}
	case *workDone:
		r.workDone(m)
	case *saved:
		r.saved(m)
	case *saveFails:
		r.saveFails(m)
	case *saveLate:
		r.late(m)
	case saveDue:
		if r.active {
			r.saveNow()
		}
	case tickDue:
		r.tick(m)
	case wakeDue:
		r.wakeUp()
	case idleDue:
		r.idle()
	case leaseBack:
		r.leaseBack()
	case settle:
	}
}

// awakeFor wakes the room for a call, or refuses it.
func (r *room) awakeFor(m *actors.Call) bool {
	if !r.asleep {
		return true
	}
	err := r.open(nil)
	if err == nil {
		return true
	}
	frame := r.errorFrame(&turn{room: r, name: m.RPC}, m.Format, err)
	frame.ID, frame.RPC = m.ID, m.RPC
	r.server.system.Send(m.From, refusal(m, frame))
	m.Release()
	return false
}

// saveFails hears that what was captured does not get into the store for now: no turn starts until it does.
func (r *room) saveFails(m *saveFails) {
	if r.keep.flying == nil || r.keep.flying != m.s || !r.active {
		return
	}
	r.keep.frozen = true
	r.server.hooks.saveFailed(SaveFailedEvent{ID: r.id, Err: m.err})
}

// Stopped implements actors.Actor: it releases what the room still holds. After a regular end that is nothing.
func (r *room) Stopped(reason error) {
	if r.server.killed.Load() {
		r.active = false
		r.ticks.stop()
		r.stopTimers()
		r.server.rooms.remove(r.ref)
		return
	}
	if r.active || r.asleep || r.keep.epoch != 0 {
		why := goingAway()
		if reason != nil {
			why = &actors.Close{Code: conn.CloseRoomFailed, Reason: "room failed"}
		}
		epoch, number := r.keep.epoch, r.keep.number+1
		r.stop(why)
		if epoch != 0 { // as it was last saved
			r.server.saver.submit(&saving{batch: store.Batch{
				Key: store.Key(r.id), Epoch: epoch, Number: number, Then: store.Release, Wake: time.Now().Add(wakePause), Linger: -1,
			}})
		}
	}
	r.stopTimers()
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
	now  bool   // also while no turn may start
}

// Undelivered implements actors.Undeliverable.
func (v *visit) Undelivered(*actors.System) {
	if v.lost != nil {
		v.lost()
	}
}

// settle, sent to a room, makes it look whether it still is needed.
type settle struct{ actors.Message }

func (r *room) attach(m *actors.Attach) {
	if r.server.closed.Load() { // it was on its way when Shutdown told the rooms to close
		r.release(release{at: recipient{pid: m.From}, msg: goingAway()})
		return
	}
	in := m.Data.(entrant)
	if !in.create {
		exists, err := r.exists(nil)
		switch {
		case err != nil:
			r.refuse(m, err)
			return
		case !exists:
			r.release(release{at: recipient{pid: m.From}, msg: &actors.Close{Code: conn.CloseUnavailable, Reason: "the room has just ended; connect again"}})
			return
		}
	}
	if err := r.open(nil); err != nil {
		r.refuse(m, err)
		return
	}
	r.enterOrResume(m, in)
}

func (r *room) enterOrResume(m *actors.Attach, in entrant) {
	if in.key == nil || !r.resume(m, &in) {
		r.enter(m, in)
	}
}

// enter makes a newcomer a session.
func (r *room) enter(m *actors.Attach, in entrant) {
	if r.kind.maxSessions > 0 && len(r.members) >= r.kind.maxSessions {
		reason := fmt.Sprintf("%s: the room is full (%d sessions)", contract.ResourceExhausted, r.kind.maxSessions)
		r.release(release{at: recipient{pid: m.From}, msg: &actors.Close{Code: conn.CloseRoomFull, Reason: reason}})
		return
	}
	at := recipient{m.From, r.server.system.Holder(m.From)}
	s := &session{recipient: at, id: m.Session, link: m.Session, format: m.Format, addr: m.Addr, attachedAt: time.Now(), key: in.key, principal: in.principal}
	s.public = r.kind.newSession(s, in.data)
	r.admitSession(s, func(err error) { r.refuse(m, err) })
}

// admitSession puts a session on the list and runs its OnAttach, which may refuse it. So is one whose data cannot be kept.
func (r *room) admitSession(s *session, refuse func(error)) {
	if _, err := r.kind.encodeData(s.public, nil); err != nil {
		r.server.hooks.handlerError(HandlerErrorEvent{ID: r.id, Name: "OnAttach", Session: s.id, Err: fmt.Errorf("room: the data of the session cannot be kept: %w", err)})
		refuse(err)
		return
	}
	r.joined++
	s.order = r.joined
	if r.sessions == nil {
		r.sessions = make(map[string]*session)
	}
	r.sessions[s.link] = s
	r.setMembers(append(r.members[:len(r.members):len(r.members)], s))
	r.touchAnew(s)
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
			refuse(failed)
		}
		return
	}
	r.attached(s)
	r.commit()
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
func (r *room) has(s *session) bool { return r.sessions[s.link] == s && !s.gone }

func (r *room) drop(s *session) {
	if s.dropped {
		return
	}
	s.dropped = true
	r.untouch(s)
	delete(r.sessions, s.link)
	if s.stored {
		r.removed = append(r.removed, s.id)
	}
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
