package room

import (
	"net/netip"
	"time"

	"github.com/gosocka/socka/wire"
)

// Session is one client's membership in a room. A handler may read and change Data; like the room's state it belongs to
// the room, so it must not be touched outside a turn. A change is saved if this turn has the session as its t.Session or from
// t.Sessions, or is a continuation of [Go] or [HandleAsync]; do not keep a *Session for other turns.
type Session[Data any] struct {
	Data Data
	s    *session
}

// ID is the session's public id, made by the server: 22 characters, unique, safe to show to other clients.
func (s *Session[Data]) ID() string { return s.s.id }

// Addr is the client's address, found out by conn.Options.TrustedProxies when it is behind a proxy.
func (s *Session[Data]) Addr() netip.Addr { return s.s.addr }

// AttachedAt is when the session entered the room.
func (s *Session[Data]) AttachedAt() time.Time { return s.s.attachedAt }

// Connected says whether the session still is in its room with a socket to send to. What is sent to one that is not is
// dropped without an error.
func (s *Session[Data]) Connected() bool { return !s.s.gone && !s.s.lost }

// Away says since when a session with a resume key has had no connection; the zero time: it has one.
func (s *Session[Data]) Away() time.Time { return s.s.away }

// session is the room's side of a session, without type parameters. Only the room's turns touch it.
type session struct {
	recipient
	id         string
	link       string // what its connection is called; as the session, until it has been away
	order      uint64 // of joining
	format     wire.Format
	addr       netip.Addr
	attachedAt time.Time
	public     any // *Session[Data]

	key       []byte    // hash of its resume key; nil: it has none
	principal []byte    // hash of whose it is, if it has a key
	away      time.Time // since when it has had no connection, while it may come back
	since     uint64    // the turn of its last return
	saved     []byte    // its data, as captured last; nil: never
	anew      bool      // what else its record has may have changed since
	stored    bool      // the store may have a record
	touched   int       // its place among those that may have changed, from 1; 0: it is not
	exposed   bool      // shown to an audience's code
	dropped   bool      // off the list of members

	gone bool // closed by a turn or detached: nothing is sent to it or taken from it any more
	lost bool // its connection is gone; calls received before may still wait

	// While an async call of the session runs, what the session sent after it waits here: *actors.Call, then perhaps
	// one *actors.Detach. The gateway's limit on calls in flight bounds it.
	async   *work
	waiting []any
}
