// Package actors is the seam between Socka and its actor engine, protoactor-go. It owns three things: the actor system
// with its logging and supervision, the addresses (PIDs) by which gateways and rooms reach each other, and the messages
// that they exchange. No other package but cluster imports the engine.
//
// It may import wire and nothing else of ours.
//
// # What an actor is here
//
// An [Actor] handles one message at a time on no goroutine of its own: it costs under a kilobyte while it is idle. Its
// mailbox, which is ours, takes what waits in one go and tells an [Idler] when nothing is left. A [Process] is the cheaper
// thing: a PID without a mailbox, whose Deliver runs on the sender's goroutine; a connection's outbound half is one, so that
// a room anywhere can reach it and a fan-out wakes nobody. One that is a [Holder] keeps messages for a moment, so that the
// room can write what it has for a connection at once. Who knows only a process's name finds it with [System.Lookup].
//
// # Invariants
//
//   - Messages from one sender to one PID arrive in the order in which they were sent.
//   - An Actor's Receive, Idle and Stopped never run concurrently; Stopped runs once, last, whatever ended the actor.
//   - Idle follows every message, at once if nothing else waits, else after what waits.
//   - A panic that leaves Receive stops the actor (its state is not to be trusted); it is logged with its stack and
//     Stopped is told. Rooms recover the panics of handlers themselves, so only a fault of the library comes this far.
//   - A message for a PID that nobody holds any more is not lost in silence when somebody waits for its effect: see
//     [Undeliverable]. So each [Probe] has one [Probed], and each [Move] to an address is followed by a [Detach] there.
//   - [System.Close] returns when every actor has stopped.
package actors
