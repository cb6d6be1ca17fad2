package room

import (
	"fmt"
	"strings"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// call takes the next request of a session: at once, or when the session's async call is answered.
func (r *room) call(m *actors.Call) {
	s := r.sessions[m.Session]
	if s == nil {
		if p := r.probes[m.Session]; p != nil {
			p.waiting = append(p.waiting, m)
		}
		return // else its connection is closed or closing
	}
	if s.gone {
		return
	}
	if s.async != nil {
		s.waiting = append(s.waiting, m)
		return
	}
	r.handle(s, m)
}

// goOn goes on with what a session sent while its async call ran.
func (r *room) goOn(s *session) {
	for len(s.waiting) > 0 && s.async == nil && !s.gone {
		next := s.waiting[0]
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		switch m := next.(type) {
		case *actors.Call:
			r.handle(s, m)
		case *actors.Detach:
			if m.Session == s.link { // else it has another connection by now
				r.detached(s)
			}
		}
	}
}

// handle runs one request and queues its answer.
func (r *room) handle(s *session, m *actors.Call) {
	if m.Refused != nil {
		r.release(release{at: s.sender(m), msg: refusal(m, *m.Refused)})
		return
	}
	h := r.kind.handlers[m.RPC]
	switch {
	case h == nil:
		t := &turn{room: r, name: strings.Clone(m.RPC), session: s, format: s.format, stage: stageInput}
		err := contract.Errorf(contract.UnknownCall, "Unknown call: %s", m.RPC)
		t.report(err)
		r.release(release{at: s.sender(m), msg: t.answerError(m, err)})
	case h.mode == modeAsync:
		t := &turn{room: r, name: h.name, session: s, format: s.format}
		at := s.sender(m)
		r.beginAsync(t, h, m.Format, m.Body, func(t *turn, body []byte, err error) release {
			if err != nil {
				return release{at: at, msg: t.answerError(m, err)}
			}
			a := actors.NewAnswer(m.Number)
			a.Frame = wire.AppendResponse(a.Frame, m.Format, m.ID, m.RPC, body)
			return release{at: at, msg: a}
		})
		return // which has m in hand
	default:
		t := r.newTurn(h.name, s)
		t.call(h, m)
		r.recycle(t)
	}
	m.Release()
}

// call is the turn of a request that is answered within it. The output is written straight into the answer.
func (t *turn) call(h *handler, m *actors.Call) {
	t.read = h.mode == modeRead
	t.remember()
	t.begin()
	a := actors.NewAnswer(m.Number)
	if h.answers {
		a.Frame = wire.OpenResponse(a.Frame, m.Format, m.ID, m.RPC)
	}
	frame, err := t.handleGuarded(h, m.Format, m.Body, a.Frame)
	switch err = t.judge(err); {
	case err != nil:
		a = t.answerError(m, err)
	case h.answers:
		a.Frame = wire.CloseFrame(frame, m.Format)
	case h.mode != modeOneWay:
		a.Frame = wire.AppendResponse(a.Frame, m.Format, m.ID, m.RPC, nil)
	}
	t.out = append(t.out, release{at: t.session.sender(m), msg: a})
	t.settle(err)
}

// sender is the connection that a call came from. The session may have another one by now, which knows nothing of the call.
func (s *session) sender(m *actors.Call) recipient {
	if s.link != m.Session {
		return recipient{pid: m.From}
	}
	return s.recipient
}

func (t *turn) handleGuarded(h *handler, f wire.Format, body, dst []byte) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			t.stage = stageHandler
			err = newPanicError(t.name, v)
		}
	}()
	return h.run(t, f, body, dst)
}

// answerError makes the answer to a request that failed.
func (t *turn) answerError(m *actors.Call, err error) *actors.Answer {
	frame := t.room.errorFrame(t, m.Format, err)
	frame.ID, frame.RPC = m.ID, m.RPC
	return refusal(m, frame)
}

func refusal(m *actors.Call, frame wire.ErrorFrame) *actors.Answer {
	return &actors.Answer{Number: m.Number, Frame: wire.AppendError(nil, m.Format, frame)}
}

// handle runs a handler that answers within its turn, for an asker.
func (t *turn) handle(h *handler, f wire.Format, body []byte, answer func(body []byte, err error) release) {
	t.read = h.mode == modeRead
	t.remember()
	var out []byte
	t.run(func(t *turn) (err error) {
		out, err = h.run(t, f, body, nil)
		return err
	}, func(err error) release { return answer(out, err) })
}

func (r *room) String() string { return fmt.Sprintf("room %s", r.id) }
