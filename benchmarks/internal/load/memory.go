package load

import (
	"context"
	"fmt"
	"time"
)

// Idle is a number of connections that do nothing, in rooms of 100.
type Idle struct {
	Connections int
	Settle      time.Duration // after connecting, before memory is read
	Watch       time.Duration // after that, the time over which the CPU time of doing nothing is taken
}

// Memory is how a server's memory grew. For each connection or room of Result it says where the memory is.
type Memory struct {
	Result             // CPU is that of one connection in a second
	LiveKiB    float64 // of the heap in use, what is reachable, without the gaps between
	Goroutines float64 // per connection or room
	KernelKiB  float64 // of slabs, half of what the whole machine's grew by: the load generator has the other ends
}

// Run reads the server's memory before and after, each time with the garbage collected.
func (o Idle) Run(ctx context.Context, server Server) (Result, error) {
	m, err := o.Memory(ctx, server)
	return m.Result, err
}

// Memory is Run, and says more.
func (o Idle) Memory(ctx context.Context, server Server) (m Memory, err error) {
	c := newCrew(ctx)
	defer c.end()
	// A few first, so that what is made once is not counted.
	few := newCrew(ctx)
	err = few.dialAll(server, 100, func(int) string { return "few" }, true, 512)
	few.end()
	if err != nil {
		return m, err
	}
	m, err = growth(c, server, o.Settle, o.Connections, func() error {
		if err := c.dialAll(server, o.Connections, func(i int) string { return fmt.Sprintf("idle-%d", i/100) }, true, 512); err != nil {
			return err
		}
		for _, s := range c.sockets {
			c.read(s, func(int) error { return nil }, func([]byte, time.Time) {})
		}
		return nil
	})
	if err != nil || o.Watch == 0 {
		return m, err
	}
	begin, err := readMeter(server)
	if err != nil {
		return m, err
	}
	if err := c.wait(o.Watch); err != nil {
		return m, err
	}
	watched, err := begin.until(uint64(o.Connections))
	m.CPU = time.Duration(float64(watched.CPU) / o.Watch.Seconds())
	m.Load, m.Others = watched.Load, watched.Others
	return m, err
}

// Rooms is a number of rooms that nobody is in. Only a contender that has rooms of its own knows the request.
type Rooms struct {
	Rooms  int
	Settle time.Duration
}

// Run reads the server's memory before and after.
func (o Rooms) Run(ctx context.Context, server Server) (Result, error) {
	m, err := o.Memory(ctx, server)
	return m.Result, err
}

// Memory is Run, and says more.
func (o Rooms) Memory(ctx context.Context, server Server) (Memory, error) {
	c := newCrew(ctx)
	defer c.end()
	return growth(c, server, o.Settle, o.Rooms, func() error {
		_, err := control(ctx, server, fmt.Sprintf("/rooms?n=%d", o.Rooms))
		return err
	})
}

func growth(c *crew, server Server, settle time.Duration, n int, grow func() error) (m Memory, err error) {
	before, err := c.footprint(server, settle)
	if err != nil {
		return m, err
	}
	if err := grow(); err != nil {
		return m, err
	}
	after, err := c.footprint(server, settle)
	return after.since(before, n), err
}
