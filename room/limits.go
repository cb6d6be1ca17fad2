package room

import (
	"net/netip"
	"sync"
	"time"
)

// buckets limits how often something happens, per address and in all, with one token bucket each. The table of
// addresses is bounded: an address whose bucket is full again is forgotten, and while more than maxAddrs are not, new
// ones share one bucket.
type buckets struct {
	mu      sync.Mutex
	rate    float64 // tokens per second and address
	burst   float64
	all     bucket
	allRate float64
	allMax  float64
	addrs   map[netip.Prefix]*bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxAddrs bounds the table of addresses: about 10 MiB.
const maxAddrs = 1 << 16

func newBuckets(rate float64, burst int, allRate float64, allBurst int) *buckets {
	return &buckets{rate: rate, burst: float64(burst), allRate: allRate, allMax: float64(allBurst), addrs: make(map[netip.Prefix]*bucket)}
}

// take takes one token for addr, or says how long to wait for one. Rates below zero mean no limit.
func (b *buckets) take(addr netip.Addr, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate >= 0 {
		own := b.of(addr, now)
		own.fill(b.rate, b.burst, now)
		if own.tokens < 1 {
			return own.wait(b.rate)
		}
		if b.allRate < 0 {
			own.tokens--
			return 0
		}
		b.all.fill(b.allRate, b.allMax, now)
		if b.all.tokens < 1 {
			return b.all.wait(b.allRate)
		}
		own.tokens--
		b.all.tokens--
		return 0
	}
	if b.allRate >= 0 {
		b.all.fill(b.allRate, b.allMax, now)
		if b.all.tokens < 1 {
			return b.all.wait(b.allRate)
		}
		b.all.tokens--
	}
	return 0
}

// of finds the bucket of an address; an IPv6 address counts by its /64, which is what one customer gets.
func (b *buckets) of(addr netip.Addr, now time.Time) *bucket {
	addr = addr.Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	key, _ := addr.Prefix(bits)
	if own := b.addrs[key]; own != nil {
		return own
	}
	if len(b.addrs) >= maxAddrs {
		b.sweep(now)
	}
	if len(b.addrs) >= maxAddrs {
		key = netip.Prefix{}
		if shared := b.addrs[key]; shared != nil {
			return shared
		}
	}
	own := &bucket{}
	b.addrs[key] = own
	return own
}

// sweep forgets full buckets, at most once a second.
func (b *buckets) sweep(now time.Time) {
	if now.Sub(b.swept) < time.Second {
		return
	}
	b.swept = now
	for key, own := range b.addrs {
		if own.fill(b.rate, b.burst, now); own.tokens >= b.burst {
			delete(b.addrs, key)
		}
	}
}

// fill adds what has come in since the last time; a new bucket is full.
func (k *bucket) fill(rate, max float64, now time.Time) {
	if k.at.IsZero() {
		k.tokens = max
	} else {
		k.tokens = min(max, k.tokens+rate*now.Sub(k.at).Seconds())
	}
	k.at = now
}

// wait is how long a token takes, at most an hour and never nothing.
func (k *bucket) wait(rate float64) time.Duration {
	return 1 + time.Duration(min((1-k.tokens)/rate, 3600)*float64(time.Second))
}
