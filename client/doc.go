// Package client is the Go client of rooms that speak the socka v1 wire: of this
// module's servers, and of those of the TypeScript library @firtoz/socka.
//
// # Quick start
//
// A contract, shared with the server, names the calls and pushes:
//
//	c := client.New("wss://example.com/ws/chat/lobby?name=Ada", nil)
//	defer c.Close()
//	client.On(c, chat.Message, func(row chat.Row) { fmt.Println(row.Text) })
//	if err := c.Connect(ctx); err != nil {
//		return err
//	}
//	_, err := client.Call(ctx, c, chat.Send, chat.SendIn{Text: "hello"})
//
// Register handlers before Connect: a push that nobody subscribed to is dropped
// without a word (socka v1 wire).
//
// # Status
//
//	        Connect               opened                lost
//	Idle ─────────────▶ Connecting ──────▶ Open ─────────────────▶ Reconnecting
//	 ▲                      │               ▲                         │   │
//	 └──────────────────────┘               └─────────────────────────┘   │
//	          failed                                  opened              │
//	                                                                      │
//	any ──────────────────▶ Closed ◀──────────────────────────────────────┘
//	        Close                    gave up (also directly from Open)
//
// Only the first connection is asked for; once there was one, the client opens it
// again by itself, at the same URL, after the waits that [ReconnectOptions] says.
// It gives up, and is Closed with the reason, when
//
//   - the server closed with a code from 4400 to 4499, which say "do not come back";
//   - the server refused the upgrade with an HTTP status 4xx other than 408, 425
//     and 429 (a status 5xx and errors of the network are tried again);
//   - MaxAttempts are used up, or Disabled is set.
//
// Closed is final: a new connection needs a new Client. Nothing is ever sent a
// second time: a server that keeps no session for the client sees a new one. Ids
// of calls are NAME-N; N counts per Client and goes on after a reconnect.
//
// # Order
//
//   - Calls and one-way calls of one goroutine are written in the order in which
//     it makes them; those of several goroutines are never mixed up within a
//     message, their order is that in which the connection takes them.
//   - Pushes reach their handlers in the order in which they arrived, one at a
//     time, also when a reconnect lies between them. Errors for OnError keep
//     their place among them.
//   - A call returns as soon as its answer is read. A push that the server sent
//     before that answer has arrived by then, but its handler may not have run.
//   - Wait returns after the handlers of all earlier pushes.
//   - Changes of status have an order among themselves, and none with pushes.
//
// Less formally: handlers see one story in order, and a call does not wait for
// them, so that a handler may itself make calls.
//
// When handlers are slower than the server, the push queue fills; then the client
// stops reading, which the server notices as a slow consumer. A handler that
// makes a call in that state would wait for an answer that cannot be read: give
// its ctx a deadline. The keepalive is the last resort: a client that reads
// nothing for PingTimeout after a ping takes the connection for lost.
//
// # Errors
//
// The errors of [Call] and [Send] are *contract.Error:
//
//	code                  matches                 the call
//	invalid_input         –                       was not sent: the input fails its schema
//	resource_exhausted    –                       was not sent: larger than MaxMessageBytes
//	unavailable           ErrNotConnected         was not sent: Connect was not called, or failed
//	unavailable           ErrClosed               was not sent: the client is Closed
//	unavailable           ErrConnectionLost       was not sent in full: the connection broke
//	outcome_unknown       ErrConnectionLost       was sent; the connection was lost before the answer
//	outcome_unknown       ErrClosed               was sent; Close came before the answer
//	deadline_exceeded,    context.DeadlineExceeded,
//	canceled              context.Canceled        ctx ended; the message says whether it was sent
//	invalid_output        –                       ran; the output fails its schema
//	any other             –                       was answered with an error by the server, which has
//	                                              the code; "unknown" if the server gave none
//
// The data of an error that the server sent is the neutral tree of wire.Parse, as
// are its numbers: json.Number.
//
// # Wire
//
// One envelope per WebSocket message, JSON in text messages or msgpack in binary
// ones, fixed by Options.Wire; no subprotocol is asked for, and a server that
// picks one is refused, as @firtoz/socka does. The client answers pings and sends
// its own. A second answer to a call, and one that comes after its ctx ended, is
// ignored; an error for an id that nobody waits for goes to Options.OnError.
//
// # Goroutines
//
// A Client that was never connected has none. One that is connected has four:
// reading, writing, dispatching and reconnecting. They end with Close, and by
// themselves when the client gives up.
//
// The package may import contract and wire of this module; it and the server's
// connections are the only places that know gws.
package client
