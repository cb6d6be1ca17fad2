//go:build !linux

package load

func cpuClock(int) (float64, bool) { return 0, false }
