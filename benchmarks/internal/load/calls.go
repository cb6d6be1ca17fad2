package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Calls says what a load of calls is.
type Calls struct {
	Connections int
	Depth       int     // calls of one connection that are unanswered at a time, if there is no Rate
	Rate        float64 // calls per second of all connections together, open loop; 0: as many as are answered
	Size        int     // bytes of a body as JSON
	Idle        int     // further connections that do nothing, in rooms of 100
	InRoom      int     // connections of one room; 0: one room for all that call
	Times
}

// calling is a running Calls.
type calling struct {
	Calls
	*crew
	start     time.Time
	answers   atomic.Uint64
	latency   Histogram
	measuring atomic.Bool
}

// Run makes calls on all connections. An operation is a call.
func (o Calls) Run(ctx context.Context, server Server) (Result, error) {
	c := &calling{Calls: o, crew: newCrew(ctx), start: time.Now()}
	defer c.end()
	buffer := 16 << 10
	if o.Depth <= 1 {
		buffer = 2 << 10 // may grow
	}
	if err := c.dialAll(server, o.Connections+o.Idle, c.roomOf, true, buffer); err != nil {
		return Result{}, err
	}
	callers := make([]*caller, o.Connections)
	for i, s := range c.sockets {
		if i >= o.Connections {
			c.read(s, func(int) error { return nil }, func([]byte, time.Time) {})
			continue
		}
		body, err := NewBody(o.Size, 0)
		if err != nil {
			return Result{}, err
		}
		callers[i] = &caller{socket: s, body: body, sent: make([]time.Time, o.Depth)}
		if err := c.serve(callers[i]); err != nil {
			return Result{}, err
		}
	}
	if o.Rate > 0 {
		go func() { // ends with the context, at the latest when the crew does
			if err := c.onSchedule(callers); err != nil {
				c.cancel(err)
			}
		}()
	}
	if err := c.wait(o.Warm); err != nil {
		return Result{}, err
	}
	begin, err := readMeter(server)
	if err != nil {
		return Result{}, err
	}
	before := c.answers.Load()
	c.measuring.Store(true)
	if err := c.wait(o.Measure); err != nil {
		return Result{}, err
	}
	r, err := begin.until(c.answers.Load() - before)
	r.P50, r.P99 = c.latency.Quantile(0.5), c.latency.Quantile(0.99)
	return r, err
}

func (c *calling) roomOf(i int) string {
	switch {
	case i < c.Connections && c.InRoom > 0:
		return fmt.Sprintf("calls-%d", i/c.InRoom)
	case i < c.Connections:
		return "calls"
	}
	return fmt.Sprintf("idle-%d", (i-c.Connections)/100)
}

// serve takes the answers of one connection, and without a schedule makes a call for each.
func (c *calling) serve(k *caller) error {
	checked := func(m []byte) {
		if !bytes.Contains(m, mark) || len(m) < c.Size/2 {
			c.cancel(errors.New("an answer without the body that was sent"))
		}
	}
	if c.Rate > 0 {
		c.read(k.socket, func(n int) error {
			c.answers.Add(uint64(n))
			return nil
		}, func(m []byte, now time.Time) {
			checked(m)
			if stamp, ok := stampOf(m); !ok {
				c.cancel(fmt.Errorf("an answer without a time: %q", m))
			} else if c.measuring.Load() {
				c.latency.Add(now.Sub(c.start) - time.Duration(stamp))
			}
		})
		return nil
	}
	if err := k.call(c.Depth, time.Now()); err != nil {
		return err
	}
	var read time.Time
	c.read(k.socket, func(n int) error {
		c.answers.Add(uint64(n))
		return k.call(n, read)
	}, func(m []byte, now time.Time) {
		read = now
		checked(m)
		if took := k.answered(now); c.measuring.Load() {
			c.latency.Add(took)
		}
	})
	return nil
}

// onSchedule makes calls when they are due, the connections one after the other, however late the server is. Their bodies
// carry the time, for which answers must be JSON.
func (c *calling) onSchedule(callers []*caller) error {
	next := schedule{begin: time.Now(), step: float64(time.Second) / c.Rate}
	offset := next.begin.Sub(c.start)
	for {
		for ; next.isDue(); next.done++ {
			k := callers[next.done%uint64(len(callers))]
			k.body = k.body.stamped(int64(offset + next.due(next.done)))
			if err := k.send(1); err != nil || c.ctx.Err() != nil {
				return err
			}
		}
		if err := c.wait(next.pause()); err != nil {
			return err
		}
	}
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

// call makes n calls with one write, at the time now or a little later.
func (c *caller) call(n int, now time.Time) error {
	for i := range n {
		c.sent[(c.calls+uint64(i))%uint64(len(c.sent))] = now
	}
	return c.send(n)
}

func (c *caller) send(n int) error {
	c.frames = c.frames[:0]
	for range n {
		c.frames = c.socket.frame(c.frames, func(b []byte) []byte { return c.socket.dialect.Call(b, c.calls, c.body) })
		c.calls++
	}
	return c.socket.write(c.frames)
}

func (c *caller) answered(now time.Time) time.Duration {
	took := now.Sub(c.sent[c.done%uint64(len(c.sent))])
	c.done++
	return took
}
