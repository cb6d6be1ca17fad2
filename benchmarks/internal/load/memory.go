package load

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/serve"
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
	begin, err := readMeter(server.PID)
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

// footprint is what a server and the kernel have taken, in KiB.
type footprint struct {
	resident, slab float64
	said           serve.Memory
}

func growth(c *crew, server Server, settle time.Duration, n int, grow func() error) (m Memory, err error) {
	read := func() (f footprint, err error) {
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
	before, err := read()
	if err != nil {
		return m, err
	}
	if err := grow(); err != nil {
		return m, err
	}
	after, err := read()
	each := func(before, after float64) float64 { return (after - before) / float64(n) }
	m.KiB = each(before.resident, after.resident)
	m.HeapKiB = each(float64(before.said.Heap), float64(after.said.Heap)) / 1024
	m.StackKiB = each(float64(before.said.Stack), float64(after.said.Stack)) / 1024
	m.Goroutines = each(float64(before.said.Goroutines), float64(after.said.Goroutines))
	m.KernelKiB = each(before.slab, after.slab) / 2
	return m, err
}
