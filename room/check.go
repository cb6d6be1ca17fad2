package room

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// checkSnapshotType says which part of T a snapshot would lose.
func checkSnapshotType[T any](kind, what string) error {
	c := typeCheck{seen: make(map[reflect.Type]bool)}
	if problem := c.check(reflect.TypeFor[T](), what); problem != "" {
		return fmt.Errorf("room: kind %s: %s, so a snapshot of it would not be whole", kind, problem)
	}
	return nil
}

type typeCheck struct{ seen map[reflect.Type]bool }

var (
	timeType        = reflect.TypeFor[time.Time]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// writesItself says whether a type brings its own codec, both ways.
func writesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonMarshaler) && p.Implements(jsonUnmarshaler) || p.Implements(textMarshaler) && p.Implements(textUnmarshaler)
}

// check returns what is wrong with t, found at path, or "".
func (c *typeCheck) check(t reflect.Type, path string) string {
	if c.seen[t] || t == timeType || t == rawType || writesItself(t) {
		return ""
	}
	c.seen[t] = true
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return ""
	case reflect.Pointer:
		return c.check(t.Elem(), path)
	case reflect.Slice, reflect.Array:
		return c.check(t.Elem(), path+"[]")
	case reflect.Map:
		switch k := t.Key(); {
		case writesItself(k):
		case k.Kind() == reflect.String, k.Kind() >= reflect.Int && k.Kind() <= reflect.Uint64:
		default:
			return fmt.Sprintf("%s is a map with keys of type %s; keys are strings or integers", path, k)
		}
		return c.check(t.Elem(), path+"[]")
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-":
			case !f.IsExported() && !(f.Anonymous && f.Type.Kind() == reflect.Struct):
				return fmt.Sprintf("%s.%s is not exported; export it, or tag it `json:\"-\"` if it may be lost", path, f.Name)
			default:
				if problem := c.check(f.Type, path+"."+f.Name); problem != "" {
					return problem
				}
			}
		}
		return ""
	case reflect.Interface:
		return fmt.Sprintf("%s is the interface %s, whose values cannot be read back; use a concrete type", path, t)
	default:
		return fmt.Sprintf("%s is a %s (%s), which cannot be written", path, t.Kind(), t)
	}
}
