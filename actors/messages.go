package actors

import (
	"net/netip"
	"time"

	"github.com/gosocka/socka/wire"
)

// Message is embedded in every message of the library. It keeps the engine from logging messages that find nobody,
// which is ordinary (a Detach for a room that has ended) and would print what they carry; see [Undeliverable] for those
// that matter.
type Message struct{}

// IgnoreDeadLetterLogging is the engine's name for that.
func (Message) IgnoreDeadLetterLogging() {}

// Attach tells a room that a session has a connection now. It is the first message of a session. The room answers
// nothing when it takes the session, and [Close] when it refuses.
type Attach struct {
	Message
	From    *PID        // the connection
	Session string      // the public session id, made by the server
	Format  wire.Format // what the connection speaks
	Addr    netip.Addr  // the peer's address, as the gateway's proxy settings make it out
	Data    any         // as the gateway was given it
}

// Call is a request of a session with its body undecoded: a call, or a one-way call. The gateway numbers a connection's
// calls from 1; the room takes them in that order and sends one [Answer] for each.
//
// One from [NewCall] lends its memory to ID, RPC and Body: nothing of them may be kept beyond [Call.Release].
type Call struct {
	Message
	From    *PID
	Session string
	Number  uint64
	Format  wire.Format // of Body
	ID, RPC string      // the envelope's
	Body    []byte      // belongs to the receiver

	// Refused is set when the gateway itself refuses the request (over a limit, malformed but answerable). The room
	// runs nothing and answers with it, so that answers stay in order.
	Refused *wire.ErrorFrame

	next   *Call  // see Follow
	memory []byte // what ID, RPC and Body may lie in
	pooled bool
}

// Detach tells a room that the connection of a session is gone. It is the last message of a session.
type Detach struct {
	Message
	From    *PID // nil when a [Move] found no connection
	Session string
	Code    uint16 // the WebSocket close code; 1006 when the connection broke
	Reason  string
}

// Policy says what a slow consumer may lose.
type Policy uint8

// The policies of a push.
const (
	Must       Policy = iota // never dropped; a connection that cannot take it is closed
	DropOldest               // when the outbox is full, the oldest such push goes first
	Latest                   // a newer push with the same key removes the older one that still waits
)

// Push is one push for any number of connections: the room encodes it once per wire format and sends the same *Push to
// all. Receivers must not change it.
type Push struct {
	Message
	Frames [2][]byte // whole envelopes by wire.Format; nil for a format that no recipient speaks
	Policy Policy
	Key    string // with Latest: pushes with equal keys replace each other; it holds the push's name
}

// Answer ends a call. One from [NewAnswer] is the connection's to release.
type Answer struct {
	Message
	Number uint64
	Frame  []byte // a whole envelope in the connection's format; empty: a one-way call that succeeded

	pooled bool
}

// Close asks a connection to send what is queued before it and then to close with a code.
type Close struct {
	Message
	Code   uint16
	Reason string // at most 123 bytes of UTF-8, longer ones are cut
}

// Probe asks a connection whether its peer is still there. The connection pings, and sends From one [Probed], whatever
// becomes of it: also when it is gone already.
type Probe struct {
	Message
	From    *PID          // gets the Probed
	Session string        // comes back in it
	Timeout time.Duration // what the peer has to be heard; zero or less: nothing, so that nobody is found alive
}

// Probed answers a [Probe].
type Probed struct {
	Message
	Session string
	// Alive is true if the peer was heard since the Probe: a pong or anything else, but not a close frame. It is false as
	// soon as the connection closes, and when Timeout is over.
	Alive bool
}

// Move tells a connection that its room has another address from now on: To gets its further Calls, whose numbers go on,
// and its Detach. A connection that has sent its Detach before sends it again, to To, and so does, with code 1006, one that
// is gone: whoever moves a connection to himself gets one Detach for it, sooner or later. A Move to where it is already
// does nothing.
//
// When Send of a Move to a connection of this node returns, nothing of the connection is on its way to the old address any
// more but what has arrived there: it waits for what the connection is sending at that moment. So it must not be sent
// under a lock that a [Process] at the old address takes in Deliver, nor from that Deliver.
type Move struct {
	Message
	Session string
	To      *PID
}

// Ask is a call from the server side: from another room, or from plain Go code.
type Ask struct {
	Message
	From     *PID // gets the AskResult
	RPC      string
	Format   wire.Format
	Body     []byte
	Key      string    // idempotency key; "" for none
	Chain    []string  // the rooms whose turns wait for this answer, outermost first
	Wait     uint64    // what the asker's node calls this wait, if a room waits; 0 if none does
	Create   bool      // the room may be started for it
	Deadline time.Time // after it the call must not start any more
}

// AskResult answers an [Ask].
type AskResult struct {
	Message
	Format wire.Format
	Body   []byte // nil for a void output
	Err    *wire.ErrorFrame
}

// Undelivered closes the connection: its room is gone.
func (m *Attach) Undelivered(s *System) {
	s.Send(m.From, &Close{Code: CloseUnavailable, Reason: "room stopped"})
}

// Undelivered closes the connection, since the call will get no answer.
func (m *Call) Undelivered(s *System) {
	s.Send(m.From, &Close{Code: CloseUnavailable, Reason: "room stopped"})
}

// Undelivered answers that there is no peer any more.
func (m *Probe) Undelivered(s *System) { s.Send(m.From, &Probed{Session: m.Session}) }

// Undelivered sends the Detach in place of the connection.
func (m *Move) Undelivered(s *System) { s.Send(m.To, &Detach{Session: m.Session, Code: closeAbnormal}) }

// Undelivered answers that the call did not run.
func (m *Ask) Undelivered(s *System) {
	s.Send(m.From, &AskResult{Err: &wire.ErrorFrame{Error: "the room has stopped; try again", Code: "unavailable", HasCode: true}})
}

// CloseUnavailable is the close code for a room that cannot be reached at the moment: reconnect with backoff. The whole
// table of codes is in package conn.
const CloseUnavailable = 4504

// closeAbnormal stands for a connection whose end nobody can tell any more (RFC 6455 section 7.4.1).
const closeAbnormal = 1006
