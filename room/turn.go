package room

import (
	"fmt"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Turn is what a handler or hook has in its hands: the room's state and the session that caused the turn. It is the
// only turn of its room while it lasts, so State and Data may be changed freely, without locks. It ends when the
// function returns: using it later, in a goroutine for example, panics.
type Turn[State, Data any] struct {
	// State is the room's state.
	State *State
	// Session is the session whose call, attach or detach this is. It is nil in a tick, in an Ask from the server side,
	// and in a continuation of [Go] or [HandleAsync] whose session has left.
	Session *Session[Data]

	t *turn
}

// ID names the room.
func (t *Turn[State, Data]) ID() ID { return t.live().room.id }

// Sessions lists the sessions in the room, in order of joining. The slice is the caller's.
func (t *Turn[State, Data]) Sessions() []*Session[Data] {
	members := t.live().room.members
	list := make([]*Session[Data], 0, len(members))
	for _, s := range members {
		list = append(list, s.public.(*Session[Data]))
		if !t.t.read {
			t.t.room.touch(s)
		}
	}
	t.t.shown = true
	return list
}

// Close removes a session from the room when this turn has succeeded: what the turn sends to it, its answer included,
// still goes out, then its connection closes with the code and the reason (at most 123 bytes), and OnDetach runs for
// it. Code 0 means conn.CloseKicked; codes of the application are 4000 to 4399. For a
// session that has left, or is of another room, nothing happens.
func (t *Turn[State, Data]) Close(s *Session[Data], code uint16, reason string) {
	in := t.writing("Close")
	if s == nil || !in.room.has(s.s) {
		return
	}
	if code == 0 {
		code = conn.CloseKicked
	}
	in.leaving = append(in.leaving, departure{s.s, &actors.Close{Code: code, Reason: reason}})
}

// CloseRoom sends everybody away after this turn if it succeeds: OnDetach runs for every session, those that are away too,
// and all connections close with the code (0 means conn.CloseRoomClosed) and the reason. The room is saved, unless it
// still equals what New made; who comes next finds it as it was left. [Turn.Destroy] leaves nothing.
func (t *Turn[State, Data]) CloseRoom(code uint16, reason string) {
	in := t.writing("CloseRoom")
	if code == 0 {
		code = conn.CloseRoomClosed
	}
	in.closing = &ending{why: &actors.Close{Code: code, Reason: reason}}
}

// Destroy ends the room like CloseRoom, with conn.CloseRoomClosed, and removes all that is kept of it: state, sessions and
// alarms. Who comes next finds a new room.
func (t *Turn[State, Data]) Destroy() {
	t.writing("Destroy").closing = &ending{why: &actors.Close{Code: conn.CloseRoomClosed, Reason: "the room is gone"}, destroy: true}
}

func (t *Turn[State, Data]) live() *turn {
	if t.t == nil {
		panic("room: a Turn was used after its turn had ended; pass what you need along, or use room.Go to come back with a fresh one")
	}
	return t.t
}

// writing is live, and refuses what a read-only turn may not do.
func (t *Turn[State, Data]) writing(what string) *turn {
	in := t.live()
	if in.read {
		panic(fmt.Sprintf("room: %s in the read-only turn of %s; register the call with room.Handle instead of room.HandleRead", what, in.name))
	}
	return in
}

// typedTurn gives the handler's view of a turn, which ends with the turn.
func typedTurn[State, Data any](t *turn) *Turn[State, Data] {
	typed := &Turn[State, Data]{State: t.room.state.(*State), t: t}
	if t.session != nil {
		typed.Session = t.session.public.(*Session[Data])
		if !t.read {
			t.room.touch(t.session)
		}
	}
	t.view = typed
	return typed
}

func (t *Turn[State, Data]) end() { t.State, t.Session, t.t = nil, nil, nil }

// stage is how far a call's turn has come: whose fault its error is.
type stage uint8

const (
	stageHandler stage = iota // the application's code
	stageInput                // the input did not pass its schema
	stageOutput               // the output or a push did not
)

// turn is one turn without type parameters.
type turn struct {
	room    *room
	name    string   // the call's name, or "OnAttach" and so on
	session *session // nil when no session caused it
	format  wire.Format
	read    bool
	ask     *actors.Ask // what it answers, if it answers an Ask: somebody waits for it
	ctx     *turnContext
	view    interface{ end() } // the handler's
	began   time.Time

	stage    stage
	out      []release   // what leaves if the turn succeeds, in order
	leaving  []departure // sessions closed by this turn
	closing  *ending     // the room is to end
	alarmed  []alarm     // set and cleared by this turn, in order
	fired    *alarm      // whose turn it is
	removes  *session    // leaves the room with this turn, whatever comes of it
	changed  bool        // the state was captured, and is another one
	captured bool        // state and sessions were captured
	shown    bool        // the handler has had all sessions in hand
	invalid  error       // the first push that did not pass its schema; fails the turn
	async    *work       // begun by the begin turn of an async call
	before   []byte      // the image of before a read-only turn, when turns are checked
}

// departure is a session that a turn closes, and how.
type departure struct {
	s   *session
	msg *actors.Close
}

// newTurn makes a turn that has ended when its caller recycles it.
func (r *room) newTurn(name string, s *session) *turn {
	t := r.spare
	if r.spare = nil; t == nil {
		t = new(turn)
	}
	t.room, t.name, t.session, t.format = r, name, s, s.format
	return t
}

// recycle keeps the memory of a turn that nobody has in hand any more.
func (r *room) recycle(t *turn) {
	clear(t.out[:cap(t.out)]) // what was dropped too
	*t = turn{out: t.out[:0]}
	if cap(t.out) <= keepReleases {
		r.spare = t
	}
}

// run runs f as one turn and settles it: outputs go to the release queue if f succeeded and are dropped if not. after,
// if not nil, adds what is sent in either case, behind the turn's own outputs: the answer.
func (t *turn) run(f func(t *turn) error, after func(err error) release) {
	t.begin()
	err := t.judge(t.guard(f))
	if after != nil {
		if e := after(err); !e.none() {
			t.out = append(t.out, e)
		}
	}
	t.settle(err)
}

func (t *turn) begin() {
	t.began = time.Now()
	t.ctx = t.room.newTurnContext(t.began, t.ask)
	t.room.lastTurn = t.began
	t.room.outlet.begin(t.began)
}

// judge ends the application's part of a turn and says what came of it, given what the application says.
func (t *turn) judge(err error) error {
	if err == nil && t.invalid != nil {
		t.stage, err = stageOutput, t.invalid
	}
	if t.view != nil {
		t.view.end()
	}
	t.ctx.end()
	if t.room.server.opts.CheckTurns {
		err = t.room.checkTurn(t, err)
	}
	err = t.judgeState(err)
	if err != nil {
		t.out, t.leaving, t.closing = t.out[:0], nil, nil
		t.report(err)
	}
	return err
}

// settle does what a turn has caused.
func (t *turn) settle(err error) {
	r := t.room
	for _, d := range t.leaving {
		d.s.gone = true
		t.out = append(t.out, release{at: d.s.recipient, msg: d.msg})
	}
	r.server.hooks.turn(t, err)
	if t.shown {
		for i := range t.out {
			if w := t.out[i].work; w != nil {
				w.shown = true
			}
		}
	}
	r.turns++
	r.releases.add(r.turns, t.out)
	if t.fired != nil || t.alarmed != nil {
		t.applyAlarms(err)
		defer r.setWake()
	}
	if t.removes != nil {
		r.drop(t.removes)
	}
	t.keepTurn()
	r.releases.durable(r.committed(), r)
	for _, d := range t.leaving {
		r.leave(d.s)
	}
	if t.closing != nil {
		r.end(t.closing)
	}
	if err == nil {
		return
	}
	if _, panicked := err.(*PanicError); panicked {
		r.panicked()
	}
}

// guard turns a panic of f into an error.
func (t *turn) guard(f func(t *turn) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			t.stage = stageHandler
			err = newPanicError(t.name, v)
		}
	}()
	return f(t)
}

// report tells the hooks of a failed turn.
func (t *turn) report(err error) {
	r := t.room
	if t.stage == stageHandler {
		r.server.hooks.handlerError(HandlerErrorEvent{ID: r.id, Name: t.name, Session: t.sessionID(), Err: err})
		return
	}
	r.server.hooks.validationError(ValidationErrorEvent{ID: r.id, Name: t.name, Session: t.sessionID(), Input: t.stage == stageInput, Err: err})
}

func (t *turn) sessionID() string {
	if t.session == nil {
		return ""
	}
	return t.session.id
}

// policyOf maps a push's delivery to what the outboxes do.
func policyOf(d contract.Delivery) actors.Policy {
	switch d.Mode() {
	case contract.DeliverDropOldest:
		return actors.DropOldest
	case contract.DeliverLatest:
		return actors.Latest
	}
	return actors.Must
}
