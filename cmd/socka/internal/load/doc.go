// Package load puts load on a socka server and measures what comes back: the
// engine of "socka bench".
//
// [Run] opens all connections, waits until the server serves each of them (a pong
// says so), runs the load for a warm-up and a measured time, lets what is still on
// its way arrive, and returns a [Report]. What it speaks is RFC 6455 without
// extensions and the socka v1 wire.
//
// # Latency
//
// In an open loop (a rate is given) every call has a time at which it is due. Its
// latency counts from then, not from when it could be sent, so that a server that
// stalls is charged for all who would have come meanwhile (no coordinated
// omission); what is still unsent or unanswered at the end is charged with its
// waiting until then. In a closed loop (no rate) each connection keeps a number of
// calls under way and sends the next one when one is answered: the latency is that
// of the call alone, and says nothing about a given load.
//
// A push carries the time when its publish was due, as a number in its body, and
// its latency counts from there to the receiver's read.
//
// # Being lean
//
// The tool must not be what is measured. One goroutine reads each connection and
// looks at frames where they lie in its buffer: the first bytes of the frames that
// are expected are compared, and only others are decoded. Everything that is due
// on a connection goes out in one write. There is no goroutine, timer or map entry
// for a call.
//
// # Invariants
//
//   - A connection's sending side is under client.mu, its results go to a shard
//     under shard.mu, and client.mu is taken first. No two clients are locked at a
//     time.
//   - Memory is bounded: unanswered calls by the depth, frames by maxFrame, results
//     by the number of shards, error texts by maxTexts.
//   - When Run returns, all of its goroutines and sockets are gone.
//
// It may import wire and the standard library.
package load
