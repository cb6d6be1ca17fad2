package sqlite

import "time"

// clock is what leases go by, and what the store takes for the time.
type clock struct {
	wall func() time.Time
	// since is the clock of leases: the time since the boot that id names, in nanoseconds, or with id "" the wall clock.
	since func() int64
	id    string
}

// moment is what a clock says once.
type moment struct {
	wall  int64 // µs since 1970
	since int64 // ns, of the clock of leases
	boot  string
}

func (c *clock) now() moment {
	return moment{wall: c.wall().UnixMicro(), since: c.since(), boot: c.id}
}

// wallClock is the clock where there is none that tells boots apart.
func wallClock() clock {
	return clock{wall: time.Now, since: func() int64 { return time.Now().UnixNano() }}
}
