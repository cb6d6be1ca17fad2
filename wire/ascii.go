package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Text is looked at eight bytes at a time. A byte is found by taking a constant from each byte of the word: bit 7 of the
// difference is set where the byte was smaller. A borrow can set it falsely only in a byte above one that was found, so
// the lowest set bit is always true.
const (
	every  = 0x0101010101010101
	bit7   = every * 0x80
	spaces = every * ' '
	quotes = every * '"'
	slants = every * '\\'
)

// special has bit 7 set, at the lowest place where it is set, of a byte that JSON escapes.
func special(w uint64) uint64 {
	return ((w - spaces) | (w ^ quotes - every) | (w ^ slants - every)) & ^w & bit7
}

func specialByte(c byte) bool { return c < ' ' || c == '"' || c == '\\' }

const (
	// shortText is up to where one loop looks for everything at once.
	shortText = 64
	// longText is how far the loops look that look for one thing each: what they pass in vain bounds their cost.
	longText = 512
)

// plainText returns the index of the first byte from b[i] on that JSON escapes: a quote, a backslash or a control
// character; len(b) if there is none. Bit 7 of a byte of wide is set if what it passed is not ASCII alone.
func plainText(b []byte, i int) (end int, wide uint64) {
	for short := i + shortText; i+8 <= len(b); i += 8 {
		if i >= short {
			return longPlainText(b, i, wide)
		}
		w := binary.LittleEndian.Uint64(b[i:])
		if found := special(w); found != 0 {
			return i + bits.TrailingZeros64(found)/8, wide | w&(found-1)&^found&bit7
		}
		wide |= w & bit7
	}
	for i < len(b) && !specialByte(b[i]) {
		wide |= uint64(b[i] & 0x80)
		i++
	}
	return i, wide
}

// longPlainText is plainText for what is long already: looking for quotes and backslashes is then faster by itself.
func longPlainText(b []byte, i int, wide uint64) (int, uint64) {
	for i < len(b) {
		part := b[i:min(i+longText, len(b))]
		whole := len(part)
		if n := bytes.IndexByte(part, '"'); n >= 0 {
			part = part[:n]
		}
		if n := bytes.IndexByte(part, '\\'); n >= 0 {
			part = part[:n]
		}
		n := 0
		for ; n+32 <= len(part); n += 32 {
			p := (*[32]byte)(part[n:])
			w0, w1 := binary.LittleEndian.Uint64(p[:8]), binary.LittleEndian.Uint64(p[8:16])
			w2, w3 := binary.LittleEndian.Uint64(p[16:24]), binary.LittleEndian.Uint64(p[24:])
			if ((w0-spaces)&^w0|(w1-spaces)&^w1|(w2-spaces)&^w2|(w3-spaces)&^w3)&bit7 != 0 {
				break
			}
			wide |= (w0 | w1 | w2 | w3) & bit7
		}
		for n < len(part) && part[n] >= ' ' {
			wide |= uint64(part[n] & 0x80)
			n++
		}
		if i += n; n < whole {
			return i, wide
		}
	}
	return i, wide
}

// validText is utf8.Valid, at once for ASCII.
func validText(b []byte) bool {
	var wide uint64
	switch n := len(b); {
	case n >= 8:
		rest := b
		for ; len(rest) > 32; rest = rest[32:] {
			p := (*[32]byte)(rest)
			wide |= binary.LittleEndian.Uint64(p[:8]) | binary.LittleEndian.Uint64(p[8:16]) |
				binary.LittleEndian.Uint64(p[16:24]) | binary.LittleEndian.Uint64(p[24:])
		}
		for ; len(rest) > 8; rest = rest[8:] {
			wide |= binary.LittleEndian.Uint64(rest)
		}
		wide |= binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		wide = uint64(binary.LittleEndian.Uint32(b) | binary.LittleEndian.Uint32(b[n-4:]))
	default:
		for _, c := range b {
			wide |= uint64(c)
		}
	}
	return wide&bit7 == 0 || utf8.Valid(b)
}
