package wire

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// jsonBody reads JSON by the nodes of a codec. Its methods return false when they are not sure.
type jsonBody struct {
	jsonParser
	checked bool // that the text is UTF-8; else that is to be done at the end
}

// read stores the next value at a zero place. At most depth objects and arrays may stand inside each other in it.
func (b *jsonBody) read(n *node, at cell, depth int) bool {
	switch n.op {
	case opString:
		s, ok := b.string(n)
		if ok {
			at.setString(s)
		}
		return ok
	case opInt, opUint:
		v, ok := b.r.integer()
		if !ok || !n.acceptInt(v) {
			return false
		}
		at.setInt(n.size, v)
		return true
	case opBool:
		switch b.r.peek() {
		case 't':
			at.setBool(true)
			return b.r.literal("true")
		case 'f':
			return b.r.literal("false")
		}
		return false
	case opFloat32, opFloat64:
		return b.float(n, at)
	case opStruct:
		return b.object(n, at, depth)
	case opSlice:
		return b.slice(n, at, depth)
	case opArray:
		return b.array(n, at, depth)
	case opPointer:
		if b.r.peek() == 'n' {
			return false
		}
		to := cellOf(reflect.New(n.elem.typ))
		at.setPointer(to)
		return b.read(n.elem, to, depth)
	}
	return b.tree(n, at, depth)
}

// tree reads a value by the plan of its type.
func (b *jsonBody) tree(n *node, at cell, depth int) bool {
	if !b.checked && !utf8.Valid(b.r.data) {
		return false
	}
	b.checked = true
	tree, err := b.value(depth)
	return err == nil && n.acceptTree(tree, at)
}

func (b *jsonBody) string(n *node) (string, bool) {
	raw, escaped, ok := b.r.str()
	if ok && escaped {
		b.buf, ok = unescape(b.buf[:0], raw)
		raw = b.buf
	}
	if !ok {
		return "", false
	}
	if n.texts == nil {
		s := string(raw)
		return s, n.acceptText(s)
	}
	i := slices.Index(n.texts, textOf(raw))
	if i < 0 {
		return "", false
	}
	return n.texts[i], n.acceptText(n.texts[i])
}

// integer passes the digits of an integer. What comes after them is for the caller: a point or an exponent is not what
// follows a value.
func (r *jsonReader) integer() (int64, bool) {
	minus := r.peek() == '-'
	d, i := r.data, r.pos
	if minus {
		i++
	}
	from := i
	var v int64
	for i < len(d) && d[i]-'0' <= 9 {
		v = v*10 + int64(d[i]-'0')
		i++
	}
	r.pos = i
	const most = 16 // digits of 2⁵³
	if n := i - from; n == 0 || n > most || n > 1 && d[from] == '0' {
		return 0, false
	}
	if minus {
		v = -v
	}
	return v, true
}

func (b *jsonBody) float(n *node, at cell) bool {
	b.r.peek()
	raw, ok := b.r.number()
	if !ok {
		return false
	}
	lit := textOf(raw)
	v, err := strconv.ParseFloat(lit, 64)
	if err != nil || n.bounded && !n.acceptFloat(v, len(lit) <= exactBound || !isInteger(lit)) {
		return false
	}
	v += 0 // -0 is 0
	if n.op == opFloat64 {
		at.setFloat64(v)
		return true
	}
	// With so few digits the way by float64 changes nothing.
	if len(lit) > exactBound || strings.ContainsAny(lit, "eE") {
		return false
	}
	v, err = strconv.ParseFloat(lit, 32)
	if err != nil {
		return false
	}
	at.setFloat32(float32(v) + 0)
	return true
}

// exactBound is how many characters a number may have for float64 to keep it apart from all others that are as short.
const exactBound = 15

func (b *jsonBody) object(n *node, at cell, depth int) bool {
	r := &b.r
	if depth == 0 || r.peek() != '{' {
		return false
	}
	r.pos++
	if r.peek() == '}' {
		r.pos++
		return n.required == 0
	}
	var seen uint64
	for next := 0; ; {
		r.peek()
		i := n.fieldAt(r.data[r.pos:], next)
		if i < 0 || seen>>uint(i)&1 != 0 {
			return false
		}
		seen |= 1 << i
		next = i + 1
		f := &n.fields[i]
		r.pos += len(f.key)
		if f.null && r.peek() == 'n' {
			if !r.literal("null") {
				return false
			}
		} else if !b.read(f.node, at.at(f.offset), depth-1) {
			return false
		}
		switch r.peek() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return seen&n.required == n.required
		default:
			return false
		}
	}
}

// fieldAt returns the index of the field whose key, as this package writes it, begins data; -1 if there is none. Mostly it
// is the next one.
func (n *node) fieldAt(data []byte, next int) int {
	for i := next; i < len(n.fields); i++ {
		if key := n.fields[i].key; len(data) >= len(key) && string(data[:len(key)]) == key {
			return i
		}
	}
	for i := range n.fields[:min(next, len(n.fields))] {
		if key := n.fields[i].key; len(data) >= len(key) && string(data[:len(key)]) == key {
			return i
		}
	}
	return -1
}

func (b *jsonBody) slice(n *node, at cell, depth int) bool {
	if depth == 0 || b.r.peek() != '[' {
		return false
	}
	b.r.pos++
	var data cell
	room := 0
	for count := 0; ; count++ {
		more, ok := b.r.next(count, ']')
		if !more {
			return ok && n.end(at, count)
		}
		if count == n.rule.MaxItems {
			return false
		}
		if count == room {
			data, room = n.grow(at, count)
		}
		if !b.read(n.elem, data.at(uintptr(count)*n.elemSize), depth-1) {
			return false
		}
	}
}

func (b *jsonBody) array(n *node, at cell, depth int) bool {
	if depth == 0 || b.r.peek() != '[' || n.count < n.rule.MinItems || n.rule.MaxItems >= 0 && n.count > n.rule.MaxItems {
		return false
	}
	b.r.pos++
	for count := 0; ; count++ {
		more, ok := b.r.next(count, ']')
		if !more {
			return ok && count == n.count
		}
		if count == n.count || !b.read(n.elem, at.at(uintptr(count)*n.elemSize), depth-1) {
			return false
		}
	}
}
