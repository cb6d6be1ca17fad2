package load

import (
	"syscall"
	"unsafe"
)

// cpuClock reads the CPU clock of a process, in seconds.
func cpuClock(pid int) (float64, bool) {
	const scheduler = 2 // a process's clock, of all its threads: see clock_getcpuclockid(3) and MAKE_PROCESS_CPUCLOCK in the kernel
	clock := int32(^pid)<<3 | scheduler
	var t syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0)
	return float64(t.Nano()) / 1e9, errno == 0
}
