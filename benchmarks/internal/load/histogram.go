package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets 1/32 wide. Its zero value is empty; any goroutine may add.
type Histogram struct {
	counts [(64 - subBits + 1) << subBits]atomic.Uint64
}

const subBits = 5

// Add counts one more.
func (h *Histogram) Add(d time.Duration) { h.counts[bucketOf(uint64(max(d, 0)))].Add(1) }

func bucketOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// top is the largest value of a bucket.
func top(bucket int) uint64 {
	if bucket < 1<<subBits {
		return uint64(bucket)
	}
	shift := bucket>>subBits - 1
	return (uint64(bucket&(1<<subBits-1))+1<<subBits+1)<<shift - 1
}

// Quantile gives the duration that the share q of all does not exceed, 0 for an empty Histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	var all, seen uint64
	for i := range h.counts {
		all += h.counts[i].Load()
	}
	for i := range h.counts {
		seen += h.counts[i].Load()
		if seen > 0 && float64(seen) >= q*float64(all) {
			return time.Duration(top(i))
		}
	}
	return 0
}
