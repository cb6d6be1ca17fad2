package load

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets whose width grows with the value: 64
// buckets for each power of two, so that a percentile is off by less than 1 part
// in 128. Values are kept in nanoseconds; below 128 ns they are exact, beyond 2^42
// (73 minutes) they count as that. The zero value is empty.
type histogram struct {
	counts   []uint64 // made with the first value
	n        uint64
	sum      float64
	min, max int64
}

const (
	subBits  = 6 // log2 of the buckets for each power of two
	maxBits  = 42
	nBuckets = (maxBits - subBits + 1) << subBits
)

// bucketOf gives the bucket of a value from 0 to 2^maxBits-1.
func bucketOf(v int64) int {
	shift := max(0, bits.Len64(uint64(v))-subBits-1)
	return shift<<subBits + int(v>>shift)
}

// middleOf gives the value in the middle of a bucket.
func middleOf(bucket int) int64 {
	if bucket < 2<<subBits {
		return int64(bucket)
	}
	shift := bucket>>subBits - 1
	low := int64(bucket-shift<<subBits) << shift
	return low + int64(1)<<shift/2
}

func (h *histogram) add(v int64) {
	v = min(max(v, 0), 1<<maxBits-1)
	if h.counts == nil {
		h.counts = make([]uint64, nBuckets)
	}
	h.counts[bucketOf(v)]++
	if h.n == 0 || v < h.min {
		h.min = v
	}
	h.max = max(h.max, v)
	h.sum += float64(v)
	h.n++
}

func (h *histogram) merge(o *histogram) {
	if o.n == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint64, nBuckets)
	}
	for i, c := range o.counts {
		h.counts[i] += c
	}
	if h.n == 0 || o.min < h.min {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
	h.sum += o.sum
	h.n += o.n
}

// quantile gives the value below or at which a part q, 0 to 1, of all values are.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(q * float64(h.n))
	if float64(rank) < q*float64(h.n) || rank == 0 {
		rank++
	}
	var seen uint64
	for i, c := range h.counts {
		if seen += c; seen >= rank {
			return time.Duration(min(max(middleOf(i), h.min), h.max))
		}
	}
	return time.Duration(h.max)
}
