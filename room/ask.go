package room

import (
	"context"
	"errors"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// AskOption changes an [Ask].
type AskOption func(*askOptions)

type askOptions struct {
	create  bool
	key     string
	timeout time.Duration
}

// defaultAskTimeout bounds an Ask that has no other bound.
const defaultAskTimeout = 5 * time.Second

// Create lets an Ask make a room that does not exist. Without it such an Ask fails with not_found. A room that sleeps, or was
// saved, exists.
func Create() AskOption { return func(o *askOptions) { o.create = true } }

// Key makes a repeat of an Ask run once: as long as the room remembers the key (its last 1,024, while it is active) an
// Ask of the same call with the same key gets the first one's answer.
func Key(key string) AskOption { return func(o *askOptions) { o.key = key } }

// Timeout replaces the default bound of 5 s. An earlier deadline of ctx wins.
func Timeout(d time.Duration) AskOption { return func(o *askOptions) { o.timeout = d } }

// Ask calls a room from the server side: from another room's handler, with that handler's ctx, or from anywhere else.
// It runs as a turn of that room, with a nil t.Session, if the call was registered with [AllowServer]. The room must exist,
// unless [Create] is given; one that sleeps, or is kept in the store only, is woken.
//
// Errors are [*contract.Error]s. Three codes are worth telling apart: unavailable, the call did not run;
// outcome_unknown, it may have run (the time was up, or the room ended); ask_cycle, the room is waiting, directly or
// through others, for the one that asks.
func Ask[In, Out any](ctx context.Context, to *Ref, call *contract.Call[In, Out], in In, opts ...AskOption) (Out, error) {
	var out Out
	m := call.Method()
	body, err := m.EncodeInput(wire.JSON, in)
	if err != nil {
		return out, err
	}
	result, err := to.ask(ctx, m, body, opts)
	if err != nil {
		return out, err
	}
	err = m.DecodeOutput(result.Format, result.Body, &out)
	return out, err
}

func (to *Ref) ask(ctx context.Context, m *contract.Method, body []byte, opts []AskOption) (*actors.AskResult, error) {
	o := askOptions{timeout: defaultAskTimeout}
	for _, opt := range opts {
		opt(&o)
	}
	server := to.server
	k := server.kinds[to.id.Kind]
	if k == nil {
		return nil, contract.Errorf(contract.NotFound, "there is no kind of room %q", to.id.Kind)
	}
	if k.contract != m.Contract() {
		return nil, contract.Errorf(contract.UnknownCall, "%s is a call of contract %s; rooms of kind %s speak %s", m.Name(), m.Contract().Name(), k.name, k.contract.Name())
	}
	chain, _ := ctx.Value(chainKey).([]string)
	wait, err := server.waits.begin(chain, to.id.String())
	if err != nil {
		return nil, err
	}
	defer server.waits.end(wait)
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if ctx.Err() != nil {
		return nil, contract.Errorf(contract.Unavailable, "%s was not asked for %s: %w", to.id, m.Name(), ctx.Err())
	}
	e, err := server.acquire(to.id, true)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	msg, err := server.system.Request(ctx, e.pid, func(reply *actors.PID) any {
		return &actors.Ask{From: reply, RPC: m.Name(), Format: wire.JSON, Body: body, Key: o.key, Chain: chain, Wait: wait, Deadline: deadline, Create: o.create}
	})
	if err != nil {
		return nil, contract.Errorf(contract.OutcomeUnknown, "%s has not answered %s in time: %w", to.id, m.Name(), err)
	}
	result := msg.(*actors.AskResult)
	if result.Err == nil {
		return result, nil
	}
	failed := &contract.Error{Code: contract.Code(result.Err.Code), Message: result.Err.Error, RetryAfter: time.Duration(result.Err.RetryAfter) * time.Millisecond}
	if result.Err.Data != nil {
		data, err := wire.Parse(result.Format, result.Err.Data)
		if err != nil {
			return nil, errors.Join(failed, err)
		}
		failed.Data = data
	}
	return nil, failed
}

// ask runs a call from the server side.
func (r *room) ask(m *actors.Ask) {
	t := &turn{room: r, name: m.RPC, format: m.Format, ask: m}
	h, err := r.admit(m)
	if err != nil {
		r.release(release{asked: &askAnswer{ask: m, result: r.askResult(t, m, nil, err), refused: true}})
		return
	}
	if m.Key != "" && r.answered.seen(r, m) {
		return
	}
	answer := func(t *turn, body []byte, err error) release {
		return release{asked: &askAnswer{ask: m, result: r.askResult(t, m, body, err)}}
	}
	if h.mode == modeAsync {
		r.beginAsync(t, h, m.Format, m.Body, answer)
		return
	}
	t.handle(h, m.Format, m.Body, func(body []byte, err error) release { return answer(t, body, err) })
}

// admit says who handles an Ask, or why nobody does. The room is active if it says who.
func (r *room) admit(m *actors.Ask) (*handler, error) {
	if !m.Deadline.IsZero() && !time.Now().Before(m.Deadline) {
		return nil, contract.Errorf(contract.Unavailable, "%s came to its turn in %s too late, so it did not run", m.RPC, r.id)
	}
	if r.server.closed.Load() {
		return nil, errShuttingDown
	}
	if !m.Create {
		exists, err := r.known(m)
		if err != nil {
			return nil, err
		}
		if !exists {
			return nil, contract.Errorf(contract.NotFound, "there is no room %s", r.id)
		}
	}
	h := r.kind.handlers[m.RPC]
	if h == nil {
		return nil, contract.Errorf(contract.UnknownCall, "Unknown call: %s", m.RPC)
	}
	if !h.allowServer {
		return nil, contract.Errorf(contract.PermissionDenied, "%s of %s is for clients only; register its handler with room.AllowServer", m.RPC, r.kind.name)
	}
	return h, r.open(m)
}

func (r *room) askResult(t *turn, m *actors.Ask, body []byte, err error) *actors.AskResult {
	result := &actors.AskResult{Format: m.Format, Body: body}
	if err != nil {
		frame := r.errorFrame(t, m.Format, err)
		result.Err = &frame
	}
	return result
}

// askAnswer answers an Ask, and whoever has repeated it meanwhile.
type askAnswer struct {
	ask     *actors.Ask
	result  *actors.AskResult
	refused bool // it did not run, so that a repeat may
	told    bool // that nobody knows
}

// unknown tells the asker that what was done may not have been saved.
func (e *askAnswer) unknown(r *room) {
	if e.told || e.refused {
		return
	}
	e.told = true
	r.replyUnknown(e.ask)
}

// replyUnknown tells an asker that nobody knows what has become of its call.
func (r *room) replyUnknown(m *actors.Ask) {
	r.reply(m, r.askResult(&turn{room: r, name: m.RPC, format: m.Format}, m, nil, errCommitLate))
}

func (e *askAnswer) leave(r *room) {
	if !e.told {
		r.reply(e.ask, e.result)
	}
	if e.ask.Key != "" && !e.refused {
		r.answered.done(r, e.ask, e.result)
	}
}

// reply sends an answer to an asker, who does not wait from this moment on: what the room does next may ask it in turn.
func (r *room) reply(m *actors.Ask, result *actors.AskResult) {
	r.server.waits.end(m.Wait)
	r.server.system.Send(m.From, result)
}

// answeredAsks remembers the answers of Asks with a key: those that still run, and the last maxAnswered of the others.
type answeredAsks struct {
	byKey map[string]*answeredAsk
	order []string // of the answered ones, oldest first
}

type answeredAsk struct {
	result  *actors.AskResult // nil: still running
	waiting []*actors.Ask
}

// maxAnswered bounds the memory of keys of one room.
const maxAnswered = 1024

func askKey(m *actors.Ask) string { return m.RPC + "\x00" + m.Key }

// seen answers a repeat, now or when the first one is answered; for a new key it starts remembering.
func (a *answeredAsks) seen(r *room, m *actors.Ask) bool {
	key := askKey(m)
	if known := a.byKey[key]; known != nil {
		if known.result != nil {
			r.reply(m, known.result)
		} else {
			known.waiting = append(known.waiting, m)
		}
		return true
	}
	if a.byKey == nil {
		a.byKey = make(map[string]*answeredAsk)
	}
	a.byKey[key] = &answeredAsk{}
	return false
}

// end answers those who wait for an answer that does not come.
func (a *answeredAsks) end(r *room) {
	for _, known := range a.byKey {
		for _, m := range known.waiting {
			r.replyUnknown(m)
		}
	}
}

func (a *answeredAsks) done(r *room, m *actors.Ask, result *actors.AskResult) {
	key := askKey(m)
	known := a.byKey[key]
	if known == nil || known.result != nil {
		return
	}
	known.result = result
	for _, m := range known.waiting {
		r.reply(m, result)
	}
	known.waiting = nil
	if a.order = append(a.order, key); len(a.order) > maxAnswered {
		delete(a.byKey, a.order[0])
		a.order = a.order[1:]
	}
}
