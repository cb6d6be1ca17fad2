package load

import (
	"context"
	"fmt"
	"time"
)

// Idle is a number of connections that do nothing.
type Idle struct {
	Connections int
	Settle      time.Duration // after connecting, before memory is read
}

// Run reads the server's memory before and after, each time with the garbage collected.
func (o Idle) Run(ctx context.Context, server Server) (Result, error) {
	c := newCrew(ctx)
	defer c.end()
	// A few first, so that what is made once is not counted.
	few := newCrew(ctx)
	err := few.dialAll(server, 100, func(int) string { return "few" }, true, 512)
	few.end()
	if err != nil {
		return Result{}, err
	}
	grown, err := growth(c, server, o.Settle, func() error {
		if err := c.dialAll(server, o.Connections, func(i int) string { return fmt.Sprintf("idle-%d", i/100) }, true, 512); err != nil {
			return err
		}
		for _, s := range c.sockets {
			c.read(s, func(int) error { return nil }, func(Kind, []byte) {})
		}
		return nil
	})
	return Result{KiB: grown / float64(o.Connections)}, err
}

// Rooms is a number of rooms that nobody is in. Only a contender that has rooms of its own knows the request.
type Rooms struct {
	Rooms  int
	Settle time.Duration
}

// Run reads the server's memory before and after.
func (o Rooms) Run(ctx context.Context, server Server) (Result, error) {
	c := newCrew(ctx)
	defer c.end()
	grown, err := growth(c, server, o.Settle, func() error {
		_, err := control(ctx, server, fmt.Sprintf("/rooms?n=%d", o.Rooms))
		return err
	})
	return Result{KiB: grown / float64(o.Rooms)}, err
}

func growth(c *crew, server Server, settle time.Duration, grow func() error) (kib float64, err error) {
	read := func() (float64, error) {
		if err := c.wait(settle); err != nil {
			return 0, err
		}
		if _, err := control(c.ctx, server, "/gc"); err != nil {
			return 0, err
		}
		return residentKiB(server.PID)
	}
	before, err := read()
	if err != nil {
		return 0, err
	}
	if err := grow(); err != nil {
		return 0, err
	}
	after, err := read()
	return after - before, err
}
