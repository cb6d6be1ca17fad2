package wire

import (
	"encoding"
	"encoding/json"
	"reflect"
	"sync"
	"time"
)

// plan is how values of one Go type are written and bound. Plans are made once per type and never change.
type plan struct {
	typ reflect.Type
	// write appends a value. A nil pointer does not reach it except as an element.
	write func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError)
	// bind stores a tree; nil only if takesNull is true.
	bind func(tree any, v reflect.Value) *ValueError
	// want names the sort of value in error messages: "string", "number", and so on.
	want      string
	takesNull bool
	// plain is true if no method of the type has a say, so that the ",string" option may apply.
	plain bool
}

// place is where in a value the writer stands.
type place struct {
	format Format
	depth  int8 // objects and arrays that may still be opened
	hops   int8 // interfaces that may still be followed: bounds cycles that hold no object and no array
}

func top(f Format) place { return place{format: f, depth: MaxDepth, hops: MaxDepth + 8} }

// inside returns the place inside an object or array, or false at the depth limit.
func (at place) inside() (place, bool) {
	at.depth--
	return at, at.depth >= 0
}

func (p *plan) bindValue(tree any, v reflect.Value) *ValueError {
	if tree == nil && !p.takesNull {
		return errWant(p.want, nil)
	}
	return p.bind(tree, v)
}

var (
	plans   sync.Map // reflect.Type → *plan, finished ones only
	plansMu sync.Mutex
)

func planFor(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	plansMu.Lock()
	defer plansMu.Unlock()
	c := compiler{}
	p := c.plan(t)
	// Only now is every plan that another one refers to complete.
	for t, p := range c {
		plans.Store(t, p)
	}
	return p
}

// compiler holds the plans in the making, so that recursive types find themselves.
type compiler map[reflect.Type]*plan

func (c compiler) plan(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if p, ok := c[t]; ok {
		return p
	}
	p := &plan{typ: t}
	c[t] = p
	c.fill(p)
	return p
}

var (
	typeTime            = reflect.TypeFor[time.Time]()
	typeNumber          = reflect.TypeFor[json.Number]()
	typeRaw             = reflect.TypeFor[json.RawMessage]()
	typeJSONMarshaler   = reflect.TypeFor[json.Marshaler]()
	typeJSONUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	typeTextMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	typeTextUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// implements reports whether T or *T has the methods of an interface.
func implements(t, iface reflect.Type) bool {
	return t.Implements(iface) || reflect.PointerTo(t).Implements(iface)
}

func (c compiler) fill(p *plan) {
	t := p.typ
	switch t {
	case typeTime:
		p.write, p.bind, p.want = writeTime, bindTime, "string with an RFC 3339 time"
		return
	case typeNumber:
		p.write, p.bind, p.want, p.plain = writeNumber, bindNumber, "number", true
		return
	case typeRaw:
		p.write, p.bind, p.want, p.takesNull = writeRaw, bindRaw, "value", true
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		c.fillPointer(p)
		return
	case reflect.Interface:
		if t.NumMethod() == 0 {
			p.write, p.bind, p.want, p.takesNull = writeAny, bindAny, "value", true
		} else {
			p.refuse("is an interface with methods: only `any` can travel")
		}
		return
	}
	c.fillKind(p)
	methods := false
	switch {
	case implements(t, typeJSONMarshaler):
		p.write, methods = writeJSONMarshaler, true
	case implements(t, typeTextMarshaler):
		p.write, methods = writeTextMarshaler, true
	}
	switch {
	case implements(t, typeJSONUnmarshaler):
		p.bind, p.want, methods = bindJSONUnmarshaler, "value", true
	case implements(t, typeTextUnmarshaler):
		p.bind, p.want, methods = bindTextUnmarshaler, "string", true
	}
	p.plain = p.plain && !methods
}

func (c compiler) fillKind(p *plan) {
	t := p.typ
	p.plain = true
	switch t.Kind() {
	case reflect.Bool:
		p.write, p.bind, p.want = writeBool, bindBool, "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.write, p.bind, p.want = writeInt, bindInt, "integer"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.write, p.bind, p.want = writeUint, bindUint, "integer"
	case reflect.Float32:
		p.write, p.bind, p.want = writeFloat32, bindFloat, "number"
	case reflect.Float64:
		p.write, p.bind, p.want = writeFloat64, bindFloat, "number"
	case reflect.String:
		p.write, p.bind, p.want = writeString, bindString, "string"
	case reflect.Slice:
		if e := t.Elem(); e.Kind() == reflect.Uint8 && !implements(e, typeJSONMarshaler) && !implements(e, typeTextMarshaler) {
			p.write, p.bind, p.want = writeBytes, bindBytes, "string with base64"
			return
		}
		c.fillSlice(p)
	case reflect.Array:
		c.fillArray(p)
	case reflect.Map:
		c.fillMap(p)
	case reflect.Struct:
		c.fillStruct(p)
	default:
		p.refuse("cannot travel: use a type that JSON has a form for")
	}
}

// refuse makes the plan of a type without a form on the wire.
func (p *plan) refuse(why string) {
	reason := "type " + p.typ.String() + " " + why
	p.want = "value"
	p.write = func([]byte, reflect.Value, place) ([]byte, *ValueError) { return nil, failf("%s", reason) }
	p.bind = func(any, reflect.Value) *ValueError { return failf("%s", reason) }
}

// fillPointer makes the plan of a pointer: the plan of what it points to. Whether a nil is left out or is null is up to the
// field that holds it.
func (c compiler) fillPointer(p *plan) {
	for t, seen := p.typ, map[reflect.Type]bool{}; t.Kind() == reflect.Pointer; t = t.Elem() {
		if seen[t] {
			p.refuse("points to nothing but itself")
			return
		}
		seen[t] = true
	}
	elem := c.plan(p.typ.Elem())
	p.takesNull = true // that is for elem to say, which may be unfinished now
	p.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
		if v.IsNil() {
			return nil, failf("nil pointer: only a field can leave it out, or send null if tagged `socka:\"nullable\"`")
		}
		return elem.write(dst, v.Elem(), at)
	}
	p.bind = func(tree any, v reflect.Value) *ValueError {
		if tree == nil && !elem.takesNull {
			return errWant(elem.want, nil)
		}
		if v.IsNil() {
			v.Set(reflect.New(elem.typ))
		}
		return elem.bind(tree, v.Elem())
	}
}

func (c compiler) fillSlice(p *plan) {
	elem := c.plan(p.typ.Elem())
	p.want = "array"
	p.write = arrayWriter(elem)
	p.bind = func(tree any, v reflect.Value) *ValueError {
		a, ok := tree.([]any)
		if !ok {
			return errWant("array", tree)
		}
		s := reflect.MakeSlice(p.typ, len(a), len(a))
		if err := bindElems(elem, a, s); err != nil {
			return err
		}
		v.Set(s)
		return nil
	}
}

func (c compiler) fillArray(p *plan) {
	elem := c.plan(p.typ.Elem())
	p.want = "array"
	p.write = arrayWriter(elem)
	p.bind = func(tree any, v reflect.Value) *ValueError {
		a, ok := tree.([]any)
		switch {
		case !ok:
			return errWant("array", tree)
		case len(a) != v.Len():
			return failf("expected array of %d, received array of %d", v.Len(), len(a))
		}
		return bindElems(elem, a, v)
	}
}

func arrayWriter(elem *plan) func([]byte, reflect.Value, place) ([]byte, *ValueError) {
	return func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
		in, ok := at.inside()
		if !ok {
			return nil, errDepth()
		}
		n := v.Len()
		dst = beginArray(dst, at.format, n)
		for i := range n {
			var err *ValueError
			if dst, err = elem.write(appendComma(dst, at.format, i), v.Index(i), in); err != nil {
				return nil, err.inElem(i)
			}
		}
		return endArray(dst, at.format), nil
	}
}

func bindElems(elem *plan, a []any, v reflect.Value) *ValueError {
	for i, tree := range a {
		if err := elem.bindValue(tree, v.Index(i)); err != nil {
			return err.inElem(i)
		}
	}
	return nil
}
