package room

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// The table of addresses stays bounded whatever comes, and forgetting an address never gives it more than its share.
func TestBucketsAreBounded(t *testing.T) {
	b := newBuckets(1, 2, -1, 0)
	now := time.Unix(1_000_000, 0)
	addr := func(i uint32) netip.Addr {
		var a [16]byte
		a[0] = 0x20
		binary.BigEndian.PutUint32(a[4:], i)
		return netip.AddrFrom16(a)
	}
	refused := 0
	for i := range uint32(3 * maxAddrs) {
		now = now.Add(time.Microsecond)
		if b.take(addr(i), now) > 0 {
			refused++
		}
	}
	if len(b.addrs) > maxAddrs+1 {
		t.Errorf("%d addresses kept, the bound is %d", len(b.addrs), maxAddrs)
	}
	if refused == 0 {
		t.Error("addresses beyond the bound share no bucket")
	}
	now = now.Add(time.Hour)
	b.take(addr(9), now)
	b.sweep(now.Add(time.Hour))
	if len(b.addrs) != 0 {
		t.Errorf("%d full buckets are still kept", len(b.addrs))
	}
	// Neighbours in one IPv6 /64 are one address.
	one, two := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	b.take(one, now)
	b.take(two, now)
	if b.take(one, now) == 0 {
		t.Error("two addresses of one /64 have a bucket each")
	}
}
