package wire

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

func appendNull(dst []byte, f Format) []byte {
	if f == Msgpack {
		return append(dst, 0xc0)
	}
	return append(dst, "null"...)
}

func appendBool(dst []byte, f Format, v bool) []byte {
	switch {
	case f == Msgpack && v:
		return append(dst, 0xc3)
	case f == Msgpack:
		return append(dst, 0xc2)
	}
	return strconv.AppendBool(dst, v)
}

// appendInt writes an integer. In msgpack one outside [−2³¹, 2³²−1] becomes a float64: the peer reads 64-bit integers as
// BigInt, which no number schema takes.
func appendInt(dst []byte, f Format, v int64) []byte {
	if f == JSON {
		return strconv.AppendInt(dst, v, 10)
	}
	switch {
	case v >= 0 && v <= 0x7f, v < 0 && v >= -32:
		return append(dst, byte(v))
	case v >= 0 && v <= math.MaxUint8:
		return append(dst, 0xcc, byte(v))
	case v >= 0 && v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(v))
	case v >= 0 && v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(v))
	case v < 0 && v >= math.MinInt8:
		return append(dst, 0xd0, byte(v))
	case v < 0 && v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(v))
	case v < 0 && v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(float64(v)))
}

// appendFloat writes a finite number; an integral one in the form of an integer, as the peer does.
func appendFloat(dst []byte, f Format, v float64) []byte {
	if f == JSON {
		return appendFloatText(dst, v, 64)
	}
	if v >= math.MinInt32 && v <= math.MaxUint32 && v == math.Trunc(v) {
		return appendInt(dst, f, int64(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(v))
}

// appendNumber writes a canonical number literal.
func appendNumber(dst []byte, f Format, lit string) []byte {
	if f == JSON {
		return append(dst, lit...)
	}
	if isInteger(lit) && digits(lit) <= exactDigits {
		v, _ := strconv.ParseInt(lit, 10, 64)
		return appendInt(dst, f, v)
	}
	v, _ := strconv.ParseFloat(lit, 64)
	return appendFloat(dst, f, v)
}

// appendString writes valid UTF-8.
func appendString(dst []byte, f Format, s string) []byte {
	if f == JSON {
		return appendQuoted(dst, s)
	}
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

// appendQuoted escapes what JSON.stringify escapes, and no more.
func appendQuoted(dst []byte, s string) []byte {
	dst, _ = appendQuotedText(dst, bytesOf(s))
	return dst
}

// appendQuotedText is appendQuoted; bit 7 of a byte of wide is set if the text is not ASCII alone.
func appendQuotedText(dst, s []byte) (out []byte, wide uint64) {
	dst = append(dst, '"')
	for {
		i, more := plainText(s, 0)
		wide |= more
		dst = append(dst, s[:i]...)
		if i == len(s) {
			return append(dst, '"'), wide
		}
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		s = s[i+1:]
	}
}

// appendBytes writes bin, in JSON a string of padded base64.
func appendBytes(dst []byte, f Format, b []byte) []byte {
	if f == JSON {
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, b)
		return append(dst, '"')
	}
	switch n := len(b); {
	case n <= math.MaxUint8:
		dst = append(dst, 0xc4, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
	}
	return append(dst, b...)
}

// appendTime writes an instant of the years 0 to 9999: the timestamp extension in its shortest form, in JSON an RFC 3339
// string in UTC.
func appendTime(dst []byte, f Format, t time.Time) []byte {
	if f == JSON {
		dst = append(dst, '"')
		dst = t.UTC().AppendFormat(dst, time.RFC3339Nano)
		return append(dst, '"')
	}
	sec, nsec := t.Unix(), uint64(t.Nanosecond())
	switch {
	case nsec == 0 && sec >= 0 && sec <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, 0xff), uint32(sec))
	case sec >= 0 && sec < 1<<34:
		return binary.BigEndian.AppendUint64(append(dst, 0xd7, 0xff), nsec<<34|uint64(sec))
	}
	dst = binary.BigEndian.AppendUint32(append(dst, 0xc7, 12, 0xff), uint32(nsec))
	return binary.BigEndian.AppendUint64(dst, uint64(sec))
}

// beginObject opens an object whose number of fields is not known yet: map16, as the peer writes every object.
func beginObject(dst []byte, f Format) []byte {
	if f == Msgpack {
		return append(dst, 0xde, 0, 0)
	}
	return append(dst, '{')
}

// appendKey writes the key of the n-th field.
func appendKey(dst []byte, f Format, n int, key string) []byte {
	if f == Msgpack {
		return appendString(dst, f, key)
	}
	if n > 0 {
		dst = append(dst, ',')
	}
	dst = appendQuoted(dst, key)
	return append(dst, ':')
}

// endObject closes the object that began at dst[at:] and has n fields.
func endObject(dst []byte, f Format, at, n int) []byte {
	if f == JSON {
		return append(dst, '}')
	}
	if n <= math.MaxUint16 {
		binary.BigEndian.PutUint16(dst[at+1:], uint16(n))
		return dst
	}
	dst = shift(dst, at+3, 2)
	dst[at] = 0xdf
	binary.BigEndian.PutUint32(dst[at+1:], uint32(n))
	return dst
}

// beginArray opens an array of n elements.
func beginArray(dst []byte, f Format, n int) []byte {
	switch {
	case f == JSON:
		return append(dst, '[')
	case n < 16:
		return append(dst, 0x90|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xdc), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(n))
}

// appendComma stands before the i-th element of an array.
func appendComma(dst []byte, f Format, i int) []byte {
	if f == JSON && i > 0 {
		return append(dst, ',')
	}
	return dst
}

func endArray(dst []byte, f Format) []byte {
	if f == JSON {
		return append(dst, ']')
	}
	return dst
}

// resizeArray corrects the head of an array that was begun at dst[at:] with 0 elements and got n.
func resizeArray(dst []byte, f Format, at, n int) []byte {
	switch {
	case f == JSON:
	case n < 16:
		dst[at] = 0x90 | byte(n)
	case n <= math.MaxUint16:
		dst = shift(dst, at+1, 2)
		dst[at] = 0xdc
		binary.BigEndian.PutUint16(dst[at+1:], uint16(n))
	default:
		dst = shift(dst, at+1, 4)
		dst[at] = 0xdd
		binary.BigEndian.PutUint32(dst[at+1:], uint32(n))
	}
	return dst
}

// shift makes room for n bytes at dst[at:].
func shift(dst []byte, at, n int) []byte {
	old := len(dst)
	for range n {
		dst = append(dst, 0)
	}
	copy(dst[at+n:], dst[at:old])
	return dst
}

// toValid replaces what is not UTF-8.
func toValid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
