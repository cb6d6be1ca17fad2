package snapshot

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Values are compared in steps of a page, for which bytes.Equal is as fast as memory is, then in words.
const (
	page = 4096
	word = 8
)

// commonPrefix is how many bytes a and b have in common at the beginning.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for i+page <= n && bytes.Equal(a[i:i+page], b[i:i+page]) {
		i += page
	}
	for ; i+word <= n; i += word {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// commonSuffix is how many bytes a and b have in common at the end.
func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[len(a)-n:], b[len(b)-n:]
	i := n
	for i >= page && bytes.Equal(a[i-page:i], b[i-page:i]) {
		i -= page
	}
	for ; i >= word; i -= word {
		if x := binary.LittleEndian.Uint64(a[i-word:]) ^ binary.LittleEndian.Uint64(b[i-word:]); x != 0 {
			return n - i + bits.LeadingZeros64(x)/8
		}
	}
	for i > 0 && a[i-1] == b[i-1] {
		i--
	}
	return n - i
}
