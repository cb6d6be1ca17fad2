package wire

import (
	"math"
	"unicode/utf8"
)

// Transcode appends the value in data, which is in format from, in format to. Keys keep their order, numbers are written
// in the canonical form of [Parse], and what Parse refuses is refused. A number that msgpack needs a float64 for becomes the
// nearest one, as JSON.parse would read it. Undefined keys of msgpack are left out; bin and timestamps stay what they are
// if both formats are msgpack.
//
// The error is a [*ValueError]; dst is then returned as it was.
func Transcode(dst []byte, to, from Format, data []byte) ([]byte, error) {
	out, err := transcode(dst, to, from, data, MaxDepth, false)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// transcode is Transcode at a place where depth levels are left. If exact is true, integers beyond ±2⁵³ are refused.
func transcode(dst []byte, to, from Format, data []byte, depth int, exact bool) ([]byte, *ValueError) {
	t := transcoder{dst: dst, to: to, exact: exact}
	if from == Msgpack {
		t.msg.data = data
		tok, ok := t.msg.next()
		if !ok {
			return nil, t.msgSyntax()
		}
		if err := t.fromMsgpack(tok, depth); err != nil {
			return nil, err
		}
		if !t.msg.end() {
			return nil, t.msgSyntax()
		}
		return t.dst, nil
	}
	if !utf8.Valid(data) {
		return nil, failf("invalid JSON: not UTF-8")
	}
	t.json.data = data
	if err := t.fromJSON(depth); err != nil {
		return nil, err
	}
	if !t.json.end() {
		return nil, t.jsonSyntax()
	}
	return t.dst, nil
}

type transcoder struct {
	dst   []byte
	to    Format
	exact bool
	json  jsonReader
	msg   msgReader
	buf   []byte // scratch for strings with escapes
}

func (t *transcoder) jsonSyntax() *ValueError { return failf("%s", t.json.reason()) }
func (t *transcoder) msgSyntax() *ValueError  { return failf("%s", t.msg.reason()) }

func (t *transcoder) fromJSON(depth int) *ValueError {
	r := &t.json
	switch c := r.peek(); c {
	case '{':
		if depth == 0 {
			return errDepth()
		}
		return t.jsonObject(depth)
	case '[':
		if depth == 0 {
			return errDepth()
		}
		return t.jsonArray(depth)
	case '"':
		raw, escaped, ok := r.str()
		if !ok {
			return t.jsonSyntax()
		}
		if escaped {
			if t.buf, ok = unescape(t.buf[:0], raw); !ok {
				return errSurrogate()
			}
			raw = t.buf
		}
		t.dst = appendString(t.dst, t.to, textOf(raw))
		return nil
	case 't', 'f', 'n':
		if !r.skip(0) {
			return t.jsonSyntax()
		}
		if c == 'n' {
			t.dst = appendNull(t.dst, t.to)
		} else {
			t.dst = appendBool(t.dst, t.to, c == 't')
		}
		return nil
	}
	lit, ok := r.number()
	if !ok {
		return t.jsonSyntax()
	}
	n, ok := canonical(lit)
	if !ok {
		return errNumber(lit)
	}
	if t.exact && isInteger(lit) && !safeLiteral(lit) {
		return errUnsafe(string(lit))
	}
	t.dst = appendNumber(t.dst, t.to, string(n))
	return nil
}

func (t *transcoder) jsonObject(depth int) *ValueError {
	r := &t.json
	r.pos++
	at := len(t.dst)
	t.dst = beginObject(t.dst, t.to)
	var keys keySet
	for n := 0; ; n++ {
		more, ok := r.next(n, '}')
		if !ok {
			return t.jsonSyntax()
		}
		if !more {
			t.dst = endObject(t.dst, t.to, at, n)
			return nil
		}
		key, escaped, ok := r.str()
		if !ok {
			return t.jsonSyntax()
		}
		if escaped {
			if key, ok = unescape(nil, key); !ok {
				return errSurrogate()
			}
		}
		if !keys.add(key) {
			return errRepeated(string(key))
		}
		if !r.colon() {
			return t.jsonSyntax()
		}
		t.dst = appendKey(t.dst, t.to, n, textOf(key))
		if err := t.fromJSON(depth - 1); err != nil {
			return err.inField(string(key))
		}
	}
}

func (t *transcoder) jsonArray(depth int) *ValueError {
	r := &t.json
	r.pos++
	at := len(t.dst)
	t.dst = beginArray(t.dst, t.to, 0)
	for n := 0; ; n++ {
		more, ok := r.next(n, ']')
		if !ok {
			return t.jsonSyntax()
		}
		if !more {
			t.dst = endArray(resizeArray(t.dst, t.to, at, n), t.to)
			return nil
		}
		t.dst = appendComma(t.dst, t.to, n)
		if err := t.fromJSON(depth - 1); err != nil {
			return err.inElem(n)
		}
	}
}

func (t *transcoder) fromMsgpack(tok token, depth int) *ValueError {
	switch tok.kind {
	case tokNil, tokUndefined:
		t.dst = appendNull(t.dst, t.to)
	case tokBool:
		t.dst = appendBool(t.dst, t.to, tok.bits == 1)
	case tokStr:
		t.dst = appendString(t.dst, t.to, textOf(tok.raw))
	case tokBin:
		t.dst = appendBytes(t.dst, t.to, tok.raw)
	case tokTime:
		at, ok := tok.timestamp()
		if !ok {
			return errTimestamp()
		}
		t.dst = appendTime(t.dst, t.to, at)
	case tokArray, tokMap:
		if depth == 0 {
			return errDepth()
		}
		if tok.kind == tokMap {
			return t.msgMap(tok.n, depth)
		}
		return t.msgArray(tok.n, depth)
	case tokInt:
		return t.integer(int64(tok.bits))
	case tokUint:
		if tok.bits <= math.MaxInt64 {
			return t.integer(int64(tok.bits))
		}
		t.dst = appendFloat(t.dst, t.to, float64(tok.bits))
	case tokFloat:
		v := math.Float64frombits(tok.bits)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errFinite()
		}
		t.dst = appendFloat(t.dst, t.to, v)
	}
	return nil
}

func (t *transcoder) integer(v int64) *ValueError {
	t.dst = appendNumber(t.dst, t.to, string(intNumber(v)))
	return nil
}

func (t *transcoder) msgArray(n, depth int) *ValueError {
	t.dst = beginArray(t.dst, t.to, n)
	for i := range n {
		tok, ok := t.msg.next()
		if !ok {
			return t.msgSyntax().inElem(i)
		}
		t.dst = appendComma(t.dst, t.to, i)
		if err := t.fromMsgpack(tok, depth-1); err != nil {
			return err.inElem(i)
		}
	}
	t.dst = endArray(t.dst, t.to)
	return nil
}

func (t *transcoder) msgMap(n, depth int) *ValueError {
	at := len(t.dst)
	t.dst = beginObject(t.dst, t.to)
	var keys keySet
	written := 0
	for range n {
		key, ok := t.msg.key()
		if !ok {
			return t.msgSyntax()
		}
		if !keys.add(key) {
			return errRepeated(string(key))
		}
		tok, ok := t.msg.next()
		if !ok {
			return t.msgSyntax().inField(string(key))
		}
		if tok.kind == tokUndefined {
			continue
		}
		t.dst = appendKey(t.dst, t.to, written, textOf(key))
		written++
		if err := t.fromMsgpack(tok, depth-1); err != nil {
			return err.inField(string(key))
		}
	}
	t.dst = endObject(t.dst, t.to, at, written)
	return nil
}

// keySet finds repeated keys. It keeps the slices that it is given.
type keySet struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

// add reports whether the key is new.
func (s *keySet) add(key []byte) bool {
	if s.many == nil {
		for _, k := range s.few[:s.n] {
			if string(k) == string(key) {
				return false
			}
		}
		if s.n < len(s.few) {
			s.few[s.n] = key
			s.n++
			return true
		}
		s.many = make(map[string]struct{}, 4*len(s.few))
		for _, k := range s.few {
			s.many[string(k)] = struct{}{}
		}
	}
	before := len(s.many)
	s.many[string(key)] = struct{}{}
	return len(s.many) > before
}
