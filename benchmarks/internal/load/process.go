package load

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// tick is the unit of times in /proc, USER_HZ, which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// CPUOf is the user and system time of a process and its threads. Its CPU clock counts what /proc/PID/stat does, in
// nanoseconds instead of ticks.
func CPUOf(pid int) (time.Duration, error) {
	const perThread, scheduler = 4, 2 // see MAKE_PROCESS_CPUCLOCK in the kernel
	clock := int32(^pid)<<3 | scheduler&^perThread
	var t syscall.Timespec
	if _, _, code := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); code != 0 {
		return 0, fmt.Errorf("the CPU clock of process %d: %w", pid, code)
	}
	return time.Duration(t.Nano()), nil
}

// MachineCPU is the user and system time of all processes.
func MachineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system int64
	if _, err := fmt.Sscanf(string(text), "cpu %d %d %d", &user, &nice, &system); err != nil {
		return 0, fmt.Errorf("/proc/stat: %w", err)
	}
	return time.Duration(user+nice+system) * tick, nil
}

// kib is a line of a file in /proc such as "Slab:  120 kB".
func kib(file, name string) (float64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var v float64
		if _, err := fmt.Sscanf(line, name+": %f kB", &v); err == nil {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}
