package snapshot

import (
	"encoding/binary"
	"math"
	"time"
)

const codeNil = 0xc0

// forms are the codes of values that have a length.
type forms struct {
	fix, fixMax, code8, code16, code32 byte // a code of 0 is none
}

var (
	stringForms = forms{0xa0, 31, 0xd9, 0xda, 0xdb}
	binForms    = forms{0, 0, 0xc4, 0xc5, 0xc6}
	arrayForms  = forms{0x90, 15, 0, 0xdc, 0xdd}
	mapForms    = forms{0x80, 15, 0, 0xde, 0xdf}
)

// appendLength appends the beginning of a value of n bytes or elements, in the shortest form.
func appendLength(dst []byte, f forms, n int) []byte {
	switch {
	case f.fix != 0 && n <= int(f.fixMax):
		return append(dst, f.fix|byte(n))
	case f.code8 != 0 && n <= math.MaxUint8:
		return append(dst, f.code8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, f.code16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, f.code32), uint32(n))
}

// setLength sets the length of a map that begins at at, and that was longer before.
func setLength(at []byte, n int) {
	switch at[0] {
	case mapForms.code16:
		binary.BigEndian.PutUint16(at[1:], uint16(n))
	case mapForms.code32:
		binary.BigEndian.PutUint32(at[1:], uint32(n))
	default:
		at[0] = mapForms.fix | byte(n)
	}
}

func appendString(dst []byte, s string) []byte {
	return append(appendLength(dst, stringForms, len(s)), s...)
}

func appendInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

func appendUint(dst []byte, n uint64) []byte {
	switch {
	case n <= math.MaxInt8:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

// extTime is the type of the extension that is a timestamp.
const extTime = 0xff

// appendTime appends a timestamp in the shortest of its three forms.
func appendTime(dst []byte, t time.Time) []byte {
	sec, nsec := t.Unix(), uint64(t.Nanosecond())
	switch {
	case uint64(sec)>>34 != 0:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc7, 12, extTime), uint32(nsec))
		return binary.BigEndian.AppendUint64(dst, uint64(sec))
	case nsec == 0 && sec <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, extTime), uint32(sec))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd7, extTime), nsec<<34|uint64(sec))
}

// timeOf reads the bytes of a timestamp.
func timeOf(data []byte) (_ time.Time, ok bool) {
	switch len(data) {
	case 4:
		return time.Unix(int64(binary.BigEndian.Uint32(data)), 0).UTC(), true
	case 8:
		n := binary.BigEndian.Uint64(data)
		if n>>34 < 1e9 {
			return time.Unix(int64(n&(1<<34-1)), int64(n>>34)).UTC(), true
		}
	case 12:
		if nsec := binary.BigEndian.Uint32(data); nsec < 1e9 {
			return time.Unix(int64(binary.BigEndian.Uint64(data[4:])), int64(nsec)).UTC(), true
		}
	}
	return time.Time{}, false
}
