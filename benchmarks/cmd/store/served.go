package main

import (
	"context"
	"runtime"
	"time"

	"github.com/gosocka/socka/benchmarks/internal/launch"
	"github.com/gosocka/socka/benchmarks/internal/load"
	"github.com/gosocka/socka/wire"
)

// pinned is whether a server and its load get a processor each. A database runs on both.
func (t task) pinned() bool {
	switch t.What {
	case "sockets", "asleep", "rooms":
		return runtime.NumCPU() >= 2
	}
	return false
}

// serve runs a server with the task's store beside this process.
func (t task) serve(ctx context.Context, run func(load.Server) error) error {
	command := []string{"bin/stored", "-store", t.Address, "-save", string(t.Policy)}
	if t.Sleep > 0 {
		command = append(command, "-sleep", t.Sleep.String())
	}
	cpu := ""
	if t.pinned() {
		cpu = "0"
	}
	p, err := launch.Start(ctx, t.Folder, cpu, command, load.Socka(wire.JSON))
	if err != nil {
		return err
	}
	if t.Postgres != 0 {
		p.Server.Aid = func() (time.Duration, error) { return familyCPU(t.Postgres) }
	}
	err = run(p.Server)
	if stopped := p.Stop(); err == nil {
		err = stopped
	}
	return err
}

// sockets makes calls over connections of the loopback interface, one connection in each room.
func sockets(ctx context.Context, t task) (f figures, err error) {
	err = t.serve(ctx, func(server load.Server) error {
		profiled := make(chan error, 1)
		if t.Profile != "" {
			go func() { profiled <- load.SaveProfile(ctx, server, t.Warm+t.Measure, t.Profile) }()
		} else {
			profiled <- nil
		}
		r, err := load.Calls{
			Connections: t.Rooms, Depth: t.Depth, Size: 64, InRoom: 1,
			Times: load.Times{Warm: t.Warm, Measure: t.Measure},
		}.Run(ctx, server)
		if failed := <-profiled; err == nil {
			err = failed
		}
		f = figures{Rate: r.Rate, CPU: micros(r.CPU), Database: micros(r.Aid), P50: millis(r.P50), P99: millis(r.P99), Others: r.Others}
		return err
	})
	return f, err
}

// asleep has a connection in each of many rooms, which fall asleep, and wakes some.
func asleep(ctx context.Context, t task) (f figures, err error) {
	err = t.serve(ctx, func(server load.Server) error {
		s, err := load.Asleep{Connections: t.Rooms, Shared: t.Shared, Wakes: t.Wakes, Settle: t.Warm}.Run(ctx, server)
		f = figures{
			Awake: s.Awake.LiveKiB, Asleep: s.Asleep.LiveKiB, InUse: s.Asleep.HeapKiB, Stack: s.Asleep.StackKiB,
			AsleepRSS: s.Asleep.KiB,
			P50:       millis(s.Wake.P50), P99: millis(s.Wake.P99),
			CallP50: millis(s.Call.P50), CallP99: millis(s.Call.P99),
		}
		return err
	})
	return f, err
}

// roomsAsleep has many rooms that nobody is in, which fall asleep.
func roomsAsleep(ctx context.Context, t task) (f figures, err error) {
	err = t.serve(ctx, func(server load.Server) error {
		awake, asleep, err := load.Rooms{Rooms: t.Rooms, Settle: t.Warm}.Asleep(ctx, server)
		f = figures{
			Awake: awake.LiveKiB, Asleep: asleep.LiveKiB, InUse: asleep.HeapKiB, Stack: asleep.StackKiB,
			AsleepRSS: asleep.KiB,
		}
		return err
	})
	return f, err
}
