package load

import (
	"syscall"
	"time"
)

// sleep waits on a thread of its own: the runtime's timers are rounded up to a millisecond while the process is otherwise
// idle, and calls would be sent late by that much.
func sleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil) // who wakes early looks at the clock and sleeps again
}
