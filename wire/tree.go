package wire

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Parse reads one whole value into the neutral tree: nil, bool, [json.Number], string, []any, map[string]any. The same
// value gives the same tree in both formats. The tree does not alias data.
//
// Numbers come in one decimal form: an integer literal of up to 17 digits as it is, any other by way of float64, written
// the shortest way, without exponent if it is integral and below 1e21. So 1.0 is 1, 1e2 is 100, and -0 is 0. A number
// beyond float64, NaN, and the infinities are refused.
//
// From msgpack, bin is a string of padded base64, a timestamp an RFC 3339 string in UTC, and undefined is nothing: an
// absent key in a map, nil in an array and at the top. Repeated keys, half surrogate pairs and values nested deeper than
// [MaxDepth] are refused in both formats.
//
// The error is a [*ValueError]. Memory used is at most a fixed multiple of the input, whatever lengths it announces.
func Parse(f Format, data []byte) (any, error) {
	var v any
	var err *ValueError
	if f == Msgpack {
		r := msgReader{data: data}
		t, ok := r.next()
		if ok {
			v, err = parseMsgpack(&r, t, MaxDepth)
			ok = err != nil || r.end()
		}
		if !ok {
			err = failf("%s", r.reason())
		}
	} else {
		if !utf8.Valid(data) {
			return nil, failf("invalid JSON: not UTF-8")
		}
		p := jsonParser{r: jsonReader{data: data}}
		v, err = p.value(MaxDepth)
		if err == nil && !p.r.end() {
			err = p.syntax()
		}
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

var emptyArray any = []any{}

// absent marks, in a map that is being read, the keys whose value is undefined.
type absent struct{}

type jsonParser struct {
	r   jsonReader
	buf []byte // scratch for strings with escapes
}

func (p *jsonParser) syntax() *ValueError { return failf("%s", p.r.reason()) }

func (p *jsonParser) value(depth int) (any, *ValueError) {
	r := &p.r
	switch r.peek() {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		s, err := p.text()
		if err != nil {
			return nil, err
		}
		return s, nil
	case 't', 'f', 'n':
		from := r.pos
		if !r.skip(0) {
			return nil, p.syntax()
		}
		switch r.data[from] {
		case 't':
			return true, nil
		case 'f':
			return false, nil
		}
		return nil, nil
	}
	lit, ok := r.number()
	if !ok {
		return nil, p.syntax()
	}
	if len(lit) < 3 && isInteger(lit) {
		n, _ := strconv.Atoi(string(lit))
		return boxInt(int64(n)), nil
	}
	n, ok := canonical(lit)
	if !ok {
		return nil, errNumber(lit)
	}
	return n, nil
}

func errNumber(lit []byte) *ValueError {
	return failf("number %s is beyond the range of a float64", clip(lit))
}

// text passes a string and returns it.
func (p *jsonParser) text() (string, *ValueError) {
	raw, escaped, ok := p.r.str()
	if !ok {
		return "", p.syntax()
	}
	if escaped {
		if p.buf, ok = unescape(p.buf[:0], raw); !ok {
			return "", errSurrogate()
		}
		raw = p.buf
	}
	return string(raw), nil
}

func errSurrogate() *ValueError { return failf("string with half a surrogate pair") }

func errRepeated(key string) *ValueError {
	return failf("repeated key %s", strconv.Quote(clip(key)))
}

func (p *jsonParser) object(depth int) (any, *ValueError) {
	if depth == 0 {
		return nil, errDepth()
	}
	p.r.pos++
	m := map[string]any{}
	for n := 0; ; n++ {
		more, ok := p.r.next(n, '}')
		if !ok {
			return nil, p.syntax()
		}
		if !more {
			return m, nil
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if !p.r.colon() {
			return nil, p.syntax()
		}
		v, err := p.value(depth - 1)
		if err != nil {
			return nil, err.inField(key)
		}
		if m[key] = v; len(m) == n {
			return nil, errRepeated(key)
		}
	}
}

func (p *jsonParser) array(depth int) (any, *ValueError) {
	if depth == 0 {
		return nil, errDepth()
	}
	p.r.pos++
	var a []any
	for n := 0; ; n++ {
		more, ok := p.r.next(n, ']')
		if !ok {
			return nil, p.syntax()
		}
		if !more {
			break
		}
		v, err := p.value(depth - 1)
		if err != nil {
			return nil, err.inElem(n)
		}
		a = append(a, v)
	}
	if a == nil {
		return emptyArray, nil
	}
	return a, nil
}

func parseMsgpack(r *msgReader, t token, depth int) (any, *ValueError) {
	switch t.kind {
	case tokNil, tokUndefined:
		return nil, nil
	case tokBool:
		return t.bits == 1, nil
	case tokStr:
		return string(t.raw), nil
	case tokBin:
		return base64.StdEncoding.EncodeToString(t.raw), nil
	case tokTime:
		at, ok := t.timestamp()
		if !ok {
			return nil, errTimestamp()
		}
		return at.Format(time.RFC3339Nano), nil
	case tokArray, tokMap:
		if depth == 0 {
			return nil, errDepth()
		}
	default:
		n, ok := t.boxNumber()
		if !ok {
			return nil, errFinite()
		}
		return n, nil
	}
	if t.kind == tokArray {
		if t.n == 0 {
			return emptyArray, nil
		}
		a := make([]any, 0, r.makeRoom(t.n))
		for i := range t.n {
			v, _, err := parseElement(r, depth)
			if err != nil {
				return nil, err.inElem(i)
			}
			a = append(a, v)
		}
		return a, nil
	}
	m := make(map[string]any, r.makeRoom(t.n))
	dropped := false
	for range t.n {
		raw, ok := r.key()
		if !ok {
			return nil, failf("%s", r.reason())
		}
		key := string(raw)
		if _, ok := m[key]; ok {
			return nil, errRepeated(key)
		}
		v, undef, err := parseElement(r, depth)
		if err != nil {
			return nil, err.inField(key)
		}
		if undef {
			v, dropped = absent{}, true
		}
		m[key] = v
	}
	if dropped {
		maps.DeleteFunc(m, func(_ string, v any) bool { return v == absent{} })
	}
	return m, nil
}

func parseElement(r *msgReader, depth int) (v any, undef bool, err *ValueError) {
	t, ok := r.next()
	if !ok {
		return nil, false, failf("%s", r.reason())
	}
	v, err = parseMsgpack(r, t, depth-1)
	return v, t.kind == tokUndefined, err
}

func errTimestamp() *ValueError { return failf("timestamp outside the years 0 to 9999") }
func errFinite() *ValueError    { return failf("number that is not finite") }

// Append appends a neutral tree. Besides what [Parse] gives it takes Go's integers, float64 and float32. Keys are sorted.
// An integer of a Go type beyond ±2⁵³ is refused, as are a json.Number that is no number or beyond float64, a number that
// is not finite, a string that is not UTF-8, and a value of any other type. A json.Number goes to msgpack as the nearest
// float64 if it needs one, as JSON.parse would read it.
//
// The error is a [*ValueError]; dst is then returned as it was.
func Append(dst []byte, f Format, tree any) ([]byte, error) {
	out, err := appendTree(dst, f, tree, MaxDepth)
	if err != nil {
		return dst, err
	}
	return out, nil
}

func appendTree(dst []byte, f Format, tree any, depth int) ([]byte, *ValueError) {
	switch v := tree.(type) {
	case nil:
		return appendNull(dst, f), nil
	case bool:
		return appendBool(dst, f, v), nil
	case string:
		return appendText(dst, f, v)
	case json.Number:
		return appendLiteral(dst, f, string(v))
	case []any:
		if depth == 0 {
			return nil, errDepth()
		}
		dst = beginArray(dst, f, len(v))
		for i, e := range v {
			var err *ValueError
			if dst, err = appendTree(appendComma(dst, f, i), f, e, depth-1); err != nil {
				return nil, err.inElem(i)
			}
		}
		return endArray(dst, f), nil
	case map[string]any:
		if depth == 0 {
			return nil, errDepth()
		}
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		at := len(dst)
		dst = beginObject(dst, f)
		for n, k := range keys {
			if !utf8.ValidString(k) {
				return nil, errKeyText(k)
			}
			var err *ValueError
			if dst, err = appendTree(appendKey(dst, f, n, k), f, v[k], depth-1); err != nil {
				return nil, err.inField(k)
			}
		}
		return endObject(dst, f, at, len(keys)), nil
	case float64:
		return appendFinite(dst, f, v)
	case float32:
		return appendFloat32(dst, f, v)
	case int:
		return appendSafe(dst, f, int64(v))
	case int8:
		return appendSafe(dst, f, int64(v))
	case int16:
		return appendSafe(dst, f, int64(v))
	case int32:
		return appendSafe(dst, f, int64(v))
	case int64:
		return appendSafe(dst, f, v)
	case uint:
		return appendSafeUint(dst, f, uint64(v))
	case uint8:
		return appendSafe(dst, f, int64(v))
	case uint16:
		return appendSafe(dst, f, int64(v))
	case uint32:
		return appendSafe(dst, f, int64(v))
	case uint64:
		return appendSafeUint(dst, f, v)
	}
	return nil, failf("type %T is not part of a tree: use Marshal", tree)
}

// appendText writes a string that may not be UTF-8.
func appendText(dst []byte, f Format, s string) ([]byte, *ValueError) {
	if !utf8.ValidString(s) {
		return nil, failf("string is not UTF-8")
	}
	return appendString(dst, f, s), nil
}

func errKeyText(key string) *ValueError {
	return failf("key %s is not UTF-8", strconv.Quote(clip(key)))
}

// appendSafe writes an integer of a Go type.
func appendSafe(dst []byte, f Format, v int64) ([]byte, *ValueError) {
	if v > maxSafe || v < -maxSafe {
		return nil, errUnsafe(strconv.FormatInt(v, 10))
	}
	return appendInt(dst, f, v), nil
}

func appendSafeUint(dst []byte, f Format, v uint64) ([]byte, *ValueError) {
	if v > maxSafe {
		return nil, errUnsafe(strconv.FormatUint(v, 10))
	}
	return appendInt(dst, f, int64(v)), nil
}

func errUnsafe(lit string) *ValueError {
	return failf("integer %s is beyond ±2⁵³, which a JavaScript number cannot hold: tag the field `json:\",string\"` or use a string", clip(lit))
}

func appendFinite(dst []byte, f Format, v float64) ([]byte, *ValueError) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, errFinite()
	}
	return appendFloat(dst, f, v), nil
}

// appendFloat32 writes the shortest decimal that is v as a float32, in msgpack the float64 nearest to it: 0.1, not
// 0.10000000149011612.
func appendFloat32(dst []byte, f Format, v float32) ([]byte, *ValueError) {
	wide := float64(v)
	if math.IsNaN(wide) || math.IsInf(wide, 0) {
		return nil, errFinite()
	}
	if f == JSON {
		return appendFloatText(dst, wide, 32), nil
	}
	var buf [32]byte
	wide, _ = strconv.ParseFloat(string(appendFloatText(buf[:0], wide, 32)), 64)
	return appendFloat(dst, f, wide), nil
}

// appendLiteral writes a number that comes as text.
func appendLiteral(dst []byte, f Format, lit string) ([]byte, *ValueError) {
	if !validNumber(lit) {
		return nil, failf("%s is not a number", strconv.Quote(clip(lit)))
	}
	n, ok := canonical(lit)
	if !ok {
		return nil, errNumber([]byte(lit))
	}
	return appendNumber(dst, f, string(n)), nil
}
