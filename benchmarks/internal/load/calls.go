package load

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Calls says what a load of calls is.
type Calls struct {
	Connections int
	Depth       int // calls of one connection that are unanswered at a time
	Size        int // bytes of a body as JSON
	Times
}

// Run makes calls on all connections as fast as they are answered. An operation is a call.
func (o Calls) Run(ctx context.Context, server Server) (Result, error) {
	body, err := NewBody(o.Size, 0)
	if err != nil {
		return Result{}, err
	}
	c := newCrew(ctx)
	defer c.end()
	if err := c.dialAll(server, o.Connections, func(int) string { return "calls" }, true, 16<<10); err != nil {
		return Result{}, err
	}
	var answers atomic.Uint64
	var measuring atomic.Bool
	var latency histogram
	for _, s := range c.sockets {
		caller := &caller{socket: s, body: body, sent: make([]time.Time, o.Depth)}
		if err := caller.call(o.Depth); err != nil {
			return Result{}, err
		}
		each := func(k Kind, m []byte) {
			if k != Payload {
				return
			}
			if !bytes.Contains(m, []byte(mark)) || len(m) < o.Size/2 {
				c.cancel(errors.New("an answer without the body that was sent"))
			}
			if took := caller.answered(); measuring.Load() {
				latency.add(took)
			}
		}
		c.read(s, func(n int) error {
			answers.Add(uint64(n))
			return caller.call(n)
		}, each)
	}
	if err := c.wait(o.Warm); err != nil {
		return Result{}, err
	}
	begin, err := readMeter(server.PID)
	if err != nil {
		return Result{}, err
	}
	before := answers.Load()
	measuring.Store(true)
	if err := c.wait(o.Measure); err != nil {
		return Result{}, err
	}
	r, err := begin.until(answers.Load() - before)
	r.P50, r.P99 = latency.quantile(0.5), latency.quantile(0.99)
	return r, err
}

// caller makes the calls of one connection. Calls are answered in order, so that sent can be a ring.
type caller struct {
	socket *socket
	body   Body
	frames []byte
	sent   []time.Time
	calls  uint64
	done   uint64
}

// call makes n calls with one write.
func (c *caller) call(n int) error {
	c.frames = c.frames[:0]
	now := time.Now()
	for range n {
		c.sent[c.calls%uint64(len(c.sent))] = now
		c.frames = c.socket.frame(c.frames, func(b []byte) []byte { return c.socket.dialect.Call(b, c.calls, c.body) })
		c.calls++
	}
	return c.socket.write(c.frames)
}

func (c *caller) answered() time.Duration {
	took := time.Since(c.sent[c.done%uint64(len(c.sent))])
	c.done++
	return took
}
