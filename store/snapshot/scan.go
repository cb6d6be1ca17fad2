package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// token is one value of msgpack, or the beginning of one that has others in it.
type token struct {
	kind tokenKind
	ext  byte   // the type of an extension
	bits uint64 // of a bool, int, uint or float; how many elements an array, and how many entries a map has
	data []byte // of a string, bin or extension
}

type tokenKind uint8

const (
	tokenNil tokenKind = iota
	tokenBool
	tokenInt  // negative
	tokenUint // what is not negative, in whichever form
	tokenFloat32
	tokenFloat64
	tokenString
	tokenBin
	tokenExt
	tokenArray
	tokenMap
)

var tokenNames = [...]string{"nil", "a bool", "an integer", "an integer", "a float", "a float", "a string", "bytes", "an extension", "an array", "a map"}

func (k tokenKind) String() string { return tokenNames[k] }

var errShort = errors.New("the msgpack is cut off")

// next reads the token at the beginning of data, which is size bytes long.
func next(data []byte) (t token, size int, err error) {
	if len(data) == 0 {
		return t, 0, errShort
	}
	switch c := data[0]; {
	case c <= 0x7f:
		return token{kind: tokenUint, bits: uint64(c)}, 1, nil
	case c >= 0xe0:
		return token{kind: tokenInt, bits: uint64(int64(int8(c)))}, 1, nil
	case c <= 0x8f:
		return begin(tokenMap, data, 1, uint64(c&0x0f))
	case c <= 0x9f:
		return begin(tokenArray, data, 1, uint64(c&0x0f))
	case c <= 0xbf:
		return take(tokenString, 0, data, 1, uint64(c&0x1f))
	case c == codeNil:
		return t, 1, nil
	case c == 0xc1:
		return t, 0, errors.New("the msgpack has the code c1, which does not exist")
	case c <= 0xc3:
		return token{kind: tokenBool, bits: uint64(c & 1)}, 1, nil
	case c >= 0xd4 && c <= 0xd8:
		return extension(data, 1, 1<<(c-0xd4))
	default:
		return long(data, c)
	}
}

// long reads a token whose code, from c4 to df, is followed by a number: its value or its length.
func long(data []byte, c byte) (t token, size int, err error) {
	width := int(widths[c-0xc4])
	size = 1 + width
	if len(data) < size {
		return t, 0, errShort
	}
	n := bigEndian(data[1:size])
	switch {
	case c <= 0xc6:
		return take(tokenBin, 0, data, size, n)
	case c <= 0xc9:
		return extension(data, size, n)
	case c == 0xca:
		return token{kind: tokenFloat32, bits: n}, size, nil
	case c == 0xcb:
		return token{kind: tokenFloat64, bits: n}, size, nil
	case c <= 0xcf:
		return token{kind: tokenUint, bits: n}, size, nil
	case c <= 0xd3:
		shift := 64 - 8*width
		if i := int64(n<<shift) >> shift; i < 0 {
			return token{kind: tokenInt, bits: uint64(i)}, size, nil
		}
		return token{kind: tokenUint, bits: n}, size, nil
	case c <= 0xdb:
		return take(tokenString, 0, data, size, n)
	case c <= 0xdd:
		return begin(tokenArray, data, size, n)
	}
	return begin(tokenMap, data, size, n)
}

// widths are the bytes of the number behind the codes from c4: bin and ext, float, uint, int, fixext (none), str, array, map.
var widths = [28]uint8{1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4}

func bigEndian(data []byte) uint64 {
	switch len(data) {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(data))
	case 4:
		return uint64(binary.BigEndian.Uint32(data))
	}
	return binary.BigEndian.Uint64(data)
}

// begin is an array or map of n entries, every one of which has a byte at least, and two in a map.
func begin(kind tokenKind, data []byte, size int, n uint64) (token, int, error) {
	t := token{kind: kind, bits: n}
	if t.inside() > uint64(len(data)-size) {
		return t, 0, fmt.Errorf("%w: %d values should follow, and %d bytes do", errShort, t.inside(), len(data)-size)
	}
	return t, size, nil
}

func extension(data []byte, size int, n uint64) (token, int, error) {
	if len(data) == size {
		return token{}, 0, errShort
	}
	return take(tokenExt, data[size], data, size+1, n)
}

// take is a token with n bytes, behind the first size.
func take(kind tokenKind, ext byte, data []byte, size int, n uint64) (token, int, error) {
	if n > uint64(len(data)-size) {
		return token{}, 0, fmt.Errorf("%w: %d bytes should follow, and %d do", errShort, n, len(data)-size)
	}
	end := size + int(n)
	return token{kind: kind, ext: ext, data: data[size:end:end]}, end, nil
}

// inside is how many values follow that belong to the token.
func (t token) inside() uint64 {
	switch t.kind {
	case tokenArray:
		return t.bits
	case tokenMap:
		return 2 * t.bits
	}
	return 0
}

// checkMsgpack says what keeps data from being exactly one value, not too deep. What reads data that it has passed meets no
// error of next.
func checkMsgpack(data []byte) error {
	var open []uint64 // values that are still to come in each array or map around
	at := 0
	for todo := uint64(1); ; {
		for todo == 0 {
			if len(open) == 0 {
				if at < len(data) {
					return fmt.Errorf("%d bytes of msgpack follow the value", len(data)-at)
				}
				return nil
			}
			todo, open = open[len(open)-1], open[:len(open)-1]
		}
		todo--
		t, size, err := next(data[at:])
		if err != nil {
			return fmt.Errorf("at byte %d, %w", at, err)
		}
		if inside := t.inside(); inside > 0 {
			if len(open) == maxDepth {
				return errDepth
			}
			open, todo = append(open, todo), inside
		}
		at += size
	}
}

// integer returns the value of an integer, or of a float that is one.
func (t token) integer() (abs uint64, negative, ok bool) {
	switch t.kind {
	case tokenUint:
		return t.bits, false, true
	case tokenInt:
		return -t.bits, true, true
	case tokenFloat32, tokenFloat64:
		f := t.float()
		if f != math.Trunc(f) || math.Abs(f) >= 1<<64 {
			return 0, false, false
		}
		return uint64(math.Abs(f)), f < 0, true
	}
	return 0, false, false
}

// float returns the value of a number.
func (t token) float() float64 {
	switch t.kind {
	case tokenUint:
		return float64(t.bits)
	case tokenInt:
		return float64(int64(t.bits))
	case tokenFloat32:
		return float64(math.Float32frombits(uint32(t.bits)))
	}
	return math.Float64frombits(t.bits)
}
