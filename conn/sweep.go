package conn

import "time"

// sweepStep is the time between two rounds of the sweeper: a fifth of the shortest time that it watches. WriteTimeout is
// always set, so it is never zero.
func (g *Gateway) sweepStep() time.Duration {
	d := g.opts.WriteTimeout
	for _, t := range []time.Duration{g.opts.PingInterval, g.opts.IdleTimeout} {
		if t > 0 {
			d = min(d, t)
		}
	}
	return max(d/5, time.Millisecond)
}

// sweep pings the quiet, closes the silent and ends writes that are stuck, for all connections on one goroutine and one
// timer. It ends when no connection is left or the gateway closes; stuck writes of closing connections have deadlines.
func (g *Gateway) sweep() {
	defer g.running.Done()
	ticker := time.NewTicker(g.sweepStep())
	defer ticker.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-ticker.C:
		}
		g.mu.Lock()
		if len(g.conns) == 0 {
			g.sweeping = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		now := time.Now()
		g.each(func(c *connection) { c.watch(now) })
	}
}

// watched is what the sweeper remembers of a connection between rounds; nobody else touches it.
type watched struct {
	heard    time.Time // when the last round that found new input ran
	pinged   time.Time
	write    uint32 // the write that was in progress
	writeHas time.Time
}

// watch looks after one connection.
func (c *connection) watch(now time.Time) {
	w, o := &c.watched, &c.g.opts
	if c.heard.Load()&heardInput != 0 {
		c.heard.And(^uint32(heardInput))
		w.heard = now
	} else if c.unsure.Load() {
		c.nudge()
	}
	silent := now.Sub(w.heard)
	switch {
	case o.IdleTimeout > 0 && silent >= o.IdleTimeout:
		c.close(CloseIdle, "nothing heard for "+o.IdleTimeout.String(), dropQueue)
	case o.PingInterval > 0 && silent >= o.PingInterval && now.Sub(w.pinged) >= o.PingInterval:
		w.pinged = now
		c.ping()
	}
	switch write := c.writes.Load(); {
	case write&1 == 0 || write != w.write:
		w.write, w.writeHas = write, now
	case now.Sub(w.writeHas) >= o.WriteTimeout:
		c.wakeWriter(write)
		w.writeHas = now
	}
}
