package load

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/serve"
)

// Asleep is a number of connections whose rooms fall asleep: each made a call, then none calls any more. Only a contender
// whose rooms sleep knows the request that tells how many do.
type Asleep struct {
	Connections int
	Shared      bool          // all are in one room; else each has its own
	Wakes       int           // of rooms that sleep, each woken by a call; at most Connections
	Settle      time.Duration // before memory is read
}

// Slept is what it came to. Memory is that by which the server grew since before there were connections, for each
// connection, with the garbage collected.
type Slept struct {
	Awake, Asleep Memory
	Wake, Call    struct{ P50, P99 time.Duration } // of the call that wakes a room, and of one right after it
}

// Run fails if a room sleeps before all have called: then the server's rooms stay awake for too short a time.
func (o Asleep) Run(ctx context.Context, server Server) (s Slept, err error) {
	c := newCrew(ctx)
	defer c.end()
	// A few first, so that what is made once is not counted.
	few := newCrew(ctx)
	err = few.dialAll(server, 100, func(int) string { return "few" }, true, 512)
	few.end()
	if err != nil {
		return s, err
	}
	before, err := c.footprint(server, o.Settle)
	if err != nil {
		return s, err
	}
	earlier, err := slept(ctx, server)
	if err != nil {
		return s, err
	}
	room := func(i int) string { return "sleep-" + strconv.Itoa(i) }
	rooms := o.Connections
	if o.Shared {
		room, rooms = func(int) string { return "sleep" }, 1
	}
	if err := c.dialAll(server, o.Connections, room, true, 512); err != nil {
		return s, err
	}
	body, err := NewBody(64, 0)
	if err != nil {
		return s, err
	}
	callers := make([]*caller, o.Connections)
	answers := make(chan time.Time, o.Connections)
	for i, socket := range c.sockets {
		callers[i] = &caller{socket: socket, body: body, sent: make([]time.Time, 1)}
		c.read(socket, func(int) error { return nil }, func(_ []byte, now time.Time) { answers <- now })
	}
	for _, k := range callers {
		if _, err := c.callOnce(k, answers); err != nil {
			return s, err
		}
	}
	awake, err := c.footprint(server, o.Settle)
	if err != nil {
		return s, err
	}
	s.Awake = awake.since(before, o.Connections)
	if err := c.stillAwake(server, earlier, rooms); err != nil {
		return s, err
	}
	if err := c.waitAsleep(server, earlier+rooms); err != nil {
		return s, err
	}
	dozing, err := c.footprint(server, o.Settle)
	if err != nil {
		return s, err
	}
	s.Asleep = dozing.since(before, o.Connections)
	var wake, call Histogram
	for i := range o.Wakes {
		k := callers[i*(o.Connections/o.Wakes)]
		for _, h := range []*Histogram{&wake, &call} {
			took, err := c.callOnce(k, answers)
			if err != nil {
				return s, err
			}
			h.Add(took)
		}
	}
	s.Wake.P50, s.Wake.P99 = wake.Quantile(0.5), wake.Quantile(0.99)
	s.Call.P50, s.Call.P99 = call.Quantile(0.5), call.Quantile(0.99)
	return s, nil
}

// Asleep has the rooms fall asleep, and reads the server's memory before they do and after.
func (o Rooms) Asleep(ctx context.Context, server Server) (awake, asleep Memory, err error) {
	c := newCrew(ctx)
	defer c.end()
	earlier, err := slept(ctx, server)
	if err != nil {
		return awake, asleep, err
	}
	before, err := c.footprint(server, o.Settle)
	if err != nil {
		return awake, asleep, err
	}
	if _, err := control(ctx, server, fmt.Sprintf("/rooms?n=%d", o.Rooms)); err != nil {
		return awake, asleep, err
	}
	f, err := c.footprint(server, o.Settle)
	if err != nil {
		return awake, asleep, err
	}
	awake = f.since(before, o.Rooms)
	if err := c.stillAwake(server, earlier, o.Rooms); err != nil {
		return awake, asleep, err
	}
	if err := c.waitAsleep(server, earlier+o.Rooms); err != nil {
		return awake, asleep, err
	}
	f, err = c.footprint(server, o.Settle)
	return awake, f.since(before, o.Rooms), err
}

// stillAwake fails if a room has fallen asleep since earlier.
func (c *crew) stillAwake(server Server, earlier, rooms int) error {
	n, err := slept(c.ctx, server)
	if err == nil && n > earlier {
		err = fmt.Errorf("%d rooms slept before all %d were awake; have the server wait longer before they sleep", n-earlier, rooms)
	}
	return err
}

// waitAsleep waits until rooms have fallen asleep n times.
func (c *crew) waitAsleep(server Server, n int) error {
	for {
		if now, err := slept(c.ctx, server); err != nil || now >= n {
			return err
		}
		if err := c.wait(20 * time.Millisecond); err != nil {
			return err
		}
	}
}

// callOnce makes a call and waits for its answer; no other may be under way.
func (c *crew) callOnce(k *caller, answers <-chan time.Time) (time.Duration, error) {
	start := time.Now()
	if err := k.call(1, start); err != nil {
		return 0, err
	}
	select {
	case now := <-answers:
		return now.Sub(start), nil
	case <-c.ctx.Done():
		return 0, context.Cause(c.ctx)
	case <-time.After(dialTimeout):
		return 0, fmt.Errorf("no answer within %v", dialTimeout)
	}
}

// slept is how often rooms of the server have fallen asleep.
func slept(ctx context.Context, s Server) (int, error) {
	text, err := control(ctx, s, "/slept")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// footprint is what a server and the kernel have taken, in KiB.
type footprint struct {
	resident, slab float64
	said           serve.Memory
}

// footprint waits, and has the garbage collected.
func (c *crew) footprint(server Server, settle time.Duration) (f footprint, err error) {
	if err := c.wait(settle); err != nil {
		return f, err
	}
	answer, err := control(c.ctx, server, "/gc")
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(answer, &f.said); err != nil {
		return f, fmt.Errorf("/gc: %w", err)
	}
	if f.slab, err = kib("/proc/meminfo", "Slab"); err != nil {
		return f, err
	}
	f.resident, err = kib(fmt.Sprintf("/proc/%d/status", server.PID), "VmRSS")
	return f, err
}

// since is by how much it has grown, for each of n.
func (f footprint) since(before footprint, n int) (m Memory) {
	each := func(before, after float64) float64 { return (after - before) / float64(n) }
	m.KiB = each(before.resident, f.resident)
	m.LiveKiB = each(float64(before.said.Live), float64(f.said.Live)) / 1024
	m.HeapKiB = each(float64(before.said.Heap), float64(f.said.Heap)) / 1024
	m.StackKiB = each(float64(before.said.Stack), float64(f.said.Stack)) / 1024
	m.Goroutines = each(float64(before.said.Goroutines), float64(f.said.Goroutines))
	m.KernelKiB = each(before.slab, f.slab) / 2
	return m
}
