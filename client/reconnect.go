package client

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// run keeps the client connected, from the first connection until the client is
// Closed. It is the only goroutine that replaces a connection, and it does so
// only after the goroutines of the old one have ended.
func (c *Client) run(cn *conn) {
	defer close(c.running)
	attempt := 0
	for {
		opened := time.Now()
		lost := cn.wait(c.ctx)
		if c.ctx.Err() != nil {
			return
		}
		if time.Since(opened) >= c.opts.Reconnect.Max {
			attempt = 0
		}
		c.mu.Lock()
		switch {
		case c.status == Closed:
		case c.opts.Reconnect.Disabled || final(lost):
			c.giveUp(lost)
		default:
			c.cur = nil
			c.setStatus(Reconnecting, lost)
		}
		again := c.status == Reconnecting
		c.mu.Unlock()
		cn.failPending(lost)
		if !again {
			return
		}
		if cn = c.reconnect(&attempt, lost); cn == nil {
			return
		}
	}
}

// reconnect tries until it has a connection, which is then the client's. It
// returns nil if the client is Closed or gives up. last is the reason of the loss.
func (c *Client) reconnect(attempt *int, last error) *conn {
	o := &c.opts.Reconnect
	for {
		if o.MaxAttempts > 0 && *attempt >= o.MaxAttempts {
			c.mu.Lock()
			if c.status != Closed {
				c.giveUp(fmt.Errorf("socka: gave up after %d attempts to reconnect: %w", *attempt, last))
			}
			c.mu.Unlock()
			return nil
		}
		*attempt++
		wait := time.NewTimer(o.delay(*attempt, rand.Float64()))
		select {
		case <-wait.C:
		case <-c.ctx.Done():
			wait.Stop()
			return nil
		}
		cn, err := c.dial(c.ctx)

		c.mu.Lock()
		switch {
		case c.status == Closed:
			c.mu.Unlock()
			if err == nil {
				cn.transport.kill()
			}
			return nil
		case err == nil:
			c.open(cn)
			c.mu.Unlock()
			return cn
		case final(err):
			c.giveUp(err)
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		c.opts.Logger.Warn("socka client: attempt to reconnect failed", "url", c.logURL, "attempt", *attempt, "err", err)
		last = err
	}
}

// giveUp makes the client Closed because of reason. What was received is still
// handled. c.mu is held.
func (c *Client) giveUp(reason error) {
	c.finish(fmt.Errorf("%w: %w", ErrClosed, reason), reason)
	c.pushes.stop(true)
}

// delay returns the wait before attempt n, counted from 1; random is in [0, 1).
func (o *ReconnectOptions) delay(n int, random float64) time.Duration {
	d := min(o.Initial, o.Max)
	for ; n > 1 && d < o.Max; n-- {
		d += min(d, o.Max-d)
	}
	return d + time.Duration(float64(d)*o.Jitter*(2*random-1))
}
