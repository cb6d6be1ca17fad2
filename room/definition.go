package room

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gosocka/socka/contract"
)

// Definition describes one kind of room: its contract, how its state begins, and what happens in its turns. State is
// what one room knows; Data is what one session knows, set by Authenticate. Both must be types that can be written to a
// snapshot and read back (see [NewServer]).
//
// Fill the fields, add a handler for every call of the contract with [Handle], [HandleOneWay], [HandleRead] or
// [HandleAsync], then give the definition to [NewServer], after which it must not be changed. A definition serves any
// number of rooms.
type Definition[State, Data any] struct {
	// Contract lists the calls and pushes. Required; every call in it needs a handler.
	Contract *contract.Contract

	// Kind is the name in the URL ({prefix}/{kind}/{room}). Default: the contract's name.
	Kind string

	// New makes the state of a room that is not there yet. Default: the zero State. It runs as part of the room's first
	// turn; an error refuses the session that caused it.
	New func(ctx context.Context, id ID) (State, error)

	// Authenticate decides who gets in, before the upgrade and on every connect; what it returns is the session's Data.
	// It runs on the HTTP request's goroutine, never on the room's; r.Context() ends after the handshake time. An error
	// refuses the request with the HTTP status of its [contract.Code] and its message; an error without a code is
	// answered 403 without its text, a panic 500. Default: everyone who passes the same-origin check gets in, with the
	// zero Data.
	Authenticate func(r *http.Request, id ID) (Data, error)

	// MayCreate is asked after Authenticate, for a room that does not exist yet. An error refuses like Authenticate's. A
	// session that was let in because its room existed, and finds it ended, is closed with conn.CloseUnavailable: when it
	// comes again, MayCreate is asked.
	// Default: whoever may enter may create, within the limits of [Options].
	MayCreate func(r *http.Request, id ID, data Data) error

	// OnAttach is a session's first turn: t.Session is the new session, which already is in t.Sessions(), so that a
	// broadcast reaches it too unless excepted. An error or a panic refuses the session: its connection closes with
	// "code: message" as the reason, and OnDetach does not run for it. The close code is conn.CloseRefused for an error
	// with a code, but conn.CloseUnauthenticated for unauthenticated, conn.CloseUnavailable for unavailable and
	// rate_limited, conn.CloseRoomFull for resource_exhausted; conn.CloseInternal for an error without a code, whose text
	// is withheld, and for a panic. Default: everybody is let in.
	OnAttach func(ctx context.Context, t *Turn[State, Data]) error

	// OnDetach is a session's last turn, after all its calls, while it still is in t.Sessions(). An error is reported and
	// drops what the turn sent; the session leaves anyhow. Default: nothing.
	OnDetach func(ctx context.Context, t *Turn[State, Data]) error

	// OnTick runs every TickEvery while a session is connected (always, with TickAlways; such a room never ends by
	// itself). The rate is fixed: a late tick does not shift the next one, and ticks that were missed are skipped,
	// never made up for. t.Session is nil.
	OnTick     func(ctx context.Context, t *Turn[State, Data]) error
	TickEvery  time.Duration // required with OnTick; at least 1 ms
	TickAlways bool

	// MaxSessions bounds the sessions of one room; one more is closed with conn.CloseRoomFull. Default 1,000; negative:
	// no limit.
	MaxSessions int

	// TurnTimeout ends the ctx of a turn. Default 10 s; negative: never.
	TurnTimeout time.Duration

	// WorkTimeout ends the ctx of the work of [Go] and [HandleAsync]. Default 1 minute; negative: never.
	WorkTimeout time.Duration

	// KeepEmpty is how long a room that nobody is in keeps its state, which lives in memory only. Default 5 minutes;
	// negative: it ends with its last session. A room whose state still equals what New made ends at once.
	KeepEmpty time.Duration

	handlers map[string]*handler
}

// AnyDefinition is a *Definition[State, Data] of whatever types.
type AnyDefinition interface {
	erase() (*kind, error)
}

// Defaults of a Definition.
const (
	defaultMaxSessions = 1000
	defaultTurnTimeout = 10 * time.Second
	defaultWorkTimeout = time.Minute
	defaultKeepEmpty   = 5 * time.Minute
	minTick            = time.Millisecond
)

// kind is a Definition without its type parameters: what the room actor runs on. A state is a *State, a public session
// a *Session[Data].
type kind struct {
	name     string
	contract *contract.Contract
	handlers map[string]*handler

	newState    func(ctx context.Context, id ID) (any, error)
	encodeState func(state any) ([]byte, error)
	reloadState func(state any) error // through the snapshot codec and back
	newSession  func(s *session, data any) any
	encodeData  func(public any) ([]byte, error)
	reloadData  func(public any) error

	authenticate func(r *http.Request, id ID) (any, error)
	mayCreate    func(r *http.Request, id ID, data any) error // nil: whoever may enter
	onAttach     func(t *turn) error
	onDetach     func(t *turn) error
	onTick       func(t *turn) error

	tickEvery   time.Duration
	tickAlways  bool
	maxSessions int
	turnTimeout time.Duration
	workTimeout time.Duration
	keepEmpty   time.Duration

	vacant vacant
}

// erase is where the type parameters of a definition end.
func (d *Definition[State, Data]) erase() (*kind, error) {
	if d == nil || d.Contract == nil {
		return nil, fmt.Errorf("room: Definition[%T, %T] has no Contract", *new(State), *new(Data))
	}
	k := &kind{
		name: d.Kind, contract: d.Contract, handlers: d.handlers,
		tickEvery: d.TickEvery, tickAlways: d.TickAlways,
		maxSessions: orDefault(d.MaxSessions, defaultMaxSessions),
		turnTimeout: orDefault(d.TurnTimeout, defaultTurnTimeout),
		workTimeout: orDefault(d.WorkTimeout, defaultWorkTimeout),
		keepEmpty:   orDefault(d.KeepEmpty, defaultKeepEmpty),
	}
	if k.name == "" {
		k.name = d.Contract.Name()
	}
	if err := ValidName(k.name); err != nil {
		return nil, fmt.Errorf("room: kind %q: %w; set Definition.Kind", k.name, err)
	}
	if err := k.checkHandlers(); err != nil {
		return nil, err
	}
	if d.OnTick != nil && d.TickEvery < minTick {
		return nil, fmt.Errorf("room: kind %s: OnTick needs a TickEvery of at least %v, not %v", k.name, minTick, d.TickEvery)
	}
	if d.OnTick == nil && (d.TickEvery != 0 || d.TickAlways) {
		return nil, fmt.Errorf("room: kind %s: TickEvery and TickAlways do nothing without OnTick", k.name)
	}
	if err := checkSnapshotType[State](k.name, "State"); err != nil {
		return nil, err
	}
	if err := checkSnapshotType[Data](k.name, "Data"); err != nil {
		return nil, err
	}

	k.newState = func(ctx context.Context, id ID) (any, error) {
		state := new(State)
		if d.New == nil {
			return state, nil
		}
		var err error
		*state, err = d.New(ctx, id)
		return state, err
	}
	k.encodeState = func(state any) ([]byte, error) { return encodeSnapshot(state.(*State)) }
	k.reloadState = func(state any) error { return reload(state.(*State)) }
	k.newSession = func(s *session, data any) any {
		public := &Session[Data]{s: s}
		public.Data, _ = data.(Data)
		return public
	}
	k.encodeData = func(public any) ([]byte, error) { return encodeSnapshot(&public.(*Session[Data]).Data) }
	k.reloadData = func(public any) error { return reload(&public.(*Session[Data]).Data) }

	k.authenticate = func(r *http.Request, id ID) (any, error) {
		if d.Authenticate == nil {
			return *new(Data), nil
		}
		return d.Authenticate(r, id)
	}
	if d.MayCreate != nil {
		k.mayCreate = func(r *http.Request, id ID, data any) error {
			typed, _ := data.(Data)
			return d.MayCreate(r, id, typed)
		}
	}
	k.onAttach = eraseHook(d.OnAttach)
	k.onDetach = eraseHook(d.OnDetach)
	k.onTick = eraseHook(d.OnTick)
	return k, nil
}

// eraseHook gives nil for nil.
func eraseHook[State, Data any](f func(context.Context, *Turn[State, Data]) error) func(*turn) error {
	if f == nil {
		return nil
	}
	return func(t *turn) error {
		return f(t.ctx, typedTurn[State, Data](t))
	}
}

func orDefault[N int | time.Duration](v, def N) N {
	if v == 0 {
		return def
	}
	return v
}
