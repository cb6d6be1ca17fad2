package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// plainText and validText against loops, with every byte at every place of texts around the lengths where they change.
func TestTextByWords(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 72, 80, 511, 600} {
		for at := range n {
			if n > 100 && at > 10 && at < n-100 {
				continue
			}
			for c := range 256 {
				for _, next := range []byte{'x', 0, '"', 0xff} {
					b := []byte(strings.Repeat("x", n))
					b[at] = byte(c)
					if at+1 < n {
						b[at+1] = next
					}
					want, wide := 0, false
					for want < n && !specialByte(b[want]) {
						wide = wide || b[want] >= 0x80
						want++
					}
					if end, w := plainText(b, 0); end != want || (w != 0) != wide {
						t.Fatalf("%q: %d %x, want %d %v", b, end, w, want, wide)
					}
					if got := validText(b); got != utf8.Valid(b) {
						t.Fatalf("%q: %v", b, got)
					}
				}
			}
		}
	}
}
