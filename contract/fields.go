package contract

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
)

// field is one field of a struct as it is on the wire.
type field struct {
	name  string // on the wire
	index []int  // for reflect.Value.FieldByIndex
	typ   reflect.Type
	tag   reflect.StructTag

	tagged    bool // the name comes from a tag
	omitEmpty bool
	omitZero  bool
	quoted    bool // ",string"
	nullable  bool // socka:"nullable"
}

// optional reports whether a body may lack the field as far as its type and the
// json tag say.
func (f *field) optional() bool {
	return !f.nullable && (f.omitEmpty || f.omitZero || f.typ.Kind() == reflect.Pointer)
}

// fieldsOf returns the fields that the wire codec reads and writes for struct t,
// in order of declaration: those of encoding/json, embedded structs promoted and
// conflicts of names resolved alike.
func fieldsOf(t reflect.Type) []field {
	var all []field
	var collect func(t reflect.Type, index []int, on []reflect.Type)
	collect = func(t reflect.Type, index []int, on []reflect.Type) {
		if slices.Contains(on, t) {
			return
		}
		on = append(slices.Clip(on), t)
		for i := range t.NumField() {
			sf := t.Field(i)
			ft := sf.Type
			if sf.Anonymous && ft.Name() == "" && ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if !sf.IsExported() && (!sf.Anonymous || ft.Kind() != reflect.Struct) {
				continue
			}
			tag := sf.Tag.Get("json")
			if tag == "-" {
				continue
			}
			name, options, _ := strings.Cut(tag, ",")
			at := append(slices.Clip(index), i)
			if name == "" && sf.Anonymous && ft.Kind() == reflect.Struct {
				collect(ft, at, on)
				continue
			}
			f := field{name: name, index: at, typ: sf.Type, tag: sf.Tag, tagged: name != ""}
			if name == "" {
				f.name = sf.Name
			}
			for o := range strings.SplitSeq(options, ",") {
				switch o {
				case "omitempty":
					f.omitEmpty = true
				case "omitzero":
					f.omitZero = true
				case "string":
					f.quoted = true
				}
			}
			f.nullable = sf.Tag.Get("socka") == "nullable"
			all = append(all, f)
		}
	}
	collect(t, nil, nil)

	fields := all[:0:0]
	for _, f := range all {
		if dominant(all, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// dominant reports whether f is the one field that its name stands for: the
// shallowest, and of several at that depth the only one with a tag.
func dominant(all []field, f field) bool {
	for _, g := range all {
		if g.name != f.name || slices.Equal(g.index, f.index) {
			continue
		}
		if len(g.index) < len(f.index) || len(g.index) == len(f.index) && (g.tagged || !f.tagged) {
			return false
		}
	}
	return true
}

// checkField refuses tags that are wrong, contradict one another, or promise
// what the codec cannot hold to.
func checkField(sf reflect.StructField) error {
	tag := sf.Tag.Get("json")
	if tag == "-" {
		return nil
	}
	name, options, has := strings.Cut(tag, ",")
	if !validName(name) {
		return fmt.Errorf("the name %q in the json tag has characters that encoding/json does not allow", name)
	}
	elem := sf.Type
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Pointer && elem.Kind() == reflect.Struct {
		return fmt.Errorf("a pointer is embedded; embed %s itself or give the field a json name", elem)
	}
	omit := ""
	if has {
		for o := range strings.SplitSeq(options, ",") {
			switch o {
			case "omitempty":
				omit = o
				if k := sf.Type.Kind(); k == reflect.Struct || k == reflect.Array && sf.Type.Len() > 0 {
					return fmt.Errorf("omitempty never leaves out %s; use omitzero or a pointer", sf.Type)
				}
			case "omitzero":
				omit = o
			case "string":
				if k := elem.Kind(); k != reflect.Bool && !integer(k) && !float(k) || shapeOf(elem) != shapePlain {
					return fmt.Errorf(`the json option "string" applies to numbers and booleans, not to %s`, sf.Type)
				}
			case "":
			default:
				return fmt.Errorf("unknown option %q in the json tag", o)
			}
		}
	}
	required := slices.Contains(splitTag(sf.Tag.Get("jsonschema")), "required")
	if omit != "" && required && sf.Type.Kind() != reflect.Pointer {
		return fmt.Errorf("%s would leave out what jsonschema:\"required\" asks for; drop one of them", omit)
	}
	switch v, ok := sf.Tag.Lookup("socka"); {
	case !ok:
	case v != "nullable":
		return fmt.Errorf("unknown socka tag %q; there is only \"nullable\"", v)
	case sf.Type.Kind() != reflect.Pointer:
		return fmt.Errorf("socka:\"nullable\" needs a pointer; %s has no value for null", sf.Type)
	case omit != "":
		return fmt.Errorf("%s contradicts socka:\"nullable\": a nullable field is always present", omit)
	case shapeOf(elem) == shapeAny:
		return fmt.Errorf("socka:\"nullable\" is not for %s, which takes null by itself", elem)
	}
	return nil
}

func validName(s string) bool {
	for _, r := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// shape is how the codec treats a type, apart from its kind.
type shape uint8

const (
	shapePlain  shape = iota // by kind
	shapeTime                // time.Time
	shapeText                // a string, by its text methods
	shapeNumber              // json.Number
	shapeAny                 // anything, null too: json.RawMessage, any
	shapeJSON                // whatever its JSON methods say, except null
	shapeHalf                // can be written but not read, or the other way round
)

var (
	timeType        = reflect.TypeFor[time.Time]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	numberType      = reflect.TypeFor[json.Number]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// pointerImplements reports whether t or *t has the methods of i.
func pointerImplements(t, i reflect.Type) bool {
	return t.Implements(i) || reflect.PointerTo(t).Implements(i)
}

func shapeOf(t reflect.Type) shape {
	switch {
	case t == timeType:
		return shapeTime
	case t == numberType:
		return shapeNumber
	case t == rawType, t.Kind() == reflect.Interface && t.NumMethod() == 0:
		return shapeAny
	case t.Kind() == reflect.Interface, t.Kind() == reflect.Pointer:
		return shapePlain
	}
	jm, ju := pointerImplements(t, jsonMarshaler), pointerImplements(t, jsonUnmarshaler)
	if jm || ju {
		if jm != ju {
			return shapeHalf
		}
		return shapeJSON
	}
	tm, tu := pointerImplements(t, textMarshaler), pointerImplements(t, textUnmarshaler)
	if tm || tu {
		if tm != tu {
			return shapeHalf
		}
		return shapeText
	}
	return shapePlain
}

// opaque reports whether the fields of t are not what travels.
func opaque(t reflect.Type) bool { return shapeOf(t) != shapePlain }

func integer(k reflect.Kind) bool {
	return k >= reflect.Int && k <= reflect.Int64 || k >= reflect.Uint && k <= reflect.Uint64
}

func float(k reflect.Kind) bool { return k == reflect.Float32 || k == reflect.Float64 }
