package room

import (
	"github.com/gosocka/socka/actors"
)

// release is one thing that a turn causes outside its room: a push, an answer, a close, the start of work. It waits in
// the room's queue until it may leave.
type release interface {
	leave(r *room)
}

// releaseQueue holds what turns have caused, in turn order. An entry leaves once its turn and all earlier ones are
// durable. Everything that a room sends goes through it; there is no other way out.
type releaseQueue struct {
	entries []release
	turns   []uint64 // turns[i] is the turn of entries[i]
}

func (q *releaseQueue) add(turn uint64, out []release) {
	for _, e := range out {
		q.entries = append(q.entries, e)
		q.turns = append(q.turns, turn)
	}
}

// durable lets go of what turns up to and including turn have caused. State lives in memory only, so a turn is durable
// as soon as it has succeeded.
func (q *releaseQueue) durable(turn uint64, r *room) {
	n := 0
	for n < len(q.entries) && q.turns[n] <= turn {
		q.entries[n].leave(r)
		q.entries[n] = nil
		n++
	}
	q.entries = append(q.entries[:0], q.entries[n:]...)
	q.turns = append(q.turns[:0], q.turns[n:]...)
}

// release lets something go that is a turn of its own: an answer or a close that needs no code of the application.
func (r *room) release(out ...release) {
	r.turns++
	r.releases.add(r.turns, out)
	r.releases.durable(r.turns, r)
}

type pushRelease struct {
	name string
	msg  *actors.Push
	to   []*session
}

func (e pushRelease) leave(r *room) {
	for _, s := range e.to {
		r.server.system.Send(s.pid, e.msg)
	}
	r.server.hooks.push(PushEvent{ID: r.id, Name: e.name, Sessions: len(e.to), Bytes: max(len(e.msg.Frames[0]), len(e.msg.Frames[1]))})
}

type answerRelease struct {
	to  *actors.PID
	msg any // *actors.Answer, or *actors.Close to a connection that has no session
}

func (e answerRelease) leave(r *room) { r.server.system.Send(e.to, e.msg) }

type closeRelease struct {
	to  *session
	msg *actors.Close
}

func (e closeRelease) leave(r *room) {
	r.server.system.Send(e.to.pid, e.msg)
}

type workRelease struct{ w *work }

func (e workRelease) leave(r *room) { r.start(e.w) }
