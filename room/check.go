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
	c := typeCheck{seen: make(map[place]bool)}
	if problem := c.check(place{reflect.TypeFor[T](), true}, what); problem != "" {
		return fmt.Errorf("room: kind %s: %s, so a snapshot of it would not be whole", kind, problem)
	}
	return nil
}

// typeCheck walks a type by the rules of encoding/json, the snapshot codec.
type typeCheck struct{ seen map[place]bool }

// place is a type where its values have an address, or have none, as in a map.
type place struct {
	t           reflect.Type
	addressable bool
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// writesItself says whether the values of a type bring their own codec, both ways. A value without an address is written
// without the methods of its pointer.
func (p place) writesItself() bool {
	writer, reader := p.t, reflect.PointerTo(p.t)
	if p.addressable {
		writer = reader
	}
	return writer.Implements(jsonMarshaler) && reader.Implements(jsonUnmarshaler) ||
		writer.Implements(textMarshaler) && reader.Implements(textUnmarshaler)
}

// check returns what is wrong with values at p, found at path, or "".
func (c *typeCheck) check(p place, path string) string {
	t := p.t
	if c.seen[p] || t == timeType || t == rawType || p.writesItself() {
		return ""
	}
	c.seen[p] = true
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return ""
	case reflect.Pointer:
		return c.check(place{t.Elem(), true}, path)
	case reflect.Slice:
		return c.check(place{t.Elem(), true}, path+"[]")
	case reflect.Array:
		return c.check(place{t.Elem(), p.addressable}, path+"[]")
	case reflect.Map:
		switch k := t.Key(); {
		case k.Implements(textMarshaler) && reflect.PointerTo(k).Implements(textUnmarshaler):
		case k.Kind() == reflect.String, k.Kind() >= reflect.Int && k.Kind() <= reflect.Uint64:
		default:
			return fmt.Sprintf("%s is a map with keys of type %s; keys are strings or integers", path, k)
		}
		return c.check(place{t.Elem(), false}, path+"[]")
	case reflect.Struct:
		if place := (place{t, true}); !p.addressable && place.writesItself() {
			return fmt.Sprintf("%s is a %s in a map, where its methods for JSON, which belong to the pointer, are not found; use *%s", path, t, t)
		}
		return c.fields(p, path, make(map[string]string))
	case reflect.Interface:
		return fmt.Sprintf("%s is the interface %s, whose values cannot be read back; use a concrete type", path, t)
	default:
		return fmt.Sprintf("%s is a %s (%s), which cannot be written", path, t.Kind(), t)
	}
}

// fields checks the fields of a struct. names has those of the structs around it that share one JSON object with it.
func (c *typeCheck) fields(p place, path string, names map[string]string) string {
	for i := range p.t.NumField() {
		f := p.t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, _, _ := strings.Cut(tag, ",")
		at := path + "." + f.Name
		in := place{f.Type, p.addressable}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			if problem := c.fields(in, at, names); problem != "" {
				return problem
			}
			continue
		}
		if !f.IsExported() {
			return fmt.Sprintf("%s is not exported; export it, or tag it `json:\"-\"` if it may be lost", at)
		}
		if name == "" {
			name = f.Name
		}
		if other := names[name]; other != "" {
			return fmt.Sprintf("%s and %s are both %q in JSON, so one of them is not written; give one another name", other, at, name)
		}
		names[name] = at
		if problem := c.check(in, at); problem != "" {
			return problem
		}
	}
	return ""
}
