package room

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"time"
)

// Hooks are told what happens; each may be nil. They run where the thing happens, on a room's turn or a connection's
// goroutine, possibly on many at once, so they must be quick and must not call back into the server. A panic in one is
// logged and goes no further. What has no hook is logged to Options.Logger instead: handler errors as Error (as Debug if
// they have a code: an answer that the application chose), validation errors as Warn, everything else as Debug.
type Hooks struct {
	// ValidationError: a malformed frame, an input, output or push that does not pass its schema, an unknown call.
	ValidationError func(ValidationErrorEvent)
	// HandlerError: a handler or hook of the definition returned an error or panicked ([*PanicError]).
	HandlerError func(HandlerErrorEvent)
	// Attach: a session has entered a room; Detach: it has left.
	Attach, Detach func(SessionEvent)
	// Away: the connection of a session with a resume key is gone, and the session is kept; Resume: it has another one.
	Away, Resume func(SessionEvent)
	// Wake: a room has a state again, or for the first time; Sleep: its state was saved and dropped.
	Wake, Sleep func(RoomEvent)
	// SaveFailed: a room cannot save; it is tried again, unless Fenced. Without a hook it is logged as Error.
	SaveFailed func(SaveFailedEvent)
	// SnapshotError: a snapshot cannot be read. It was left as it is. Without a hook it is logged as Error.
	SnapshotError func(SnapshotErrorEvent)
	// AlarmDropped: OnAlarm has failed for the last time. Without a hook it is logged as Error.
	AlarmDropped func(AlarmDroppedEvent)
	// Turn: a turn is over.
	Turn func(TurnEvent)
	// Push: a push has left the room.
	Push func(PushEvent)
	// Close: a connection has ended.
	Close func(CloseEvent)
}

// ValidationErrorEvent says what did not pass.
type ValidationErrorEvent struct {
	ID      ID
	Name    string // the turn, as in TurnEvent; "" for a malformed frame
	Session string // its public id, "" for none
	Input   bool   // the client's fault, not the handler's
	Err     error
}

// HandlerErrorEvent says what failed. Err is the whole error, as no client sees it.
type HandlerErrorEvent struct {
	ID      ID
	Name    string // the turn, as in TurnEvent, or "New"
	Session string // its public id, "" for none
	Err     error
}

// SessionEvent says who came or went.
type SessionEvent struct {
	ID       ID
	Session  string     // its public id
	Addr     netip.Addr // the client's, invalid for transports without IP addresses
	Sessions int        // in the room, afterwards
}

// RoomEvent says of which room it is.
type RoomEvent struct {
	ID       ID
	Sessions int // in the room
}

// SaveFailedEvent says why a room's save has failed: the store's error, or that of the encoding.
type SaveFailedEvent struct {
	ID     ID
	Err    error
	Fenced bool // another server has the room: it ends here, and what it has not saved is lost
}

// SnapshotErrorEvent says what is wrong with a room's snapshot.
type SnapshotErrorEvent struct {
	ID  ID
	Err error
}

// AlarmDroppedEvent says which alarm was given up: one that repeats goes on with its next time.
type AlarmDroppedEvent struct {
	ID       ID
	Alarm    Alarm
	Failures int
	Err      error // the last
}

// TurnEvent says how long a turn took.
type TurnEvent struct {
	ID       ID
	Name     string // the call, the hook ("OnAttach", "OnDetach", "OnResume", "OnAlarm", "OnTick"), "NAME (Go)" for what a turn went on with, "Push" or "Kick"
	Session  string // the public id of the session that caused the turn, "" for none
	Duration time.Duration
	Err      error // what the turn failed with, nil if it succeeded
}

// PushEvent says what was sent to how many.
type PushEvent struct {
	ID       ID
	Name     string // the push
	Sessions int    // how many it was sent to; a slow one may still lose it, as the push allows
	Bytes    int    // of the larger encoding, for one session
}

// CloseEvent says why a connection ends.
type CloseEvent struct {
	ID      ID
	Session string
	Code    uint16 // the WebSocket close code; 1006 when the connection broke
	Reason  string
	ByPeer  bool  // the client closed it
	Err     error // what broke it, if something did
}

// observer is Hooks with the gaps filled by the log.
type observer struct {
	Hooks
	log *slog.Logger
}

func (o *observer) validationError(e ValidationErrorEvent) {
	if o.ValidationError != nil {
		defer o.survive("ValidationError")
		o.ValidationError(e)
		return
	}
	o.log.Warn("socka: validation failed", "room", e.ID, "name", e.Name, "session", e.Session, "input", e.Input, "error", e.Err)
}

func (o *observer) handlerError(e HandlerErrorEvent) {
	if o.HandlerError != nil {
		defer o.survive("HandlerError")
		o.HandlerError(e)
		return
	}
	if p, ok := e.Err.(*PanicError); ok {
		o.log.Error("socka: panic in a turn", "room", e.ID, "name", e.Name, "session", e.Session, "panic", p.Value, "stack", string(p.Stack))
		return
	}
	level := slog.LevelError
	if _, coded := asCoded(e.Err); coded {
		level = slog.LevelDebug // an answer that the application chose
	}
	o.log.Log(context.Background(), level, "socka: handler failed", "room", e.ID, "name", e.Name, "session", e.Session, "error", e.Err)
}

func (o *observer) attach(e SessionEvent) { o.session(o.Attach, "attach", e) }
func (o *observer) detach(e SessionEvent) { o.session(o.Detach, "detach", e) }
func (o *observer) away(e SessionEvent)   { o.session(o.Away, "away", e) }
func (o *observer) resume(e SessionEvent) { o.session(o.Resume, "resume", e) }

func (o *observer) session(hook func(SessionEvent), name string, e SessionEvent) {
	if hook != nil {
		defer o.survive(name)
		hook(e)
	} else if o.debug() {
		o.log.Debug("socka: "+name, "room", e.ID, "session", e.Session, "addr", e.Addr, "sessions", e.Sessions)
	}
}

func (o *observer) wake(e RoomEvent)  { o.room(o.Wake, "wake", e) }
func (o *observer) sleep(e RoomEvent) { o.room(o.Sleep, "sleep", e) }

func (o *observer) room(hook func(RoomEvent), name string, e RoomEvent) {
	if hook != nil {
		defer o.survive(name)
		hook(e)
	} else if o.debug() {
		o.log.Debug("socka: "+name, "room", e.ID, "sessions", e.Sessions)
	}
}

func (o *observer) saveFailed(e SaveFailedEvent) {
	if o.SaveFailed != nil {
		defer o.survive("SaveFailed")
		o.SaveFailed(e)
		return
	}
	o.log.Error("socka: a room cannot save", "room", e.ID, "fenced", e.Fenced, "error", e.Err)
}

func (o *observer) snapshotError(e SnapshotErrorEvent) {
	if o.SnapshotError != nil {
		defer o.survive("SnapshotError")
		o.SnapshotError(e)
		return
	}
	o.log.Error("socka: a snapshot cannot be read; it was left as it is", "room", e.ID, "error", e.Err)
}

func (o *observer) alarmDropped(e AlarmDroppedEvent) {
	if o.AlarmDropped != nil {
		defer o.survive("AlarmDropped")
		o.AlarmDropped(e)
		return
	}
	o.log.Error("socka: an alarm was dropped", "room", e.ID, "alarm", e.Alarm.Name, "failures", e.Failures, "error", e.Err)
}

func (o *observer) turn(t *turn, err error) {
	if o.Turn == nil && !o.debug() {
		return
	}
	e := TurnEvent{ID: t.room.id, Name: t.name, Session: t.sessionID(), Duration: time.Since(t.began), Err: err}
	if o.Turn != nil {
		defer o.survive("Turn")
		o.Turn(e)
	} else {
		o.log.Debug("socka: turn", "room", e.ID, "name", e.Name, "session", e.Session, "duration", e.Duration, "error", e.Err)
	}
}

func (o *observer) push(r *room, p *release) {
	if o.Push == nil && !o.debug() {
		return
	}
	e := PushEvent{ID: r.id, Name: p.name, Sessions: len(p.to), Bytes: max(len(p.push.Frames[0]), len(p.push.Frames[1]))}
	if o.Push != nil {
		defer o.survive("Push")
		o.Push(e)
	} else {
		o.log.Debug("socka: push", "room", e.ID, "name", e.Name, "sessions", e.Sessions, "bytes", e.Bytes)
	}
}

func (o *observer) close(e CloseEvent) {
	if o.Close != nil {
		defer o.survive("Close")
		o.Close(e)
	} else if o.debug() {
		o.log.Debug("socka: close", "room", e.ID, "session", e.Session, "code", e.Code, "reason", e.Reason, "by peer", e.ByPeer, "error", e.Err)
	}
}

// survive, deferred, keeps a panic of a hook from whoever called it: a room, or a connection's goroutine.
func (o *observer) survive(hook string) {
	if v := recover(); v != nil {
		o.log.Error("socka: panic in a hook", "hook", hook, "panic", v, "stack", string(debug.Stack()))
	}
}

func (o *observer) debug() bool { return o.log.Enabled(context.Background(), slog.LevelDebug) }
