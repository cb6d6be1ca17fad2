package room

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// HandleOption changes how a call is handled.
type HandleOption func(*handler)

// AllowServer lets a call be asked from the server side too, with [Ask]: by other rooms and by plain Go code. t.Session
// is nil then. Without it such an Ask fails with permission_denied.
func AllowServer(h *handler) { h.allowServer = true }

// Handle answers a call. The input was validated, the output is validated before it is sent. An error is answered
// instead of the output: a [contract.Error] with its code, message and data, any other as a fixed text, so that nothing
// internal leaks. Either way what the handler changed in t.State stays changed, so check first and change then; what it
// pushed is sent only if it succeeded.
//
// It panics if the call is not of the definition's contract or has a handler already.
func Handle[State, Data, In, Out any](def *Definition[State, Data], call *contract.Call[In, Out], h func(ctx context.Context, t *Turn[State, Data], in In) (Out, error), opts ...HandleOption) {
	def.add(call.Method(), &handler{mode: modeCall, run: runCall(call.Method(), h)}, opts)
}

// HandleRead answers a call that only reads: the turn may not change state or session data, push, close, or start work.
// It never causes a save. A push in it panics; a change to the state is found by Options.CheckTurns, which roomtest
// sets. Everything else is as with [Handle].
func HandleRead[State, Data, In, Out any](def *Definition[State, Data], call *contract.Call[In, Out], h func(ctx context.Context, t *Turn[State, Data], in In) (Out, error), opts ...HandleOption) {
	def.add(call.Method(), &handler{mode: modeRead, run: runCall(call.Method(), h)}, opts)
}

// HandleOneWay takes a one-way call. Nothing is answered when it succeeds; an error goes to the client as with
// [Handle].
func HandleOneWay[State, Data, In any](def *Definition[State, Data], call *contract.OneWay[In], h func(ctx context.Context, t *Turn[State, Data], in In) error, opts ...HandleOption) {
	m := call.Method()
	def.add(m, &handler{mode: modeOneWay, run: runCall(m, func(ctx context.Context, t *Turn[State, Data], in In) (contract.None, error) {
		return contract.None{}, h(ctx, t, in)
	})}, opts)
}

// HandleAsync answers a call whose answer takes slow work: a database, another service. begin is a turn that checks the
// input and returns the work; the work runs outside the room, on a goroutine of its own, while the room goes on with
// others; finish is a turn that takes the work's result or error and makes the answer. The caller's later calls wait
// until this one is answered, so that answers keep their order; nobody else waits.
//
// The work must not touch the turn's t or the room's state: what it needs it takes along in variables. Its ctx ends
// after Definition.WorkTimeout or when the room ends; the call then fails with outcome_unknown and finish does not run.
// t.Session is nil in finish if the session has left. A panic in work arrives in finish as a [*PanicError].
func HandleAsync[State, Data, In, Result, Out any](def *Definition[State, Data], call *contract.Call[In, Out],
	begin func(ctx context.Context, t *Turn[State, Data], in In) (work func(ctx context.Context) (Result, error), err error),
	finish func(ctx context.Context, t *Turn[State, Data], result Result, err error) (Out, error), opts ...HandleOption) {
	m := call.Method()
	def.add(m, &handler{mode: modeAsync, begin: func(t *turn, f wire.Format, body []byte) (*work, error) {
		var in In
		if err := decodeInput(t, m, f, body, &in); err != nil {
			return nil, err
		}
		do, err := begin(t.ctx, typedTurn[State, Data](t), in)
		if err != nil {
			return nil, err
		}
		if do == nil {
			return nil, fmt.Errorf("room: the begin function of %s returned neither work nor an error", m.Name())
		}
		return newWork(do, func(t *turn, result Result, err error) ([]byte, error) {
			out, err := finish(t.ctx, typedTurn[State, Data](t), result, err)
			if err != nil {
				return nil, err
			}
			return encodeOutput(t, m, nil, &out)
		}), nil
	}}, opts)
}

// mode is the way in which a call is handled.
type mode uint8

const (
	modeCall mode = iota
	modeRead
	modeOneWay
	modeAsync
)

// handler is one registered handler without its type parameters. run decodes, handles, and appends the output (begin
// instead, for modeAsync).
type handler struct {
	name        string
	method      *contract.Method
	answers     bool // with a body
	mode        mode
	allowServer bool
	at          string // file:line of the registration
	run         func(t *turn, f wire.Format, body, dst []byte) ([]byte, error)
	begin       func(t *turn, f wire.Format, body []byte) (*work, error)
}

// memory is where the input and the output of a call are while it is handled. The handler has copies.
type memory[In, Out any] struct {
	in  In
	out Out
}

func runCall[State, Data, In, Out any](m *contract.Method, h func(context.Context, *Turn[State, Data], In) (Out, error)) func(t *turn, f wire.Format, body, dst []byte) ([]byte, error) {
	pool := sync.Pool{New: func() any { return new(memory[In, Out]) }}
	return func(t *turn, f wire.Format, body, dst []byte) (_ []byte, err error) {
		v := pool.Get().(*memory[In, Out])
		if err := decodeInput(t, m, f, body, &v.in); err != nil {
			return nil, err
		}
		if v.out, err = h(t.ctx, typedTurn[State, Data](t), v.in); err != nil {
			return nil, err
		}
		if dst, err = encodeOutput(t, m, dst, &v.out); err == nil {
			*v = memory[In, Out]{}
			pool.Put(v)
		}
		return dst, err
	}
}

// decodeInput marks the turn as not yet in the handler's hands, so that a bad input is reported as one.
func decodeInput(t *turn, m *contract.Method, f wire.Format, body []byte, dst any) error {
	t.stage = stageInput
	err := m.DecodeInput(f, body, dst)
	if err == nil {
		t.stage = stageHandler
	}
	return err
}

// encodeOutput appends the output that out points to; nothing for a call without one.
func encodeOutput(t *turn, m *contract.Method, dst []byte, out any) ([]byte, error) {
	if m.OneWay() {
		return dst, nil
	}
	dst, err := m.AppendOutput(dst, t.format, out)
	if err != nil {
		t.stage = stageOutput
	}
	return dst, err
}

func (d *Definition[State, Data]) add(m *contract.Method, h *handler, opts []HandleOption) {
	h.name, h.method, h.answers, h.at = m.Name(), m, !m.Void() && !m.OneWay(), callerOutside()
	for _, o := range opts {
		o(h)
	}
	if d.Contract == nil {
		panic(fmt.Sprintf("room: handler for %s at %s: set Definition.Contract first", m.Name(), h.at))
	}
	if m.Contract() != d.Contract {
		panic(fmt.Sprintf("room: handler at %s: call %q (defined at %s) belongs to contract %s, not to %s", h.at, m.Name(), m.DefinedAt(), m.Contract().Name(), d.Contract.Name()))
	}
	if old := d.handlers[m.Name()]; old != nil {
		panic(fmt.Sprintf("room: handler for %q at %s: there is one already, from %s", m.Name(), h.at, old.at))
	}
	if d.handlers == nil {
		d.handlers = make(map[string]*handler)
	}
	d.handlers[m.Name()] = h
}

// checkHandlers names every call of the contract that nobody handles.
func (k *kind) checkHandlers() error {
	var missing []string
	for _, m := range k.contract.Methods() {
		if h := k.handlers[m.Name()]; h == nil || h.method != m { // Definition.Contract may have been set anew
			missing = append(missing, fmt.Sprintf("%s (defined at %s)", m.Name(), m.DefinedAt()))
		}
	}
	if missing != nil {
		return fmt.Errorf("room: kind %s has no handler for %s; add room.Handle for each", k.name, strings.Join(missing, ", "))
	}
	return nil
}

// callerOutside returns file:line of the nearest caller outside this package.
func callerOutside() string {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "github.com/gosocka/socka/room.") || strings.HasSuffix(f.File, "_test.go") {
			return fmt.Sprintf("%s:%d", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}
