package room

import (
	"fmt"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// call takes the next request of a session: at once, or when the session's async call is answered.
func (r *room) call(m *actors.Call) {
	s := r.sessions[m.Session]
	if s == nil || s.gone {
		return // its connection is closed or closing
	}
	if s.async != nil {
		s.waiting = append(s.waiting, m)
		return
	}
	r.handle(s, m)
}

// resume goes on with what a session sent while its async call ran.
func (r *room) resume(s *session) {
	for len(s.waiting) > 0 && s.async == nil && !s.gone {
		next := s.waiting[0]
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		switch m := next.(type) {
		case *actors.Call:
			r.handle(s, m)
		case *actors.Detach:
			r.leave(s)
		}
	}
}

// handle runs one request and queues its answer.
func (r *room) handle(s *session, m *actors.Call) {
	t := &turn{room: r, name: m.RPC, session: s, format: s.format}
	if m.Refused != nil {
		r.release(answerRelease{to: s.pid, msg: &actors.Answer{Number: m.Number, Frame: wire.AppendError(nil, s.format, *m.Refused)}})
		return
	}
	h := r.kind.handlers[m.RPC]
	if h == nil {
		err := contract.Errorf(contract.UnknownCall, "Unknown call: %s", m.RPC)
		t.stage = stageInput
		t.report(err)
		r.release(r.answer(t, m, h, nil, err))
		return
	}
	if h.mode == modeAsync {
		r.beginAsync(t, h, m.Format, m.Body, func(t *turn, body []byte, err error) release { return r.answer(t, m, h, body, err) })
		return
	}
	t.handle(h, m.Format, m.Body, func(body []byte, err error) release { return r.answer(t, m, h, body, err) })
}

// handle runs a handler that answers within its turn.
func (t *turn) handle(h *handler, f wire.Format, body []byte, answer func(body []byte, err error) release) {
	t.read = h.mode == modeRead
	t.remember()
	var out []byte
	t.run(func(t *turn) (err error) {
		out, err = h.run(t, f, body)
		return err
	}, func(err error) release { return answer(out, err) })
}

// answer makes the one answer to a request: a response, an error, or for a one-way call that succeeded a receipt for
// the gateway only.
func (r *room) answer(t *turn, m *actors.Call, h *handler, body []byte, err error) release {
	answer := &actors.Answer{Number: m.Number}
	switch {
	case err != nil:
		frame := r.errorFrame(t, m.Format, err)
		frame.ID, frame.RPC = m.ID, m.RPC
		answer.Frame = wire.AppendError(nil, m.Format, frame)
	case h.mode != modeOneWay:
		answer.Frame = wire.AppendResponse(nil, m.Format, m.ID, m.RPC, body)
	}
	return answerRelease{to: m.From, msg: answer}
}

func (r *room) String() string { return fmt.Sprintf("room %s", r.id) }
