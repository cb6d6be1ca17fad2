package room

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store/snapshot"
	"github.com/gosocka/socka/wire"
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

	// OnResume runs when a session that was away has a connection again: t.Session is the session with its Data as it was,
	// fresh is what Authenticate has given this time; merge what should change. An error refuses the connection like
	// OnAttach's; the session is away as before. Default: the session goes on with the Data that it has.
	OnResume func(ctx context.Context, t *Turn[State, Data], fresh Data) error

	// OnAlarm runs when an alarm set with [Turn.SetAlarm] is due. t.Session is nil. An error or a panic has it run again
	// later, see there.
	OnAlarm func(ctx context.Context, t *Turn[State, Data], alarm Alarm) error

	// OnTick runs every TickEvery while a session is connected (always, with TickAlways; such a room never sleeps, and is
	// woken after a restart). The rate is fixed: a late tick does not shift the next one, and ticks that were missed are skipped,
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

	// Save says when state and sessions are saved. Default Every(time.Second). Without Options.Store, Every means OnSleep:
	// what a process keeps in its own memory is not safer for being copied there.
	Save SavePolicy

	// SleepAfter is how long a room is awake without work: then it is saved and its state is dropped, while its sockets stay
	// open, and the next message, alarm or session wakes it. Work is: messages, work of Go and HandleAsync, a save under way, a
	// tick. Default 1 minute.
	SleepAfter time.Duration

	// KeepEmpty is how long a room is kept that nobody is in and that has no alarm. Default: for ever with Options.Store, else
	// 5 minutes. Negative: it ends with its last session. A room whose state still equals what New made ends at once.
	KeepEmpty time.Duration

	// ResumeFor is how long a session that has a resume key (sid in the URL, made by the client) outlives its connection: so
	// long it is away, still in t.Sessions() with Connected false, and OnDetach does not run. Default 1 minute; negative:
	// resume keys are ignored.
	ResumeFor time.Duration

	// Principal names whose session it is: whoever comes with the resume key of a session gets it if Principal gives the
	// same for its new Data as it gave when the session began, else a new one. It runs where Authenticate runs. Default: the
	// Data that Authenticate gives must be equal, encoded.
	Principal func(data Data) string

	// Version is the version of State and Data as they are kept. Default 1. Raise it with a change that encoding/json would
	// not read as it is meant, and add a step to Migrate. A snapshot of a newer version is refused and left as it is.
	Version int

	// Migrate has the steps by the version that they start from: a snapshot of version 1 goes through Migrate[1], Migrate[2]
	// and so on. A snapshot older than the first step is refused and left as it is.
	Migrate map[int]Migration

	// SnapshotFormat is how State and Data are encoded when they are kept: wire.JSON (default, by encoding/json) or
	// wire.Msgpack, which is about a third smaller. Snapshots of either are read, whatever is set.
	SnapshotFormat wire.Format

	// OnPanic says what becomes of the state after a panic in a turn. Under EachTurn it is always what it was before the
	// turn. Default KeepState.
	OnPanic PanicPolicy

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
	defaultKeepEmpty   = 5 * time.Minute // without a store
	minTick            = time.Millisecond
)

// kind is a Definition without its type parameters: what the room actor runs on. A state is a *State, a public session
// a *Session[Data].
type kind struct {
	name     string
	contract *contract.Contract
	handlers map[string]*handler

	newState    func(ctx context.Context, id ID) (any, error)
	encodeState func(state any, dst []byte) ([]byte, error) // appends to dst
	decodeState func(e snapshot.Encoding, data []byte) (any, error)
	reloadState func(state any) error // through the snapshot codec and back
	newSession  func(s *session, data any) any
	encodeData  func(public any, dst []byte) ([]byte, error)
	reloadData  func(public any) error

	encodeSession func(s *session) ([]byte, error)
	decodeSession func(e snapshot.Encoding, data []byte) (*session, error)
	restoreData   func(s *session) error // from what was saved
	principal     func(data any) ([]byte, error)

	version    int
	migrations map[int]Migration
	encoding   snapshot.Encoding
	save       SavePolicy
	onPanic    PanicPolicy

	authenticate func(r *http.Request, id ID) (any, error)
	mayCreate    func(r *http.Request, id ID, data any) error // nil: whoever may enter
	onAttach     func(t *turn) error
	onDetach     func(t *turn) error
	onResume     func(t *turn, fresh any) error
	onAlarm      func(t *turn, a Alarm) error
	onTick       func(t *turn) error

	tickEvery   time.Duration
	tickAlways  bool
	maxSessions int
	turnTimeout time.Duration
	workTimeout time.Duration
	keepEmpty   time.Duration
	sleepAfter  time.Duration
	resumeFor   time.Duration
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
		keepEmpty:   d.KeepEmpty,
		sleepAfter:  orDefault(d.SleepAfter, defaultSleepAfter),
		resumeFor:   orDefault(d.ResumeFor, defaultResumeFor),
		save:        SavePolicy(orDefault(time.Duration(d.Save), defaultSaveEvery)),
		version:     orDefault(d.Version, 1), migrations: d.Migrate, onPanic: d.OnPanic,
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
	if d.SnapshotFormat == wire.Msgpack {
		k.encoding = snapshot.Msgpack
		if err := checkMsgpack[State](k.name, "State"); err != nil {
			return nil, err
		}
		if err := checkMsgpack[Data](k.name, "Data"); err != nil {
			return nil, err
		}
	}
	if err := k.checkKeeping(); err != nil {
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
	k.encodeState = func(state any, dst []byte) ([]byte, error) { return encodeSnapshot(k.encoding, state.(*State), dst) }
	k.decodeState = func(e snapshot.Encoding, data []byte) (any, error) {
		state := new(State)
		return state, decodeSnapshot(e, data, state)
	}
	k.reloadState = func(state any) error { return reload(k.encoding, state.(*State)) }
	k.newSession = func(s *session, data any) any {
		public := &Session[Data]{s: s}
		public.Data, _ = data.(Data)
		return public
	}
	k.encodeData = func(public any, dst []byte) ([]byte, error) {
		return encodeSnapshot(k.encoding, &public.(*Session[Data]).Data, dst)
	}
	k.reloadData = func(public any) error { return reload(k.encoding, &public.(*Session[Data]).Data) }
	k.encodeSession = func(s *session) ([]byte, error) {
		rec := recordOf[Data](s)
		return encodeSnapshot(k.encoding, &rec, make([]byte, 0, len(s.saved)+256))
	}
	k.decodeSession = func(e snapshot.Encoding, data []byte) (*session, error) {
		var rec sessionRecord[Data]
		err := decodeSnapshot(e, data, &rec)
		return rec.session(), err
	}
	k.restoreData = func(s *session) error {
		var data Data
		err := decodeSnapshot(k.encoding, s.saved, &data)
		if err == nil {
			s.public.(*Session[Data]).Data = data
		}
		return err
	}
	k.principal = func(data any) ([]byte, error) {
		typed, _ := data.(Data)
		if d.Principal != nil {
			return hashOf("named", []byte(d.Principal(typed))), nil
		}
		encoded, err := encodeSnapshot(snapshot.JSON, &typed, nil)
		return hashOf("equal", encoded), err
	}

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
	if d.OnResume != nil {
		k.onResume = func(t *turn, fresh any) error {
			typed, _ := fresh.(Data)
			return d.OnResume(t.ctx, typedTurn[State, Data](t), typed)
		}
	}
	if d.OnAlarm != nil {
		k.onAlarm = func(t *turn, a Alarm) error { return d.OnAlarm(t.ctx, typedTurn[State, Data](t), a) }
	}
	return k, nil
}

// checkKeeping says which of the fields about what is kept makes no sense.
func (k *kind) checkKeeping() error {
	switch {
	case k.save < OnSleep || k.save > 0 && k.save < SavePolicy(minSaveEvery):
		return fmt.Errorf("room: kind %s: Save is Every(%v); the shortest is %v", k.name, time.Duration(k.save), minSaveEvery)
	case k.sleepAfter < 0:
		return fmt.Errorf("room: kind %s: SleepAfter is %v; it is positive", k.name, k.sleepAfter)
	case k.onPanic > RestoreState:
		return fmt.Errorf("room: kind %s: there is no PanicPolicy %d", k.name, k.onPanic)
	}
	return k.checkMigrations()
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
