package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
	"github.com/lxzan/gws"
)

// closeWait bounds our close handshake: sending the frame and the peer's answer.
const closeWait = time.Second

// conn is one connection. Two goroutines belong to it: one reads, and never
// writes except for what gws answers to a close or a violation of the protocol;
// one writes, everything else. Both end when the connection does.
type conn struct {
	client    *Client
	ws        *gws.Conn
	transport *transport

	out     chan *request // unbuffered: what is not taken was not sent
	pongs   chan []byte   // payload of the latest ping that is not answered yet
	closing chan struct{} // closed by wait, when the client is Closed

	cause   atomic.Pointer[error] // why we cut the connection ourselves
	lost    error                 // set before dead is closed
	dead    chan struct{}         // closed by the reader, at its end
	written chan struct{}         // closed by the writer, at its end

	mu      sync.Mutex
	pending map[string]*request // calls by id; nil once failPending has run
	failed  error               // why, from then on
}

// request is one frame on its way out and, for a call, what came back.
type request struct {
	id, rpc string
	frame   []byte
	answer  bool        // it is a call
	taken   bool        // the writer has it; guarded by conn.mu
	done    chan result // buffered: a call's answer, a one-way call's write
}

type result struct {
	body []byte
	err  error
}

func newConn(c *Client, t *transport) *conn {
	return &conn{
		client:    c,
		transport: t,
		out:       make(chan *request),
		pongs:     make(chan []byte, 1),
		closing:   make(chan struct{}),
		dead:      make(chan struct{}),
		written:   make(chan struct{}),
		pending:   make(map[string]*request),
	}
}

func (cn *conn) start() {
	go cn.readLoop()
	go cn.writeLoop()
}

// wait returns when the connection is lost and its goroutines have ended. If ctx
// ends first it closes the connection.
func (cn *conn) wait(ctx context.Context) error {
	select {
	case <-cn.dead:
	case <-ctx.Done():
		close(cn.closing)
		timer := time.NewTimer(closeWait)
		select {
		case <-cn.dead:
		case <-timer.C:
		}
		timer.Stop()
		cn.transport.kill()
		<-cn.dead
	}
	<-cn.written
	return cn.lost
}

// abort cuts the connection for a reason of ours.
func (cn *conn) abort(err error) {
	cn.cause.CompareAndSwap(nil, &err)
	cn.transport.kill()
}

func (cn *conn) readLoop() {
	defer close(cn.dead)
	defer cn.transport.kill()
	defer func() {
		if v := recover(); v != nil { // gws panics on a frame length with the highest bit set
			cn.lost = &ConnectionError{Err: newPanicError(v)}
		}
	}()
	cn.ws.ReadLoop()
}

var opcodes = map[wire.Format]gws.Opcode{wire.JSON: gws.OpcodeText, wire.Msgpack: gws.OpcodeBinary}

func (cn *conn) writeLoop() {
	defer close(cn.written)
	opcode := opcodes[cn.client.format]
	ping := newKeepalive(&cn.client.opts)
	defer ping.timer.Stop()
	for {
		var err error
		select {
		case r := <-cn.out:
			err = cn.send(r, opcode)
		case payload := <-cn.pongs:
			err = cn.ws.WritePong(payload)
		case <-ping.timer.C:
			var send bool
			if send, err = ping.due(cn.transport.progress.Load()); send {
				err = cn.ws.WritePing(nil)
			}
		case <-cn.closing:
			cn.transport.closing.Store(true)
			_ = cn.ws.WriteClose(1000, nil) // on failure the reader ends, or wait cuts
			return
		case <-cn.dead:
			return
		}
		if err != nil {
			cn.abort(err)
			return
		}
	}
}

// send writes a request, which ends a one-way call, and a call that could not be
// written: a frame that is not complete is never acted upon.
func (cn *conn) send(r *request, opcode gws.Opcode) error {
	cn.mu.Lock()
	failed := cn.failed
	r.taken = true
	cn.mu.Unlock()
	if failed != nil { // Close came first
		r.done <- result{err: notSent(describe(r.rpc, r.answer), contract.Unavailable, failed)}
		return nil
	}
	err := cn.ws.WriteMessage(opcode, r.frame)
	var res result
	if err != nil {
		err = fmt.Errorf("writing: %w", err)
		res.err = notSent(describe(r.rpc, r.answer), contract.Unavailable, &ConnectionError{Err: err})
	}
	if !r.answer || err != nil && cn.take(r.id) != nil {
		r.done <- res
	}
	return err
}

// add registers a call before it is sent, unless the connection has failed.
func (cn *conn) add(r *request) bool {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.pending == nil {
		return false
	}
	cn.pending[r.id] = r
	return true
}

// take removes the call with this id, nil if nobody waits for it (any more).
// Whoever takes a call may send to its done, once.
func (cn *conn) take(id string) *request {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	r := cn.pending[id]
	delete(cn.pending, id)
	return r
}

// failPending fails every call that was sent and waits for its answer. One that
// the writer does not have yet notices by itself and waits for the next
// connection.
func (cn *conn) failPending(cause error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.pending == nil {
		return
	}
	for _, r := range cn.pending {
		if r.taken {
			r.done <- result{err: mayHaveRun(describe(r.rpc, true), contract.OutcomeUnknown, cause)}
		}
	}
	cn.pending, cn.failed = nil, cause
}

// The rest is the reader: the callbacks of gws, on the goroutine of readLoop.

// OnOpen implements gws.Event.
func (cn *conn) OnOpen(*gws.Conn) {}

// OnClose implements gws.Event.
func (cn *conn) OnClose(_ *gws.Conn, err error) {
	lost := &ConnectionError{}
	var frame *gws.CloseError
	cause := cn.cause.Load()
	switch {
	case errors.As(err, &frame):
		lost.Code, lost.Reason = int(frame.Code), clip(string(frame.Reason), 123)
		if lost.Code == 0 {
			lost.Code = 1005
		}
	case cause != nil:
		lost.Err = *cause
	default:
		lost.Err = err
	}
	cn.lost = lost
}

// OnPing implements gws.Event. Only the latest ping is answered, as RFC 6455,
// section 5.5.3 allows, so that pings cannot pile up.
func (cn *conn) OnPing(_ *gws.Conn, payload []byte) {
	select {
	case <-cn.pongs:
	default:
	}
	cn.pongs <- payload
}

// OnPong implements gws.Event. That something was read is what counts, and the
// transport has noted it.
func (cn *conn) OnPong(*gws.Conn, []byte) {}

// OnMessage implements gws.Event. The message is not given back to the pool of
// gws: its bytes live on in an answer or in the push queue.
func (cn *conn) OnMessage(_ *gws.Conn, m *gws.Message) {
	c := cn.client
	if c.ctx.Err() != nil {
		return
	}
	if m.Opcode != opcodes[c.format] {
		cn.report(fmt.Errorf("socka: %s message on a connection that speaks %v: the server uses another encoding, see Options.Wire",
			map[gws.Opcode]string{gws.OpcodeText: "text", gws.OpcodeBinary: "binary"}[m.Opcode], c.format))
		return
	}
	f, err := wire.Decode(c.format, m.Bytes())
	if err != nil {
		cn.report(err)
		return
	}
	if c.opts.Observe != nil {
		c.opts.Observe(f)
	}
	switch f.Kind {
	case wire.ServerResponse:
		if r := cn.take(f.ID); r != nil {
			cn.answer(r, &f)
		}
	case wire.ServerError:
		err := cn.remoteError(&f)
		if r := cn.take(f.ID); r != nil {
			r.done <- result{err: err}
		} else {
			cn.report(fmt.Errorf("socka: error for the id %q, which no call waits for: %w", clip(f.ID, 100), err))
		}
	case wire.ServerEvent:
		cn.queue(item{event: f.Event, body: f.Body, size: m.Data.Len()})
	default:
		cn.report(fmt.Errorf("socka: a %v from the server", f.Kind))
	}
}

func (cn *conn) answer(r *request, f *wire.Frame) {
	if f.RPC != r.rpc {
		r.done <- result{err: contract.Errorf(contract.InvalidOutput, "the answer to call %q is one to %q", r.rpc, clip(f.RPC, 100))}
		return
	}
	r.done <- result{body: f.Body}
}

// remoteError turns a serverError into what a call returns.
func (cn *conn) remoteError(f *wire.Frame) *contract.Error {
	e := &contract.Error{Code: contract.Unknown, Message: f.Error}
	if f.HasCode {
		e.Code = contract.Code(f.Code)
	}
	if f.Data != nil {
		data, err := wire.Parse(cn.client.format, f.Data)
		if err != nil {
			cn.report(fmt.Errorf("socka: data of the error for the id %q: %w", clip(f.ID, 100), err))
		}
		e.Data = data
	}
	const most = int64(time.Duration(1<<63-1) / time.Millisecond)
	e.RetryAfter = time.Duration(min(max(f.RetryAfter, 0), most)) * time.Millisecond
	return e
}

// report hands an error to OnError, by way of the push queue.
func (cn *conn) report(err error) { cn.queue(item{err: err}) }

// queue waits for room in the push queue, as long as the connection is wanted:
// the writer ends when it gives the connection up.
func (cn *conn) queue(it item) {
	cn.client.pushes.queue.push(it, cn.client.ctx.Done(), cn.written)
	cn.transport.progress.Add(1)
}
