package wire

import (
	"reflect"
	"unicode/utf8"
)

// Codec reads and writes bodies of one Go type under one [Rule], and validates while it does so: without a tree, and for
// scalars and structs without reflection. It is the fast half of [Parse], the rule on the tree, and [Bind], or of
// [Marshal] and the rule on what was written: it says "done", with what those would have given, or "not sure", whatever
// the reason is. Then the caller does all of it from the start in the slow way, which also knows the words for faults.
//
// It is sure of values that are accepted and written in the usual way: fields known and not repeated, names without
// escapes, integers in digits. Types with methods of their own, time.Time, []byte, any and other parts that it does not read
// and write itself, go through a tree of that part alone; their methods may thus be called for a value that is refused for
// another part, and again by the slow way.
//
// A Codec does not change and is safe for concurrent use.
type Codec struct {
	root *node
	typ  reflect.Type // pointer to the type
}

// NewCodec makes the codec of t under a rule. It returns nil if a codec would be of no help, for example for an interface.
func NewCodec(t reflect.Type, r *Rule) *Codec {
	root := codecCompiler{}.node(t, r)
	if root.op == opTree {
		return nil
	}
	return &Codec{root: root, typ: reflect.PointerTo(t)}
}

// Decode reads body into dst, a pointer to a zero value of the codec's type, and reports whether it is sure that the body
// is accepted. If it is not, what dst points to may have been changed in part, and must be zeroed before it is used again;
// it is not sure of a dst of another type, or nil, and does not touch that.
//
// The value shares no memory with body.
func (c *Codec) Decode(f Format, body []byte, dst any) bool {
	at, ok := c.cell(dst)
	if !ok {
		return false
	}
	if f == Msgpack {
		r := msgBody{msgReader{data: body}}
		return r.read(c.root, at, MaxDepth) && r.pos == len(body)
	}
	var r jsonBody
	r.r.data = body
	return r.read(c.root, at, MaxDepth) && r.r.end() && (r.checked || r.r.wide == 0 || utf8.Valid(body))
}

// Append appends the value that v, a pointer to the codec's type, points to, and reports whether it is sure that the value
// is accepted. If it is not, dst is returned as it was.
func (c *Codec) Append(dst []byte, f Format, v any) ([]byte, bool) {
	at, ok := c.cell(v)
	if !ok {
		return dst, false
	}
	out, ok := c.root.write(dst, f, at, MaxDepth)
	if !ok {
		return dst, false
	}
	return out, true
}

func (c *Codec) cell(v any) (cell, bool) {
	if reflect.TypeOf(v) != c.typ {
		return cell{}, false
	}
	rv := reflect.ValueOf(v)
	if rv.IsNil() {
		return cell{}, false
	}
	return cellOf(rv), true
}

// op is what a node does.
type op uint8

const (
	opTree op = iota // goes through a tree: the plan and the rule of the node decide
	opBool
	opString
	opInt
	opUint
	opFloat32
	opFloat64
	opPointer
	opSlice
	opArray
	opStruct
)

// node is the part of a codec for one Go type under one rule. Nodes refer to each other as types do, in circles too.
type node struct {
	op   op
	size uint8 // bytes of an integer
	typ  reflect.Type
	plan *plan
	rule *Rule // never nil

	lo, hi int64   // of integers; both inside
	ints   []int64 // the only ones accepted; nil: all
	texts  []string
	// Of strings; negative: no bound.
	minLength, maxLength int
	bounded              bool // a float has bounds

	elem     *node // of pointers, slices and arrays
	elemSize uintptr
	count    int           // of arrays
	none     reflect.Value // an empty slice

	fields   []codecField
	required uint64 // one bit for each of fields
}

// codecField is a field of a struct.
type codecField struct {
	comma    string // ,"name":
	key      string // "name":
	msgKey   string
	name     string
	offset   uintptr
	node     *node
	pointer  bool
	nullable bool // a nil is null rather than absent
	null     bool // and null is accepted
	omit     omit
	field    *structField
}

// omit is when a field that is no nil pointer is left out.
type omit uint8

const (
	omitNever      omit = iota
	omitBits            // a scalar without a bit set
	omitNoText          // an empty string
	omitNoElements      // a slice of length 0
	omitNil             // a nil slice
	omitAsked           // as structField says
)

// leftOut reports whether the field at c is left out.
func (f *codecField) leftOut(c cell) bool {
	switch f.omit {
	case omitNever:
		return false
	case omitBits:
		return c.uint(uint8(f.field.typ.Size())) == 0
	case omitNoText:
		return c.string() == ""
	case omitNoElements:
		_, n := c.elements()
		return n == 0
	case omitNil:
		return c.isNil()
	}
	v := c.value(f.field.typ)
	return f.field.omitEmpty && isEmpty(v) || f.field.isZero != nil && f.field.isZero(v)
}

// acceptText reports whether the rule accepts a string.
func (n *node) acceptText(s string) bool {
	// A character is one to four bytes, so the number of bytes mostly says enough.
	if len(s)/utf8.UTFMax < n.minLength || n.maxLength >= 0 && len(s) > n.maxLength {
		chars := utf8.RuneCountInString(s)
		if chars < n.minLength || n.maxLength >= 0 && chars > n.maxLength {
			return false
		}
	}
	for _, check := range n.rule.Text {
		if !check(s) {
			return false
		}
	}
	return true
}

// acceptInt reports whether the rule accepts an integer and the type holds it.
func (n *node) acceptInt(v int64) bool {
	if v < n.lo || v > n.hi {
		return false
	}
	if n.ints == nil {
		return true
	}
	for _, e := range n.ints {
		if e == v {
			return true
		}
	}
	return false
}

// acceptFloat reports whether a number is within the bounds of the rule. exact is false if v could be rounded from another
// integer, which would only matter at a bound.
func (n *node) acceptFloat(v float64, exact bool) bool {
	if !n.bounded {
		return true
	}
	if b := n.rule.Min; b != nil && (v < b.Value || v == b.Value && (b.Open || !exact)) {
		return false
	}
	b := n.rule.Max
	return b == nil || v < b.Value || v == b.Value && !b.Open && exact
}

// acceptTree is the way of a part through a tree: what the rule saw is what is bound.
func (n *node) acceptTree(tree any, at cell) bool {
	return n.rule.Accept(tree) && n.plan.bindValue(tree, at.value(n.typ)) == nil
}

// grow makes room for more than count elements in a slice of that length.
func (n *node) grow(at cell, count int) (data cell, room int) {
	v := at.value(n.typ)
	more := count
	switch {
	case count > 0:
		v.SetLen(count)
	case n.elemSize <= 64:
		more = 4
	default:
		more = 1 // of large elements no more than are there, within a factor of two
	}
	v.Grow(more)
	return cell{v.UnsafePointer()}, v.Cap()
}

// end gives a slice its length.
func (n *node) end(at cell, count int) bool {
	v := at.value(n.typ)
	if count == 0 {
		v.Set(n.none)
	} else {
		v.SetLen(count)
	}
	return count >= n.rule.MinItems
}
