package room

import (
	"context"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Go runs slow work that answers nobody: work runs on a goroutine of its own once this turn has succeeded, then comes
// back as a turn of the same room with what work returned. t.Session is the session of the turn that called Go, or nil
// if it has left by then. When the room ends first, work's ctx ends and then does not run. A panic in work arrives as a
// [*PanicError]; an error or panic of then is reported.
//
// work must not touch t or the room's state.
func Go[State, Data, Result any](t *Turn[State, Data], work func(ctx context.Context) (Result, error), then func(ctx context.Context, t *Turn[State, Data], result Result, err error) error) {
	in := t.writing("Go")
	w := newWork(work, func(t *turn, result Result, err error) ([]byte, error) {
		return nil, then(t.ctx, typedTurn[State, Data](t), result, err)
	})
	w.name, w.session, w.format = in.name+" (Go)", in.session, in.format
	in.out = append(in.out, release{work: w})
}

// work is something slow that runs outside its room and comes back as a turn.
type work struct {
	name    string
	session *session
	format  wire.Format
	ask     *actors.Ask // whose asker waits for it, if one does
	shown   bool        // the turn that made it had all sessions in hand

	do     func(ctx context.Context) (finish func(t *turn) ([]byte, error))
	answer func(t *turn, body []byte, err error) release // nil: answers nobody

	// abandoned makes the answer when the room ends first; nil if nobody waits.
	abandoned func(r *room) release
}

// newWork erases the type of the result.
func newWork[Result any](do func(context.Context) (Result, error), finish func(t *turn, result Result, err error) ([]byte, error)) *work {
	w := &work{}
	w.do = func(ctx context.Context) func(*turn) ([]byte, error) {
		var result Result
		err := func() (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = newPanicError(w.name, v)
				}
			}()
			result, err = do(ctx)
			return err
		}()
		return func(t *turn) ([]byte, error) { return finish(t, result, err) }
	}
	return w
}

// workDone brings a work's result back to its room.
type workDone struct {
	actors.Message
	w      *work
	finish func(t *turn) ([]byte, error)
}

// start runs w on a goroutine. The room is active: work is only ever released within a turn.
func (r *room) start(w *work) {
	if r.works == nil {
		r.works = make(map[*work]struct{})
	}
	r.works[w] = struct{}{}
	ctx, stop := r.life.context(), context.CancelFunc(func() {})
	if r.kind.workTimeout > 0 {
		ctx, stop = context.WithTimeout(ctx, r.kind.workTimeout)
	}
	self, server := r.self, r.server
	if w.ask != nil {
		ctx = askedContext{ctx, &server.waits, w.ask}
	}
	server.working.Add(1)
	server.workers.Add(1)
	go func() {
		defer server.working.Done()
		defer server.workers.Add(-1)
		defer stop()
		server.system.Send(self, &workDone{w: w, finish: w.do(ctx)})
	}()
}

// workDone runs the continuation of a work, unless the activation that started it is over.
func (r *room) workDone(m *workDone) {
	w := m.w
	if _, mine := r.works[w]; !mine {
		return
	}
	delete(r.works, w)
	if w.shown { // what it was given may lead to any of them
		for _, other := range r.members {
			r.touch(other)
		}
	}
	s := w.session
	t := &turn{room: r, name: w.name, session: s, format: w.format, ask: w.ask}
	if s != nil && !r.has(s) {
		t.session = nil
	}
	var body []byte
	var after func(err error) release
	if w.answer != nil {
		after = func(err error) release { return w.answer(t, body, err) }
	}
	t.run(func(t *turn) (err error) {
		body, err = m.finish(t)
		return err
	}, after)
	if s != nil && s.async == w {
		s.async = nil
		r.goOn(s)
	}
}

// beginAsync runs the begin turn of an async call; if it succeeds its session's next requests wait.
func (r *room) beginAsync(t *turn, h *handler, f wire.Format, body []byte, answer func(t *turn, body []byte, err error) release) {
	s, ask := t.session, t.ask
	t.run(func(t *turn) error {
		w, err := h.begin(t, f, body)
		if err != nil {
			return err
		}
		w.name, w.session, w.format, w.answer, w.ask = t.name, s, t.format, answer, ask
		w.abandoned = func(r *room) release {
			lost := &turn{room: r, name: w.name, session: s, format: w.format}
			return answer(lost, nil, contract.Errorf(contract.OutcomeUnknown, "the room ended before %s was answered", w.name))
		}
		t.out = append(t.out, release{work: w})
		t.async = w
		return nil
	}, func(err error) release {
		if err != nil {
			return answer(t, nil, err)
		}
		if s != nil {
			s.async = t.async
		}
		return release{}
	})
}
