package sqlite

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// systemClock is the time since boot, suspended or not, which no change of the wall clock moves. Without /proc it is the wall
// clock.
func systemClock() clock {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || uptime() == 0 {
		return wallClock()
	}
	return clock{wall: time.Now, since: uptime, id: strings.TrimSpace(string(id))}
}

// uptime is CLOCK_BOOTTIME in nanoseconds, 0 if there is none.
func uptime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return t.Nano()
}
