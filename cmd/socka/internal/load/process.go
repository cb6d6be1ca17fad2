package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// A process is one whose use of the machine is read from /proc.
type process struct {
	pid  int
	self bool
}

// usage is what a process has used. CPU time is that of user and system together, of all threads.
type usage struct {
	cpu float64 // seconds
	rss int64   // bytes in memory now
}

const ticksPerSecond = 100 // what Linux tells programs, whatever the kernel's own clock is

// read gives nothing for no process.
func (p process) read() (usage, error) {
	if p.pid == 0 && !p.self {
		return usage{}, nil
	}
	name := "self"
	if !p.self {
		name = strconv.Itoa(p.pid)
	}
	stat, err := os.ReadFile("/proc/" + name + "/stat")
	if err != nil {
		return usage{}, err
	}
	u, err := parseStat(stat)
	if err != nil {
		return usage{}, err
	}
	pid := p.pid
	if p.self {
		pid = os.Getpid()
	}
	if cpu, ok := cpuClock(pid); ok { // the same, without the clock ticks of 10 ms that /proc counts in
		u.cpu = cpu
	}
	return u, nil
}

// parseStat reads /proc/PID/stat, as proc(5) describes it. The second field, the name of the program, is in parentheses
// and may hold anything.
func parseStat(stat []byte) (usage, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return usage{}, errors.New("/proc/PID/stat is not as expected")
	}
	var v [3]int64
	for i, at := range []int{11, 12, 21} { // utime, stime, rss: fields 14, 15 and 24
		n, err := strconv.ParseInt(string(fields[at]), 10, 64)
		if err != nil {
			return usage{}, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		v[i] = n
	}
	return usage{cpu: float64(v[0]+v[1]) / ticksPerSecond, rss: v[2] * int64(os.Getpagesize())}, nil
}
