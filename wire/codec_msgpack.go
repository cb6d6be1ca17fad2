package wire

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strconv"
)

// msgBody reads msgpack by the nodes of a codec. Its methods return false when they are not sure.
type msgBody struct{ msgReader }

// read stores the next value at a zero place. At most depth maps and arrays may stand inside each other in it.
func (b *msgBody) read(n *node, at cell, depth int) bool {
	switch n.op {
	case opString:
		raw, ok := b.str()
		if !ok {
			return false
		}
		if n.texts == nil {
			s := string(raw)
			at.setString(s)
			return n.acceptText(s)
		}
		i := slices.Index(n.texts, textOf(raw))
		if i < 0 {
			return false
		}
		at.setString(n.texts[i])
		return n.acceptText(n.texts[i])
	case opInt, opUint:
		v, ok := b.integer()
		if !ok || !n.acceptInt(v) {
			return false
		}
		at.setInt(n.size, v)
		return true
	case opBool:
		if b.pos >= len(b.data) || b.data[b.pos]&^1 != 0xc2 {
			return false
		}
		at.setBool(b.data[b.pos] == 0xc3)
		b.pos++
		return true
	case opFloat32, opFloat64:
		return b.float(n, at)
	case opStruct:
		return b.object(n, at, depth)
	case opSlice:
		return b.slice(n, at, depth)
	case opArray:
		t, ok := b.opened(tokArray, depth)
		if !ok || t.n != n.count || n.count < n.rule.MinItems || n.rule.MaxItems >= 0 && n.count > n.rule.MaxItems {
			return false
		}
		for i := range t.n {
			if !b.read(n.elem, at.at(uintptr(i)*n.elemSize), depth-1) {
				return false
			}
		}
		return true
	case opPointer:
		to := cellOf(reflect.New(n.elem.typ))
		at.setPointer(to)
		return b.read(n.elem, to, depth)
	}
	return b.tree(n, at, depth)
}

// tree reads a value by the plan of its type.
func (b *msgBody) tree(n *node, at cell, depth int) bool {
	t, ok := b.next()
	if !ok || t.kind == tokUndefined {
		return false
	}
	tree, err := parseMsgpack(&b.msgReader, t, depth)
	return err == nil && n.acceptTree(tree, at)
}

// number is next, faster for a float64.
func (b *msgBody) number() (token, bool) {
	if len(b.data)-b.pos > 8 && b.data[b.pos] == 0xcb {
		b.pos += 9
		return token{kind: tokFloat, bits: binary.BigEndian.Uint64(b.data[b.pos-8:])}, true
	}
	return b.next()
}

// opened passes the head of an array or a map.
func (b *msgBody) opened(kind tokenKind, depth int) (token, bool) {
	t, ok := b.next()
	return t, ok && t.kind == kind && depth > 0
}

// integer passes an integral number within ±2⁵³.
func (b *msgBody) integer() (int64, bool) {
	if b.pos < len(b.data) && b.data[b.pos] <= 0x7f {
		b.pos++
		return int64(b.data[b.pos-1]), true
	}
	t, ok := b.number()
	switch {
	case !ok:
		return 0, false
	case t.kind == tokFloat:
		v := math.Float64frombits(t.bits)
		if !(v >= -maxSafe && v <= maxSafe) {
			return 0, false
		}
		i := int64(v)
		return i, float64(i) == v
	case t.kind == tokInt, t.kind == tokUint && t.bits <= maxSafe:
		return int64(t.bits), true
	}
	return 0, false
}

func (b *msgBody) float(n *node, at cell) bool {
	t, ok := b.number()
	if !ok {
		return false
	}
	var v float64
	exact := true
	switch t.kind {
	case tokFloat:
		v = math.Float64frombits(t.bits)
	case tokInt:
		v = float64(int64(t.bits))
		exact = math.Abs(v) < 1e15
	case tokUint:
		v = float64(t.bits)
		exact = v < 1e15
	default:
		return false
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || !n.acceptFloat(v, exact) {
		return false
	}
	v += 0 // -0 is 0
	if n.op == opFloat64 {
		at.setFloat64(v)
		return true
	}
	// By way of the decimal, as for any other format: that may round in another direction.
	var buf [32]byte
	v, err := strconv.ParseFloat(textOf(appendFloatText(buf[:0], v, 64)), 32)
	if err != nil || !exact {
		return false
	}
	at.setFloat32(float32(v))
	return true
}

func (b *msgBody) object(n *node, at cell, depth int) bool {
	t, ok := b.opened(tokMap, depth)
	if !ok {
		return false
	}
	var seen uint64
	next := 0
	for range t.n {
		i := b.field(n, next)
		if i < 0 || seen>>uint(i)&1 != 0 {
			return false
		}
		seen |= 1 << i
		next = i + 1
		f := &n.fields[i]
		if f.null && b.pos < len(b.data) && b.data[b.pos] == 0xc0 {
			b.pos++
		} else if !b.read(f.node, at.at(f.offset), depth-1) {
			return false
		}
	}
	return seen&n.required == n.required
}

// field passes a key and returns the index of its field; -1 if there is none. Mostly it is the next one.
func (b *msgBody) field(n *node, next int) int {
	if next < len(n.fields) && follows(b.data, &b.pos, n.fields[next].msgKey) {
		return next
	}
	key, ok := b.key()
	if !ok {
		return -1
	}
	for i := next + 1; i < len(n.fields); i++ {
		if n.fields[i].name == string(key) {
			return i
		}
	}
	return slices.IndexFunc(n.fields[:min(next+1, len(n.fields))], func(f codecField) bool { return f.name == string(key) })
}

func (b *msgBody) slice(n *node, at cell, depth int) bool {
	t, ok := b.opened(tokArray, depth)
	if !ok || n.rule.MaxItems >= 0 && t.n > n.rule.MaxItems {
		return false
	}
	var data cell
	room := 0
	for i := range t.n {
		if i == room {
			data, room = n.grow(at, i)
		}
		if !b.read(n.elem, data.at(uintptr(i)*n.elemSize), depth-1) {
			return false
		}
	}
	return n.end(at, t.n)
}
