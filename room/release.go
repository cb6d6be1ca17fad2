package room

import (
	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// release is one thing that a turn causes outside its room. It waits in the room's queue until it may leave. One of its
// groups of fields is set.
type release struct {
	push *actors.Push // goes to members
	name string
	to   []*session

	msg any // *actors.Answer or *actors.Close, goes to at
	at  recipient

	work  *work // starts
	asked *askAnswer

	turn    uint64 // which caused it
	refusal bool   // an answer to a call that did not run
}

// none is what a turn releases that answers nobody.
func (e *release) none() bool {
	return e.push == nil && e.msg == nil && e.work == nil && e.asked == nil
}

// answers says whether it answers a call of a session.
func (e *release) answers() bool {
	_, ok := e.msg.(*actors.Answer)
	return ok
}

// size is what it holds on to while it waits, about.
func (e *release) size() int {
	n := 64
	if e.push != nil {
		n += len(e.push.Frames[0]) + len(e.push.Frames[1])
	}
	if a, ok := e.msg.(*actors.Answer); ok {
		n += len(a.Frame)
	}
	return n
}

func (e *release) leave(r *room) {
	switch {
	case e.push != nil:
		for _, s := range e.to {
			if s.away.IsZero() && e.turn >= s.since { // what was made while it was away is not for its new connection
				r.send(s.recipient, e.push)
			}
		}
		r.keep.pushes++
		r.server.hooks.push(r, e)
	case e.msg != nil:
		r.send(e.at, e.msg)
	case e.work != nil:
		r.start(e.work)
	case e.asked != nil:
		e.asked.leave(r)
	}
}

// releaseQueue holds what turns have caused, in turn order. An entry leaves once its turn and all earlier ones are
// durable. Everything that a room sends goes through it; there is no other way out.
type releaseQueue struct {
	entries []release
	bytes   int // of what has been held back, and waits
}

func (q *releaseQueue) add(turn uint64, out []release) {
	for i := range out {
		out[i].turn = turn
	}
	q.entries = append(q.entries, out...)
}

// durable lets go of what turns up to and including turn have caused.
func (q *releaseQueue) durable(turn uint64, r *room) {
	n := 0
	for n < len(q.entries) && q.entries[n].turn <= turn {
		q.entries[n].leave(r)
		n++
	}
	if n < len(q.entries) || q.bytes > 0 {
		defer q.measure()
	}
	rest := copy(q.entries, q.entries[n:])
	clear(q.entries[rest:])
	q.entries = q.entries[:rest]
	if cap(q.entries) > keepReleases && rest == 0 {
		q.entries = nil
	}
}

// measure counts the bytes that wait.
func (q *releaseQueue) measure() {
	q.bytes = 0
	for i := range q.entries {
		q.bytes += q.entries[i].size()
	}
}

// unknown answers the calls of turns up to and including upTo, whose outcome nobody knows so far. Their pushes and closes
// go on waiting. Refusals of calls that did not run leave with them if nothing to the same connection waits before them.
func (q *releaseQueue) unknown(upTo uint64, r *room) {
	waits := make(map[*actors.PID]bool)
	rest := q.entries[:0]
	for _, e := range q.entries {
		switch {
		case e.asked != nil:
			if e.turn <= upTo {
				e.asked.unknown(r)
			}
		case !e.answers():
		case (e.turn <= upTo || e.refusal) && !waits[e.at.pid]:
			if !e.refusal {
				e.msg = unknownAnswer(e.msg.(*actors.Answer))
			}
			e.leave(r)
			continue
		default:
			waits[e.at.pid] = true
		}
		rest = append(rest, e)
	}
	clear(q.entries[len(rest):])
	q.entries = rest
	q.measure()
}

// giveUp lets go of closes and answers, which say that nobody knows, and drops the rest: the room ends unsaved.
func (q *releaseQueue) giveUp(r *room) {
	q.unknown(r.turns, r)
	q.closes(r)
	q.drop(r)
}

// closes lets go of closes. Whom they are for is not a member any more, and would stay connected for nothing.
func (q *releaseQueue) closes(r *room) {
	for i := range q.entries {
		if _, ok := q.entries[i].msg.(*actors.Close); ok {
			q.entries[i].leave(r)
		}
	}
}

// drop gives up everything: calls of sessions get no answer, since their connections close; askers learn that nobody
// knows.
func (q *releaseQueue) drop(r *room) {
	for i := range q.entries {
		switch e := &q.entries[i]; {
		case e.asked != nil:
			e.asked.unknown(r)
		case e.work != nil && e.work.ask != nil:
			r.replyUnknown(e.work.ask)
		}
	}
	*q = releaseQueue{}
}

// unknownAnswer makes of an answer one that says that nobody knows. One to a one-way call that succeeded stays empty.
func unknownAnswer(a *actors.Answer) *actors.Answer {
	if len(a.Frame) == 0 {
		return a
	}
	format := wire.Msgpack
	if a.Frame[0] == '{' {
		format = wire.JSON
	}
	frame := wire.ErrorFrame{Error: errCommitLate.Message, Code: string(errCommitLate.Code), HasCode: true}
	if f, err := wire.Decode(format, a.Frame); err == nil { // it is our own
		frame.ID, frame.RPC = f.ID, f.RPC
	}
	return &actors.Answer{Number: a.Number, Frame: wire.AppendError(nil, format, frame)}
}

var errCommitLate = contract.Errorf(contract.OutcomeUnknown, "the call has run, but whether what it has changed is kept is not known")

// keepReleases is the room for entries that an empty queue holds on to.
const keepReleases = 4

// release lets something go that is a turn of its own: an answer or a close that needs no code of the application.
func (r *room) release(out ...release) {
	r.turns++
	r.releases.add(r.turns, out)
	r.releases.durable(r.committed(), r)
}
