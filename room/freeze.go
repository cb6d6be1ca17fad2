package room

import (
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/wire"
)

// maxDeferred bounds what waits for a room that stands still.
const maxDeferred = 4096

// leaseBack comes when the server's lease was renewed after it had ended.
type leaseBack struct{ actors.Message }

// leaseBack has the room find out whether it still is this server's.
func (r *room) leaseBack() {
	k := &r.keep
	if !r.asleep || k.flying != nil || k.term == r.server.lease.term.Load() {
		r.proceed()
		return
	}
	if !r.server.lease.is(k.owner) {
		r.taken()
		return
	}
	k.number++
	k.flight = flight{term: r.server.lease.term.Load()}
	k.flying = &saving{to: r.self, batch: store.Batch{Key: store.Key(r.id), Epoch: k.epoch, Number: k.number, Keep: true}}
	r.server.saver.submit(k.flying)
}

// stalled says whether no turn may start: the store fails, what is held back is too much, or the lease has ended and the
// epoch may not be ours any more.
func (r *room) stalled() bool {
	k := &r.keep
	l := r.server.lease
	if l.ttl != 0 && (k.term != l.term.Load() || !l.holds()) {
		switch {
		case !l.holds():
		case !l.is(k.owner): // the store has forgotten who had it
			r.fenced()
		default:
			k.verifying = true
			r.fly()
		}
		return true
	}
	return k.frozen || r.releases.bytes > r.server.opts.MaxHeldBytes
}

// stall takes a message for which the room would have to run a turn, and cannot: calls, and whoever wants in, are told that
// the room is unavailable, so that they may try again; what has happened is kept until the room goes on. It returns false
// for messages that need no turn.
func (r *room) stall(msg any) bool {
	switch m := msg.(type) {
	case *actors.Call:
		s := r.sessions[m.Session]
		switch p := r.probes[m.Session]; {
		case p != nil:
			p.waiting = append(p.waiting, m)
		case s == nil || s.gone:
		case s.async != nil:
			s.waiting = append(s.waiting, m) // in its place; its async call is answered by a turn that waits too
		default:
			frame := r.errorFrame(&turn{room: r, name: m.RPC}, m.Format, r.unavailable())
			frame.ID, frame.RPC = m.ID, m.RPC
			answer := &actors.Answer{Number: m.Number, Frame: wire.AppendError(nil, m.Format, frame)}
			r.refuseNow(release{at: s.sender(m), msg: answer, refusal: true})
			m.Release()
		}
	case *actors.Attach:
		r.server.rooms.arrived(r.ref)
		r.server.system.Send(m.From, &actors.Close{Code: conn.CloseUnavailable, Reason: "the room cannot save at the moment; connect again"})
	case *actors.Ask:
		r.server.rooms.arrived(r.ref)
		t := &turn{room: r, name: m.RPC, format: m.Format, ask: m}
		r.reply(m, r.askResult(t, m, nil, r.unavailable()))
	case *actors.Detach:
		r.deferred = append(r.deferred, m)
	case *workDone:
		r.deferred = append(r.deferred, m)
	case *visit:
		if m.now {
			return false
		}
		if len(r.deferred) >= maxDeferred {
			r.server.rooms.arrived(r.ref)
			m.Undelivered(r.server.system)
			break
		}
		r.deferred = append(r.deferred, m) // still on its way, as far as the registry is concerned
	case *actors.Probed:
		r.deferred = append(r.deferred, m)
	case tickDue:
		if r.ticks.timer != nil && m.run == r.ticks.run {
			r.ticks.next(r.kind.tickEvery)
		}
	case wakeDue:
		r.wakeTimer.at = time.Time{} // set anew when the room goes on
	default:
		return false
	}
	return true
}

func (r *room) unavailable() error {
	return contract.Errorf(contract.Unavailable, "room %s cannot save at the moment; try again", r.id).WithRetryAfter(time.Second)
}

// refuseNow sends a refusal behind the answers to the same connection that are held, and at once if there are none.
func (r *room) refuseNow(e release) {
	for i := range r.releases.entries {
		if held := &r.releases.entries[i]; held.answers() && held.at.pid == e.at.pid {
			r.turns++
			r.releases.add(r.turns, []release{e})
			return
		}
	}
	e.leave(r)
}

// proceed takes what has waited, once the room may go on.
func (r *room) proceed() {
	if !r.active || r.stalled() {
		return
	}
	for len(r.deferred) > 0 {
		msg := r.deferred[0]
		r.deferred[0] = nil
		if r.deferred = r.deferred[1:]; len(r.deferred) == 0 {
			r.deferred = nil
		}
		r.receive(msg)
		if !r.active || r.stalled() {
			return
		}
	}
	r.setWake()
}

// late answers what has been held for CommitTimeout: nobody knows whether it was saved. Pushes and closes go on waiting.
func (r *room) late(m *saveLate) {
	k := &r.keep
	if k.flying == nil || k.flying != m.s {
		return
	}
	timeout, now, upTo := r.server.opts.CommitTimeout, time.Now(), uint64(0)
	if k.flight.gate != 0 && now.Sub(k.flight.since) >= timeout {
		if upTo = r.turns; k.gate != 0 {
			upTo = k.gate - 1
		}
	}
	if k.gate != 0 && now.Sub(k.since) >= timeout {
		upTo = r.turns
	}
	r.releases.unknown(upTo, r)
}
