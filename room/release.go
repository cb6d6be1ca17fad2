package room

import (
	"github.com/gosocka/socka/actors"
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

	turn uint64 // which caused it
}

// none is what a turn releases that answers nobody.
func (e *release) none() bool {
	return e.push == nil && e.msg == nil && e.work == nil && e.asked == nil
}

func (e *release) leave(r *room) {
	switch {
	case e.push != nil:
		for _, s := range e.to {
			r.send(s.recipient, e.push)
		}
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
}

func (q *releaseQueue) add(turn uint64, out []release) {
	for i := range out {
		out[i].turn = turn
	}
	q.entries = append(q.entries, out...)
}

// durable lets go of what turns up to and including turn have caused. State lives in memory only, so a turn is durable
// as soon as it has succeeded.
func (q *releaseQueue) durable(turn uint64, r *room) {
	n := 0
	for n < len(q.entries) && q.entries[n].turn <= turn {
		q.entries[n].leave(r)
		n++
	}
	rest := copy(q.entries, q.entries[n:])
	clear(q.entries[rest:])
	q.entries = q.entries[:rest]
	if cap(q.entries) > keepReleases && rest == 0 {
		q.entries = nil
	}
}

// rest gives up the room for entries of an empty queue.
func (q *releaseQueue) rest() {
	if len(q.entries) == 0 {
		q.entries = nil
	}
}

// keepReleases is the room for entries that an empty queue holds on to.
const keepReleases = 4

// release lets something go that is a turn of its own: an answer or a close that needs no code of the application.
func (r *room) release(out ...release) {
	r.turns++
	r.releases.add(r.turns, out)
	r.releases.durable(r.turns, r)
}
