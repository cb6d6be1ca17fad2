package load

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for v := int64(0); v < 1<<20; v++ {
		b := bucketOf(v)
		if b != last && b != last+1 {
			t.Fatalf("value %d is in bucket %d, the one before in %d", v, b, last)
		}
		last = b
	}
	if b := bucketOf(1<<maxBits - 1); b != nBuckets-1 {
		t.Errorf("the largest value is in bucket %d of %d", b, nBuckets)
	}
	for range 100_000 {
		v := rand.Int64N(1 << (1 + rand.IntN(maxBits)))
		if d := middleOf(bucketOf(v)) - v; max(d, -d)*128 > v {
			t.Fatalf("value %d is told as %d", v, v+d)
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	var all []int64
	var whole, a, b histogram
	for i := range 50_000 {
		v := rand.Int64N(1 << (10 + rand.IntN(25)))
		all = append(all, v)
		whole.add(v)
		if i%3 == 0 {
			a.add(v)
		} else {
			b.add(v)
		}
	}
	a.merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(0, min(len(all)-1, int(q*float64(len(all))+0.999999)-1))]
		got := int64(whole.quantile(q))
		if d := got - want; max(d, -d)*128 > want {
			t.Errorf("quantile %v is %d, want %d within 1/128", q, got, want)
		}
		if merged := int64(a.quantile(q)); merged != got {
			t.Errorf("quantile %v of the merged histogram is %d, want %d", q, merged, got)
		}
	}
	if got := int64(whole.quantile(1)); got < all[len(all)-1]*127/128 || got > all[len(all)-1] {
		t.Errorf("the maximum is %d, told as %d", all[len(all)-1], got)
	}
}

func TestHistogramEdges(t *testing.T) {
	var h histogram
	if h.quantile(0.5) != 0 {
		t.Error("an empty histogram has a median")
	}
	h.merge(&histogram{})
	h.add(-5)
	h.add(1 << 60)
	if h.min != 0 || h.max != 1<<maxBits-1 || h.n != 2 {
		t.Errorf("out of range: %d to %d, %d values", h.min, h.max, h.n)
	}
}
