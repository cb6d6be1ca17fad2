package wire

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonReader walks over JSON text that is known to be valid UTF-8. It accepts what JSON.parse accepts. A method that
// returns false has set why.
type jsonReader struct {
	data []byte
	pos  int
	why  string
	deep bool   // why is the depth limit
	wide uint64 // bit 7 of a byte is set if a string passed was not ASCII alone
}

func (r *jsonReader) fail(why string) bool {
	r.why = why
	return false
}

func (r *jsonReader) tooDeep() bool {
	r.deep = true
	return r.fail("nested too deeply")
}

// reason describes the failure and its place.
func (r *jsonReader) reason() string {
	if r.deep {
		return errDepth().Reason
	}
	return fmt.Sprintf("invalid JSON: %s at byte %d", r.why, r.pos)
}

// peek returns the next byte that is not white space, without passing it; 0 at the end.
func (r *jsonReader) peek() byte {
	if r.pos < len(r.data) {
		if c := r.data[r.pos]; c > ' ' {
			return c
		}
	}
	return r.space()
}

// space passes white space and returns the byte after it.
func (r *jsonReader) space() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// end passes trailing white space and reports whether nothing follows.
func (r *jsonReader) end() bool {
	r.peek()
	if r.pos < len(r.data) {
		return r.fail("trailing data")
	}
	return true
}

// literal passes one of true, false and null.
func (r *jsonReader) literal(word string) bool {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(word)) {
		return r.unexpected()
	}
	r.pos += len(word)
	return true
}

func (r *jsonReader) unexpected() bool {
	if r.pos >= len(r.data) {
		return r.fail("unexpected end")
	}
	return r.fail("unexpected character")
}

// str passes a string and returns what stands between its quotes.
func (r *jsonReader) str() (raw []byte, escaped, ok bool) {
	if r.peek() != '"' {
		return nil, false, r.unexpected()
	}
	start := r.pos + 1
	i, wide := plainText(r.data, start)
	r.wide |= wide
	if i < len(r.data) && r.data[i] == '"' {
		r.pos = i + 1
		return r.data[start:i], false, true
	}
	return r.escapedStr(start, i)
}

// escapedStr is str of a string with something special at i, or without an end.
func (r *jsonReader) escapedStr(start, i int) (raw []byte, escaped, ok bool) {
	for i < len(r.data) {
		switch r.data[i] {
		case '"':
			r.pos = i + 1
			return r.data[start:i], true, true
		case '\\':
			i++
			if i >= len(r.data) {
				break
			}
			switch r.data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i++
			case 'u':
				if _, ok := hex4(r.data[i+1:]); !ok {
					r.pos = i
					return nil, false, r.fail("invalid escape")
				}
				i += 5
			default:
				r.pos = i
				return nil, false, r.fail("invalid escape")
			}
		default:
			r.pos = i
			return nil, false, r.fail("control character in a string")
		}
		var wide uint64
		i, wide = plainText(r.data, i)
		r.wide |= wide
	}
	r.pos = len(r.data)
	return nil, false, r.unexpected()
}

// number passes a number and returns its literal.
func (r *jsonReader) number() ([]byte, bool) {
	d, start := r.data, r.pos
	i := start
	if i < len(d) && d[i] == '-' {
		i++
	}
	from := i
	if i < len(d) && d[i] == '0' {
		i++
	} else {
		i = passDigits(d, i)
	}
	ok := i > from
	if ok && i < len(d) && d[i] == '.' {
		from = i + 1
		i = passDigits(d, from)
		ok = i > from
	}
	if ok && i < len(d) && d[i]|0x20 == 'e' {
		i++
		if i < len(d) && (d[i] == '+' || d[i] == '-') {
			i++
		}
		from = i
		i = passDigits(d, from)
		ok = i > from
	}
	r.pos = i
	if !ok {
		return nil, r.unexpected()
	}
	return d[start:i], true
}

// passDigits returns the index of the first byte from d[i] on that is no digit.
func passDigits(d []byte, i int) int {
	for i < len(d) && d[i]-'0' <= 9 {
		i++
	}
	return i
}

// next reports whether another element follows in the object or array that ends with closer, and passes the comma or
// the closer. n is the number of elements read so far.
func (r *jsonReader) next(n int, closer byte) (more, ok bool) {
	c := r.peek()
	switch {
	case c == closer:
		r.pos++
		return false, true
	case n == 0:
		return true, true
	case c == ',':
		r.pos++
		return true, true
	}
	return false, r.unexpected()
}

// colon passes the colon after a key.
func (r *jsonReader) colon() bool {
	if r.peek() != ':' {
		return r.unexpected()
	}
	r.pos++
	return true
}

// skip passes one value in which at most depth objects and arrays stand inside each other.
func (r *jsonReader) skip(depth int) bool {
	switch r.peek() {
	case '"':
		_, _, ok := r.str()
		return ok
	case '{':
		if depth == 0 {
			return r.tooDeep()
		}
		r.pos++
		for n := 0; ; n++ {
			if more, ok := r.next(n, '}'); !more {
				return ok
			}
			if _, _, ok := r.str(); !ok || !r.colon() || !r.skip(depth-1) {
				return false
			}
		}
	case '[':
		if depth == 0 {
			return r.tooDeep()
		}
		r.pos++
		for n := 0; ; n++ {
			if more, ok := r.next(n, ']'); !more {
				return ok
			}
			if !r.skip(depth - 1) {
				return false
			}
		}
	case 't':
		return r.literal("true")
	case 'f':
		return r.literal("false")
	case 'n':
		return r.literal("null")
	}
	_, ok := r.number()
	return ok
}

// unescape appends the text of a raw string that str passed. It fails on half a surrogate pair, which no UTF-8 text has.
func unescape(dst, raw []byte) ([]byte, bool) {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...), true
		}
		dst = append(dst, raw[:i]...)
		c := raw[i+1]
		raw = raw[i+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			u, _ := hex4(raw)
			raw = raw[4:]
			if utf16.IsSurrogate(u) {
				if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
					return dst, false
				}
				low, _ := hex4(raw[2:])
				if u = utf16.DecodeRune(u, low); u == utf8.RuneError {
					return dst, false
				}
				raw = raw[6:]
			}
			dst = utf8.AppendRune(dst, u)
		default:
			dst = append(dst, c)
		}
	}
	return dst, true
}

// hex4 reads the four digits of a \u escape.
func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var u rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		u = u<<4 | rune(c)
	}
	return u, true
}
