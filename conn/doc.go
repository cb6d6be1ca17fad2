// Package conn holds WebSocket connections and the gateway of a node: the upgrade from net/http, the limits, the bounded
// outbox with its policies for slow consumers, keepalive, and closing. It speaks the envelopes of the socka v1 wire
// (package wire, the protocol of @firtoz/socka) and knows nothing of contracts: bodies pass through as bytes.
//
// It may import wire and actors, and of the WebSocket libraries it alone on the server side imports gws, which serves the
// connections with permessage-deflate. Frames of all others are read and written here.
//
// # The way of a message
//
//	Admit ── Upgrade ──▶ Attach ─┐
//	                             ▼
//	socket ─▶ frames ─▶ wire.Scan ─▶ limits, number ─▶ Calls ─▶ room    read goroutine, one per connection
//	                                                           │
//	socket ◀─ one write ◀─ flusher ◀─ outbox ◀─ Answer, Push, Close     goroutine of the room, or of the flusher
//	                             ▲
//	                  close frames, pongs, pings
//
// In: the read goroutine takes what the socket has, parses the frames where they lie (inbound), decodes each envelope in the
// connection's format and numbers the calls from 1. The calls of one read go to the room as one message. A plain TCP
// connection that waits for input holds no buffer. A JSON connection
// takes binary messages too, as JSON; a msgpack connection takes no text. A malformed message is reported
// (Hooks.Malformed); one that carries an id, and a call over a limit, becomes a Call with Refused set, so that its answer
// stands in its place among the others. Server-kind frames are reported and not answered.
//
// Out: a connection is an actors.Holder. Hold puts a frame into the outbox, and Flush is the flusher: it writes all that
// waits, joined into writes of about 64 KiB. A room holds what one run of its mailbox sends and flushes each connection once,
// at the end, so a lone message goes out at once and a burst in one write. Flush writes to a plain TCP socket without waiting.
// What the socket does not take, and everything for TLS, pipes and permessage-deflate, is left to a goroutine that ends when
// nothing is left. Deliver is for those who have nothing to hold: it always leaves the writing to that goroutine. An idle
// connection has none. With permessage-deflate a message is compressed when the flusher takes it, so that the policies act
// on what waits.
//
// # Rooms that come and go
//
// A connection outlives the actor of its room when the room sleeps or is started anew. It is a process with a name made of its
// session's id, so the new actor, which knows the sessions, finds it (Gateway.Lookup), has it send to itself (actors.Move)
// and may ask whether the peer is still there (actors.Probe). For one connection this is promised:
//
//   - What it sends before a Move is at the old address when the Move returns, in a mailbox or handled; the new one gets
//     what comes after. The numbers of Calls go on, so the new one answers from where the old one has stopped.
//   - A call that finds nobody at its address closes the connection with 4504. So whoever gives an address up moves the
//     connections away from it first and then ends what came to it before that.
//   - Who has moved a connection to itself gets its Detach once, also if it had closed by then or was gone.
//   - A probe is answered once. Input counts as the peer's sign of life from the moment when the probe comes, whether or
//     not the peer has seen the ping; what was on its way counts, what had been read does not, nor does input with
//     a close frame in it. With input in time, the Calls in it come before the answer; with a close, the Detach comes after.
//
// # Invariants
//
//   - A room gets of one connection: one Attach, then Calls with the numbers 1, 2, 3, …, then one Detach, whatever ends
//     the connection. When the server closes it, the Detach comes at once and does not wait for the peer. With Moves, all
//     its addresses together get this, each a part of it.
//   - What is delivered to one connection goes out in that order, but for what a policy drops or moves to the tail.
//   - One flusher at a time is the only writer to a socket after the handshake, whatever goroutine it runs on, and it writes
//     whole frames: what a socket did not take is written before anything else. Nothing follows a close frame.
//   - What is held is flushed by whoever was told that it is held, and by whatever else starts a flusher before.
//   - An outbox holds at most Options.OutboxBytes (or one frame), counted until the socket has taken them. At the bound,
//     waiting DropOldest pushes go first, oldest first; a Latest push has already taken the place of the older one with its
//     key; answers and Must pushes are never dropped: the connection is closed with 4501 instead, what waits is dropped and
//     the close frame follows the frame that is partly written. Of pongs only the latest waits.
//   - At most MaxInFlight calls are unanswered, and refused ones on top of them are bounded.
//   - A close frame is not lost: input is read and thrown away until the peer answers or its time is up, and where no more
//     can be parsed the outbound half is closed first.
//   - The end of a stream is noticed at once, or, when it came together with a call and nothing that is written to the peer
//     finds out, within two steps of the sweeper.
//   - Keepalive reaches no room. One sweeper serves all connections; it runs only while there are any.
//   - After Close no goroutine of the gateway is left.
//
// # Limits
//
//	MaxMessageBytes        65,536     larger: closed with 1009
//	CallsPerSecond, Burst  200, 400   over: answered "rate_limited" with retryAfter in ms
//	MaxInFlight            128        over: answered "resource_exhausted"
//	refused calls          10 × CallBurst in a row: closed with 4429
//	malformed messages     100 without a good one between: closed with 4429; 10 reports at once and 1 a second
//	OutboxBytes            1 MiB      over: policies, then closed with 4501
//	probes                 16         waiting for one connection; over: answered at once, as if the peer were there
//	MaxConnections         50,000     over: 503
//	MaxConnectionsPerAddr  1,024      over: 429; an IPv6 /64 counts as one
//	HandshakeTimeout       10 s       from Admit to the 101 written
//	PingInterval           25 s       of silence: pinged
//	IdleTimeout            60 s       of silence: closed with 4502
//	WriteTimeout           10 s       without progress of a write: closed with 4501; also for all that is left at a close
//	CloseTimeout           3 s        for the answer to a close frame
//
// # Close codes
//
// 4400–4499 mean: do not come back by yourself. 4500–4599 mean: reconnect, with backoff. The clients of @firtoz/socka
// reconnect on every code.
//
//	1000  normal            the application ended the session: stop, or reconnect if the user asks for it
//	1001  going away        the server stops: reconnect, with backoff
//	1002  protocol error    a fault of the client: reconnect with backoff, and mend the client
//	1007  invalid data      likewise: text that is not UTF-8, or a message that cannot be decompressed
//	1009  message too big   likewise: send less at once
//	1011  internal error    a fault of the server: reconnect, with backoff
//	4400  refused           OnAttach refused the session, "code: message": stop, show the reason
//	4401  unauthenticated   log in again, then reconnect
//	4403  kicked            the application removed the session: stop
//	4410  room closed       the application closed the room: stop
//	4429  flood             the client ignored its limits: stop, and mend the client
//	4500  room failed       reconnect, with backoff
//	4501  slow consumer     reconnect, with backoff; read faster, or ask for less
//	4502  idle              reconnect
//	4503  room full         reconnect, with backoff
//	4504  unavailable       reconnect, with backoff
package conn
