package wire

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
)

// codecCompiler holds the nodes in the making, so that recursive types and rules find themselves.
type codecCompiler map[nodeKey]*node

type nodeKey struct {
	typ  reflect.Type
	rule *Rule
}

// node returns the node of t under a rule. While it is in the making nothing may depend on its op.
func (c codecCompiler) node(t reflect.Type, rule *Rule) *node {
	if rule == nil {
		rule = anyValue
	}
	k := nodeKey{t, rule}
	if n := c[k]; n != nil {
		return n
	}
	n := &node{typ: t, plan: planFor(t), rule: rule}
	c[k] = n
	if r := rule.unlessNull(); !r.Opaque && r.OrNull == nil && !ownForm(t) {
		c.fill(n, r)
	}
	return n
}

// unlessNull returns the rule for values that are not null.
func (r *Rule) unlessNull() *Rule {
	if !r.Opaque && r.OrNull != nil {
		return r.OrNull
	}
	return r
}

// ownForm reports whether the kind of a type does not say how it travels.
func ownForm(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		return false
	}
	for _, iface := range [...]reflect.Type{typeJSONMarshaler, typeJSONUnmarshaler, typeTextMarshaler, typeTextUnmarshaler} {
		if implements(t, iface) {
			return true
		}
	}
	return t == typeNumber
}

// fill makes a node that works by itself, if it can; r is not opaque.
func (c codecCompiler) fill(n *node, r *Rule) {
	t := n.typ
	k := t.Kind()
	if r.Enum != nil && k != reflect.String && (k < reflect.Int || k > reflect.Uintptr) && k != reflect.Pointer {
		return
	}
	switch {
	case k == reflect.Bool && r.takes(SortBoolean):
		n.op, n.rule = opBool, r
	case k == reflect.String && r.takes(SortString):
		n.op, n.rule = opString, r
		n.minLength, n.maxLength = r.MinLength, r.MaxLength
		if r.Enum != nil {
			n.texts = []string{}
		}
		for _, v := range r.Enum {
			if s, ok := v.(string); ok {
				n.texts = append(n.texts, s)
			}
		}
	case k >= reflect.Int && k <= reflect.Uintptr && r.takes(SortInteger|SortFraction):
		n.op, n.rule = opInt, r
		if k >= reflect.Uint {
			n.op = opUint
		}
		n.size = uint8(t.Size())
		n.fillRange(r)
	case (k == reflect.Float32 || k == reflect.Float64) && r.takes(SortFraction):
		n.op, n.rule = opFloat64, r
		if k == reflect.Float32 {
			n.op = opFloat32
		}
		n.bounded = r.Min != nil || r.Max != nil
	case k == reflect.Pointer:
		// A pointer to what takes null by itself is for the plan, as are pointers to pointers.
		if e := planFor(t.Elem()); !e.takesNull {
			n.op, n.elem = opPointer, c.node(t.Elem(), n.rule)
		}
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
	case (k == reflect.Slice || k == reflect.Array) && r.takes(SortArray):
		n.op, n.rule = opSlice, r
		if k == reflect.Array {
			n.op, n.count = opArray, t.Len()
		} else {
			n.none = reflect.MakeSlice(t, 0, 0)
		}
		n.elem, n.elemSize = c.node(t.Elem(), r.Items), t.Elem().Size()
	case k == reflect.Struct && r.takes(SortObject):
		c.fillStruct(n, r)
	}
}

// fillRange sets the bounds of an integer: those of its type, of exact numbers, and of the rule.
func (n *node) fillRange(r *Rule) {
	n.lo, n.hi = -maxSafe, maxSafe
	if bits := 8 * int(n.size); n.op == opUint {
		n.lo = 0
		if bits < 53 {
			n.hi = 1<<bits - 1
		}
	} else if bits < 53 {
		n.lo, n.hi = -1<<(bits-1), 1<<(bits-1)-1
	}
	if b := r.Min; b != nil {
		v := math.Ceil(b.Value)
		lo := int64(min(max(v, -2*maxSafe), 2*maxSafe))
		if v == b.Value && b.Open {
			lo++
		}
		n.lo = max(n.lo, lo)
	}
	if b := r.Max; b != nil {
		v := math.Floor(b.Value)
		hi := int64(min(max(v, -2*maxSafe), 2*maxSafe))
		if v == b.Value && b.Open {
			hi--
		}
		n.hi = min(n.hi, hi)
	}
	if r.Enum != nil {
		n.ints = []int64{}
	}
	for _, v := range r.Enum {
		if lit, ok := v.(json.Number); ok {
			if i, err := strconv.ParseInt(string(lit), 10, 64); err == nil {
				n.ints = append(n.ints, i)
			}
		}
	}
}

// maxCodecFields is how many fields of a struct a node keeps track of.
const maxCodecFields = 64

func (c codecCompiler) fillStruct(n *node, r *Rule) {
	fields := structFields(n.typ)
	if len(fields) > maxCodecFields {
		return
	}
	bits := map[string]uint64{}
	made := make([]codecField, len(fields))
	for i := range fields {
		f := &fields[i]
		offset, ok := offsetOf(n.typ, f.index)
		if !ok || f.wrong != "" {
			return
		}
		made[i] = codecField{
			key: string(f.jsonKey), comma: "," + string(f.jsonKey), msgKey: string(f.msgKey), name: f.name, offset: offset,
			pointer: f.pointer, nullable: f.nullable, omit: f.omitRule(), field: f,
		}
		bits[f.name] = 1 << i
	}
	for _, name := range r.Required {
		if bits[name] == 0 {
			return // the type cannot have it
		}
		n.required |= bits[name]
	}
	n.op, n.rule, n.fields = opStruct, r, made
	for i := range made {
		f := &made[i]
		rule, ok := r.Properties[f.name]
		if !ok {
			rule = r.Additional
		}
		if rule == nil {
			rule = anyValue
		}
		f.null = f.nullable && !rule.Opaque && (rule.OrNull != nil || rule.Enum == nil && rule.takes(SortNull))
		if f.field.asString {
			// Not shared: the option belongs to the field.
			f.node = &node{typ: f.field.typ, plan: compiler{}.asString(planFor(f.field.typ)), rule: rule}
		} else {
			f.node = c.node(f.field.typ, rule)
		}
	}
}

// offsetOf returns where in a struct a field is, unless it is behind an embedded pointer.
func offsetOf(t reflect.Type, index []int) (offset uintptr, ok bool) {
	for _, i := range index {
		if t.Kind() != reflect.Struct {
			return 0, false
		}
		sf := t.Field(i)
		offset += sf.Offset
		t = sf.Type
	}
	return offset, true
}

// omitRule puts the tags of a field into the terms of the codec.
func (f *structField) omitRule() omit {
	k := f.typ.Kind()
	switch {
	case !f.omitEmpty && f.isZero == nil:
		return omitNever
	case f.isZero != nil && implements(f.typ, typeZeroer):
		return omitAsked
	case k == reflect.Pointer:
		return omitNever // nil does not come here
	case k >= reflect.Bool && k <= reflect.Float64:
		return omitBits
	case k == reflect.String:
		return omitNoText
	case k == reflect.Slice && f.omitEmpty:
		return omitNoElements
	case k == reflect.Slice:
		return omitNil
	}
	return omitAsked
}
