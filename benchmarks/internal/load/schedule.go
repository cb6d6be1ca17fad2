package load

import "time"

// interval is the least time between two looks at a schedule.
const interval = 200 * time.Microsecond

// schedule is an open loop: the n-th operation is due n steps after begin, however late those before it were.
type schedule struct {
	begin time.Time
	step  float64 // in ns
	done  uint64
}

// due is when the n-th operation is, after begin.
func (s *schedule) due(n uint64) time.Duration { return time.Duration(float64(n) * s.step) }

func (s *schedule) isDue() bool { return time.Since(s.begin) >= s.due(s.done) }

// late is how many operations beyond the next one are due too.
func (s *schedule) late() int {
	return int(float64(time.Since(s.begin)-s.due(s.done)) / s.step)
}

// pause is the time until the next look at the schedule.
func (s *schedule) pause() time.Duration {
	return max(time.Until(s.begin.Add(s.due(s.done))), interval)
}
