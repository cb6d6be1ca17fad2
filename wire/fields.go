package wire

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// structField is one field of a struct on the wire.
type structField struct {
	name      string
	jsonKey   []byte // "name":
	msgKey    []byte
	index     []int // path from the struct, through embedded ones
	plan      *plan
	pointer   bool
	nullable  bool
	omitEmpty bool
	isZero    func(reflect.Value) bool // of omitzero, else nil

	typ      reflect.Type
	tagged   bool
	asString bool
	wrong    string // why the field's tags cannot be
}

// structFields lists the fields of a struct in the order, and by the rules, of encoding/json: an embedded struct without a
// name lends its fields; of several fields with one name the least deeply embedded wins, then the one named by a tag; if
// that leaves more than one, none.
func structFields(t reflect.Type) []structField {
	type embedded struct {
		typ   reflect.Type
		index []int
		twice bool // embedded more than once at its level: each of its fields is in conflict with itself
	}
	var found []structField
	visited := map[reflect.Type]bool{}
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var next []embedded
		for _, e := range level {
			if visited[e.typ] {
				continue
			}
			visited[e.typ] = true
			for i := range e.typ.NumField() {
				sf := e.typ.Field(i)
				inner := sf.Type
				if inner.Name() == "" && inner.Kind() == reflect.Pointer {
					inner = inner.Elem()
				}
				if !sf.IsExported() && !(sf.Anonymous && inner.Kind() == reflect.Struct) {
					continue
				}
				tag := sf.Tag.Get("json")
				if tag == "-" {
					continue
				}
				index := append(slices.Clone(e.index), i)
				f := newField(sf, tag, index)
				if !sf.Anonymous || f.tagged || inner.Kind() != reflect.Struct {
					found = append(found, f)
					if e.twice {
						found = append(found, f)
					}
					continue
				}
				if k := slices.IndexFunc(next, func(n embedded) bool { return n.typ == inner }); k >= 0 {
					next[k].twice = true
				} else {
					next = append(next, embedded{typ: inner, index: index})
				}
			}
		}
		level = next
	}

	byName := map[string][]structField{}
	for _, f := range found {
		byName[f.name] = append(byName[f.name], f)
	}
	var fields []structField
	for _, fs := range byName {
		rank := func(a, b structField) int {
			if c := cmp.Compare(len(a.index), len(b.index)); c != 0 || a.tagged == b.tagged {
				return c
			}
			if a.tagged {
				return -1
			}
			return 1
		}
		slices.SortStableFunc(fs, rank)
		if len(fs) == 1 || rank(fs[0], fs[1]) != 0 {
			fields = append(fields, fs[0])
		}
	}
	slices.SortFunc(fields, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	return fields
}

func newField(sf reflect.StructField, tag string, index []int) structField {
	f := structField{name: sf.Name, typ: sf.Type, index: index, pointer: sf.Type.Kind() == reflect.Pointer}
	name, options, _ := strings.Cut(tag, ",")
	if validName(name) {
		f.name, f.tagged = name, true
	}
	for o := range strings.SplitSeq(options, ",") {
		switch o {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.isZero = zeroFunc(sf.Type)
		case "string":
			f.asString = true
		}
	}
	for o := range strings.SplitSeq(sf.Tag.Get("socka"), ",") {
		if o == "nullable" {
			f.nullable = true
		}
	}
	if f.nullable && !f.pointer {
		f.wrong = "tag `socka:\"nullable\"` needs a pointer, not a " + sf.Type.String()
	}
	if sf.Anonymous && !sf.IsExported() && f.tagged {
		f.wrong = "embedded type " + sf.Type.String() + " has a name of its own but is not exported"
	}
	f.jsonKey = append(appendQuoted(nil, f.name), ':')
	f.msgKey = appendString(nil, Msgpack, f.name)
	return f
}

// validName reports whether encoding/json takes the name of a tag.
func validName(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return true
}

type zeroer interface{ IsZero() bool }

var typeZeroer = reflect.TypeFor[zeroer]()

func zeroFunc(t reflect.Type) func(reflect.Value) bool {
	switch {
	case t.Kind() == reflect.Interface || !implements(t, typeZeroer):
		return reflect.Value.IsZero
	case t.Implements(typeZeroer):
		return func(v reflect.Value) bool {
			if v.Kind() == reflect.Pointer && v.IsNil() {
				return true
			}
			return v.Interface().(zeroer).IsZero()
		}
	}
	return func(v reflect.Value) bool { return addressable(v).Addr().Interface().(zeroer).IsZero() }
}

// addressable returns v or a copy of it that has an address, for methods of pointers.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// isEmpty is the rule of omitempty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (c compiler) fillStruct(p *plan) {
	fields := structFields(p.typ)
	for i := range fields {
		f := &fields[i]
		f.plan = c.plan(f.typ)
		if f.asString {
			f.plan = c.asString(f.plan)
		}
		if f.wrong != "" {
			p.want = "object"
			err := ValueError{Path: f.name, Reason: f.wrong}
			p.write = func([]byte, reflect.Value, place) ([]byte, *ValueError) { e := err; return nil, &e }
			p.bind = func(any, reflect.Value) *ValueError { e := err; return &e }
			return
		}
	}
	p.want = "object"
	p.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
		in, ok := at.inside()
		if !ok {
			return nil, errDepth()
		}
		start := len(dst)
		dst = beginObject(dst, at.format)
		n := 0
		for i := range fields {
			f := &fields[i]
			fv, ok := f.of(v)
			if !ok {
				continue
			}
			null := f.pointer && fv.IsNil()
			if null && !f.nullable || !null && (f.omitEmpty && isEmpty(fv) || f.isZero != nil && f.isZero(fv)) {
				continue
			}
			switch {
			case at.format == Msgpack:
				dst = append(dst, f.msgKey...)
			case n > 0:
				dst = append(append(dst, ','), f.jsonKey...)
			default:
				dst = append(dst, f.jsonKey...)
			}
			n++
			if null {
				dst = appendNull(dst, at.format)
				continue
			}
			var err *ValueError
			if dst, err = f.plan.write(dst, fv, in); err != nil {
				return nil, err.inField(f.name)
			}
		}
		return endObject(dst, at.format, start, n), nil
	}
	p.bind = func(tree any, v reflect.Value) *ValueError {
		m, ok := tree.(map[string]any)
		if !ok {
			return errWant("object", tree)
		}
		for i := range fields {
			f := &fields[i]
			e, ok := m[f.name]
			if !ok {
				continue
			}
			fv, err := f.place(v)
			if err == nil {
				if e == nil && f.nullable {
					fv.SetZero()
				} else {
					err = f.plan.bindValue(e, fv)
				}
			}
			if err != nil {
				return err.inField(f.name)
			}
		}
		return nil
	}
}

// of returns the field of a struct, or false if a nil embedded pointer is in the way.
func (f *structField) of(v reflect.Value) (reflect.Value, bool) {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}

// place returns the field of a struct and makes the embedded structs on the way.
func (f *structField) place(v reflect.Value) (reflect.Value, *ValueError) {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, failf("cannot set the embedded pointer to the unexported type %v", v.Type().Elem())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, nil
}

// asString returns the plan of a scalar under the option ",string": its JSON text in a string. Other types ignore the option.
func (c compiler) asString(p *plan) *plan {
	q := &plan{typ: p.typ, want: "string with the JSON of a " + p.want}
	if p.typ.Kind() == reflect.Pointer {
		elem := c.plan(p.typ.Elem())
		scalar := c.asString(elem)
		if p.typ.Name() != "" || elem.typ.Kind() == reflect.Pointer || scalar == elem {
			return p
		}
		q.want = scalar.want
		q.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
			return scalar.write(dst, v.Elem(), at)
		}
		q.bind = func(tree any, v reflect.Value) *ValueError {
			if v.IsNil() {
				v.Set(reflect.New(elem.typ))
			}
			return scalar.bind(tree, v.Elem())
		}
		return q
	}
	if !p.plain {
		return p
	}
	switch k := p.typ.Kind(); k {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		q.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
			var buf [24]byte
			return appendString(dst, at.format, textOf(strconv.AppendInt(buf[:0], v.Int(), 10))), nil
		}
		q.bind = bindIntText
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		q.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
			var buf [24]byte
			return appendString(dst, at.format, textOf(strconv.AppendUint(buf[:0], v.Uint(), 10))), nil
		}
		q.bind = bindUintText
	case reflect.Bool, reflect.Float32, reflect.Float64, reflect.String:
		q.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
			var buf [64]byte
			text, err := p.write(buf[:0], v, top(JSON))
			if err != nil {
				return nil, err
			}
			return appendString(dst, at.format, textOf(text)), nil
		}
		q.bind = func(tree any, v reflect.Value) *ValueError {
			s, ok := tree.(string)
			if !ok {
				return errWant(q.want, tree)
			}
			inner, err := Parse(JSON, []byte(s))
			if err != nil || strings.TrimSpace(s) != s {
				return failf("expected %s, received %s", q.want, strconv.Quote(clip(s)))
			}
			return p.bindValue(inner, v)
		}
	default:
		return p
	}
	return q
}
