package wire

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// write appends the value at a place, or returns false if it is not sure that the value is accepted. At most depth objects
// and arrays may stand inside each other in it.
func (n *node) write(dst []byte, f Format, at cell, depth int) ([]byte, bool) {
	switch n.op {
	case opString:
		return n.writeString(dst, f, at.string())
	case opInt:
		v := at.int(n.size)
		return appendInt(dst, f, v), n.acceptInt(v)
	case opUint:
		v := at.uint(n.size)
		return appendInt(dst, f, int64(v)), v <= maxSafe && n.acceptInt(int64(v))
	case opBool:
		return appendBool(dst, f, at.bool()), true
	case opFloat64:
		v := at.float64()
		if math.IsNaN(v) || math.IsInf(v, 0) || !n.acceptFloat(v, true) {
			return dst, false
		}
		return appendFloat(dst, f, v), true
	case opFloat32:
		return n.writeFloat32(dst, f, float64(at.float32()))
	case opStruct:
		return n.writeStruct(dst, f, at, depth)
	case opSlice:
		data, count := at.elements()
		return n.writeElements(dst, f, data, count, depth)
	case opArray:
		return n.writeElements(dst, f, at, n.count, depth)
	case opPointer:
		if at.isNil() {
			return dst, false
		}
		return n.elem.write(dst, f, at.pointer(), depth)
	}
	return n.writeTree(dst, f, at, depth)
}

// writeTree writes a value by the plan of its type, and gives what was written to the rule.
func (n *node) writeTree(dst []byte, f Format, at cell, depth int) ([]byte, bool) {
	p := top(f)
	p.depth = int8(depth)
	start := len(dst)
	dst, err := n.plan.write(dst, at.value(n.typ), p)
	if err != nil {
		return dst, false
	}
	var tree any
	if f == JSON {
		if !utf8.Valid(dst[start:]) {
			return dst, false
		}
		r := jsonParser{r: jsonReader{data: dst[start:]}}
		if tree, err = r.value(depth); err != nil || !r.r.end() {
			return dst, false
		}
	} else {
		r := msgReader{data: dst[start:]}
		t, ok := r.next()
		if !ok {
			return dst, false
		}
		if tree, err = parseMsgpack(&r, t, depth); err != nil || !r.end() {
			return dst, false
		}
	}
	return dst, n.rule.Accept(tree)
}

func (n *node) writeString(dst []byte, f Format, s string) ([]byte, bool) {
	if !n.acceptText(s) || n.texts != nil && !slices.Contains(n.texts, s) {
		return dst, false
	}
	if f == JSON {
		dst, wide := appendQuotedText(dst, bytesOf(s))
		return dst, wide == 0 || utf8.ValidString(s)
	}
	return appendString(dst, f, s), validText(bytesOf(s))
}

// writeFloat32 writes as appendFloat32 does, and has the number that the text means within the bounds.
func (n *node) writeFloat32(dst []byte, f Format, v float64) ([]byte, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, false
	}
	var buf [64]byte
	text := appendFloatText(buf[:0], v, 32)
	wide, err := strconv.ParseFloat(textOf(text), 64)
	if err != nil || !n.acceptFloat(wide, true) {
		return dst, false
	}
	if f == JSON {
		return append(dst, text...), true
	}
	return appendFloat(dst, f, wide), true
}

func (n *node) writeStruct(dst []byte, f Format, at cell, depth int) ([]byte, bool) {
	if depth == 0 {
		return dst, false
	}
	start, count := len(dst), 0
	dst = beginObject(dst, f)
	var written uint64
	for i := range n.fields {
		field := &n.fields[i]
		here := at.at(field.offset)
		null := false
		if field.pointer && here.isNil() {
			if !field.nullable {
				continue
			}
			null = true
		} else if field.omit != omitNever && field.leftOut(here) {
			continue
		}
		written |= 1 << i
		switch {
		case f == Msgpack:
			dst = append(dst, field.msgKey...)
		case count > 0:
			dst = append(dst, field.comma...)
		default:
			dst = append(dst, field.key...)
		}
		count++
		if null {
			if !field.null {
				return dst, false
			}
			dst = appendNull(dst, f)
			continue
		}
		var ok bool
		if dst, ok = field.node.write(dst, f, here, depth-1); !ok {
			return dst, false
		}
	}
	if f == JSON {
		dst = append(dst, '}')
	} else {
		binary.BigEndian.PutUint16(dst[start+1:], uint16(count))
	}
	return dst, written&n.required == n.required
}

func (n *node) writeElements(dst []byte, f Format, data cell, count, depth int) ([]byte, bool) {
	if depth == 0 || count < n.rule.MinItems || n.rule.MaxItems >= 0 && count > n.rule.MaxItems {
		return dst, false
	}
	dst = beginArray(dst, f, count)
	for i := range count {
		var ok bool
		if dst, ok = n.elem.write(appendComma(dst, f, i), f, data.at(uintptr(i)*n.elemSize), depth-1); !ok {
			return dst, false
		}
	}
	return endArray(dst, f), true
}
