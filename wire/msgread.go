package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// tokenKind is what a msgpack head announces.
type tokenKind uint8

const (
	tokNil tokenKind = iota
	tokBool
	tokInt
	tokUint
	tokFloat
	tokStr
	tokBin
	tokTime
	tokUndefined
	tokArray
	tokMap
)

// token is one msgpack head with the bytes that belong to it. The elements of arrays and maps follow as tokens of their own.
type token struct {
	kind tokenKind
	n    int    // elements of an array, pairs of a map
	bits uint64 // value of bool, int, uint; the bits of a float64
	raw  []byte // payload of str, bin, time
}

// msgReader walks over msgpack. A method that returns false has set why.
type msgReader struct {
	data []byte
	pos  int
	why  string
	deep bool
	room int // elements for which room was made before they were read
}

func (r *msgReader) fail(why string) bool {
	r.why = why
	return false
}

func (r *msgReader) tooDeep() bool {
	r.deep = true
	return r.fail("nested too deeply")
}

func (r *msgReader) reason() string {
	if r.deep {
		return errDepth().Reason
	}
	return fmt.Sprintf("invalid msgpack: %s at byte %d", r.why, r.pos)
}

func (r *msgReader) end() bool {
	if r.pos < len(r.data) {
		return r.fail("trailing data")
	}
	return true
}

// take passes n bytes. n is checked against what is left before anything is done with it.
func (r *msgReader) take(n uint64) ([]byte, bool) {
	if n > uint64(len(r.data)-r.pos) {
		return nil, r.fail("unexpected end")
	}
	b := r.data[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b, true
}

// uint passes a big-endian number of size bytes.
func (r *msgReader) uint(size uint64) (uint64, bool) {
	b, ok := r.take(size)
	if !ok {
		return 0, false
	}
	switch size {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	}
	return binary.BigEndian.Uint64(b), true
}

// next passes one head and its payload.
func (r *msgReader) next() (token, bool) {
	if r.pos >= len(r.data) {
		return token{}, r.fail("unexpected end")
	}
	c := r.data[r.pos]
	r.pos++
	switch {
	case c <= 0x7f:
		return token{kind: tokUint, bits: uint64(c)}, true
	case c <= 0x8f:
		return r.counted(tokMap, uint64(c&0x0f))
	case c <= 0x9f:
		return r.counted(tokArray, uint64(c&0x0f))
	case c <= 0xbf:
		return r.payload(tokStr, uint64(c&0x1f))
	case c >= 0xe0:
		return token{kind: tokInt, bits: uint64(int64(int8(c)))}, true
	}
	switch c {
	case 0xc0:
		return token{kind: tokNil}, true
	case 0xc2, 0xc3:
		return token{kind: tokBool, bits: uint64(c & 1)}, true
	case 0xc4, 0xc5, 0xc6:
		return r.sized(tokBin, 1<<(c-0xc4))
	case 0xd9, 0xda, 0xdb:
		return r.sized(tokStr, 1<<(c-0xd9))
	case 0xdc, 0xdd:
		n, ok := r.uint(2 << (c - 0xdc))
		if !ok {
			return token{}, false
		}
		return r.counted(tokArray, n)
	case 0xde, 0xdf:
		n, ok := r.uint(2 << (c - 0xde))
		if !ok {
			return token{}, false
		}
		return r.counted(tokMap, n)
	case 0xca:
		u, ok := r.uint(4)
		return token{kind: tokFloat, bits: math.Float64bits(float64(math.Float32frombits(uint32(u))))}, ok
	case 0xcb:
		u, ok := r.uint(8)
		return token{kind: tokFloat, bits: u}, ok
	case 0xcc, 0xcd, 0xce, 0xcf:
		u, ok := r.uint(1 << (c - 0xcc))
		return token{kind: tokUint, bits: u}, ok
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := uint64(1) << (c - 0xd0)
		u, ok := r.uint(size)
		shift := 64 - 8*size
		return token{kind: tokInt, bits: uint64(int64(u<<shift) >> shift)}, ok
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return r.ext(1 << (c - 0xd4))
	case 0xc7, 0xc8, 0xc9:
		n, ok := r.uint(1 << (c - 0xc7))
		if !ok {
			return token{}, false
		}
		return r.ext(n)
	}
	r.pos--
	return token{}, r.fail("unused format byte 0xc1")
}

// counted makes the token of an array or a map after checking that its elements can be there at all.
func (r *msgReader) counted(kind tokenKind, n uint64) (token, bool) {
	least := n
	if kind == tokMap {
		least = 2 * n
	}
	if least > uint64(len(r.data)-r.pos) {
		return token{}, r.fail("more elements announced than bytes left")
	}
	return token{kind: kind, n: int(n)}, true
}

// makeRoom returns the number of elements, n at most, to make room for before reading them. All of a well-formed message's
// elements together are at most its bytes; what announces more gets nothing.
func (r *msgReader) makeRoom(n int) int {
	n = min(n, len(r.data)-r.room)
	r.room += n
	return n
}

func (r *msgReader) sized(kind tokenKind, size uint64) (token, bool) {
	n, ok := r.uint(size)
	if !ok {
		return token{}, false
	}
	return r.payload(kind, n)
}

func (r *msgReader) payload(kind tokenKind, n uint64) (token, bool) {
	b, ok := r.take(n)
	if !ok {
		return token{}, false
	}
	if kind == tokStr && !validText(b) {
		return token{}, r.fail("invalid UTF-8")
	}
	return token{kind: kind, raw: b}, true
}

// ext passes an extension: timestamp (−1) or undefined (0). Any other is refused, as the peer does.
func (r *msgReader) ext(n uint64) (token, bool) {
	typ, ok := r.take(1)
	if !ok {
		return token{}, false
	}
	b, ok := r.take(n)
	if !ok {
		return token{}, false
	}
	switch int8(typ[0]) {
	case 0:
		return token{kind: tokUndefined}, true
	case -1:
		if n != 4 && n != 8 && n != 12 {
			return token{}, r.fail("timestamp of a wrong length")
		}
		return token{kind: tokTime, raw: b}, true
	}
	return token{}, r.fail("unknown extension")
}

// key passes the key of a map.
func (r *msgReader) key() ([]byte, bool) {
	t, ok := r.next()
	if !ok {
		return nil, false
	}
	if t.kind != tokStr {
		return nil, r.fail("map key that is not a string")
	}
	return t.raw, true
}

// str passes a string that is there in one of its usual forms. If it is not, nothing is passed and why is not set.
func (r *msgReader) str() ([]byte, bool) {
	d, i := r.data, r.pos
	n := 0
	switch {
	case i < len(d) && d[i]&0xe0 == 0xa0:
		n = int(d[i] & 0x1f)
		i++
	case i+1 < len(d) && d[i] == 0xd9:
		n = int(d[i+1])
		i += 2
	case i+2 < len(d) && d[i] == 0xda:
		n = int(binary.BigEndian.Uint16(d[i+1:]))
		i += 3
	default:
		return nil, false
	}
	if n > len(d)-i || !validText(d[i:i+n]) {
		return nil, false
	}
	r.pos = i + n
	return d[i : i+n : i+n], true
}

// skip passes one value in which at most depth maps and arrays stand inside each other.
func (r *msgReader) skip(depth int) bool {
	if r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3:
			r.pos++
			return true
		case c == 0xcb && len(r.data)-r.pos > 8:
			r.pos += 9
			return true
		}
	}
	if _, ok := r.str(); ok {
		return true
	}
	t, ok := r.next()
	return ok && r.skipRest(t, depth)
}

func (r *msgReader) skipRest(t token, depth int) bool {
	if t.kind < tokArray {
		return true
	}
	if depth == 0 {
		return r.tooDeep()
	}
	for range t.n {
		if t.kind == tokMap {
			if _, ok := r.str(); !ok {
				if _, ok := r.key(); !ok {
					return false
				}
			}
		}
		if !r.skip(depth - 1) {
			return false
		}
	}
	return true
}

// timestamp returns the instant of a tokTime, UTC. It is false if that is no instant that RFC 3339 can write.
func (t token) timestamp() (time.Time, bool) {
	var sec int64
	var nsec uint64
	switch b := t.raw; len(b) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(b))
	case 8:
		u := binary.BigEndian.Uint64(b)
		sec, nsec = int64(u&(1<<34-1)), u>>34
	case 12:
		nsec, sec = uint64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint64(b[4:]))
	}
	if nsec > 999_999_999 || sec < minSecond || sec > maxSecond {
		return time.Time{}, false
	}
	return time.Unix(sec, int64(nsec)).UTC(), true
}

// The years 0 to 9999, which RFC 3339 can write, in seconds of Unix time.
const (
	minSecond = -62167219200
	maxSecond = 253402300799
)
