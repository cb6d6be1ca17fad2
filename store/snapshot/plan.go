package snapshot

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// op is how values of a type are written in msgpack.
type op uint8

const (
	opBool op = iota
	opInt
	opUint
	opFloat32
	opFloat64
	opString
	opBytes     // a slice of bytes
	opByteArray // an array of them
	opSlice
	opArray
	opMap
	opStruct
	opPointer
	opTime
	opRaw    // json.RawMessage, which is a text
	opCoder  // EncodeMsgpack and DecodeMsgpack
	opOwn    // MarshalMsgpack and UnmarshalMsgpack
	opText   // MarshalText and UnmarshalText
	opBinary // MarshalBinary and UnmarshalBinary
)

// plan is how the values of one type are written and read. Once planOf has returned it, it does not change.
type plan struct {
	op     op
	typ    reflect.Type
	key    *plan // of a map
	elem   *plan // of a map, slice, array or pointer
	fields []field
	byName map[string]int
}

// field is a field of a struct, or of a struct that is embedded in it.
type field struct {
	name      string
	key       []byte // the name in msgpack
	index     []int
	plan      *plan
	omitEmpty bool
	omitZero  bool
	isZero    bool // it has a method that says so
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	zeroer          = reflect.TypeFor[interface{ IsZero() bool }]()
)

// CheckMsgpack says which part of a type msgpack would lose, or could not read back, though JSON keeps it: a type with methods
// for JSON alone, say. It also says what neither keeps: interfaces, channels, functions, fields that are not exported, two
// fields of one name. The error names the path of fields that leads there. Nil is a promise: what Msgpack.Marshal writes of a
// value of the type, Msgpack.Unmarshal reads back equal, as far as the type's own methods do.
func CheckMsgpack(t reflect.Type) error {
	_, err := planOf(t)
	return err
}

var plans sync.Map // reflect.Type to *plan, all of them whole

func planOf(t reflect.Type) (*plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*plan), nil
	}
	c := compiler{plans: make(map[reflect.Type]*plan)}
	p, problem := c.compile(t, t.String())
	if problem != "" {
		return nil, fmt.Errorf("snapshot: in msgpack, %s", problem)
	}
	for t, p := range c.plans {
		plans.Store(t, p)
	}
	return p, nil
}

// compiler makes the plans of a type and of all that it is made of. A type may contain itself.
type compiler struct {
	plans map[reflect.Type]*plan
}

// compile returns the plan of a type, which is found at path, or what is wrong with it.
func (c *compiler) compile(t reflect.Type, path string) (*plan, string) {
	if p := c.plans[t]; p != nil {
		return p, ""
	}
	p := &plan{typ: t}
	c.plans[t] = p
	if own, problem := p.methods(path); own || problem != "" {
		return p, problem
	}
	var problem string
	switch t.Kind() {
	case reflect.Bool:
		p.op = opBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.op = opInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.op = opUint
	case reflect.Float32:
		p.op = opFloat32
	case reflect.Float64:
		p.op = opFloat64
	case reflect.String:
		p.op = opString
	case reflect.Pointer:
		p.op = opPointer
		p.elem, problem = c.compile(t.Elem(), path)
	case reflect.Slice:
		p.op = opSlice
		if p.elem, problem = c.compile(t.Elem(), path+"[]"); p.elem.isByte() {
			p.op = opBytes
		}
	case reflect.Array:
		p.op = opArray
		if p.elem, problem = c.compile(t.Elem(), path+"[]"); p.elem.isByte() {
			p.op = opByteArray
		}
	case reflect.Map:
		p.op = opMap
		if p.key, problem = c.mapKey(t.Key(), path); problem == "" {
			p.elem, problem = c.compile(t.Elem(), path+"[]")
		}
	case reflect.Struct:
		p.op = opStruct
		problem = c.structure(p, path)
	case reflect.Interface:
		problem = fmt.Sprintf("%s is the interface %s, whose values cannot be read back; use a concrete type", path, t)
	default:
		problem = fmt.Sprintf("%s is a %s (%s), which cannot be written", path, t.Kind(), t)
	}
	return p, problem
}

// isByte says whether a type is written as a plain byte.
func (p *plan) isByte() bool { return p.op == opUint && p.typ.Kind() == reflect.Uint8 }

// mapKey returns the plan of the keys of a map. As in JSON, a string is written as it is, whatever methods it has.
func (c *compiler) mapKey(t reflect.Type, path string) (*plan, string) {
	switch k := t.Kind(); {
	case k == reflect.String:
		return &plan{op: opString, typ: t}, ""
	case t.Implements(textMarshaler) && reflect.PointerTo(t).Implements(textUnmarshaler):
		return &plan{op: opText, typ: t}, ""
	case k >= reflect.Int && k <= reflect.Int64:
		return &plan{op: opInt, typ: t}, ""
	case k >= reflect.Uint && k <= reflect.Uint64:
		return &plan{op: opUint, typ: t}, ""
	}
	return nil, fmt.Sprintf("%s is a map with keys of type %s; keys are strings or integers", path, t)
}

// methods finds out whether a type brings its own codec.
func (p *plan) methods(path string) (own bool, problem string) {
	t := p.typ
	switch t {
	case timeType:
		p.op = opTime
		return true, ""
	case rawType:
		p.op = opRaw
		return true, ""
	}
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return false, "" // the methods of what is behind a pointer are found there
	}
	at := reflect.PointerTo(t)
	for _, m := range codecMethods {
		writes, reads := at.Implements(m.writer), at.Implements(m.reader)
		switch {
		case writes && reads:
			p.op = m.op
			return true, m.promoted(t, path)
		case m.op == opBinary: // half of it counts as none, as it does in JSON
		case writes:
			return false, fmt.Sprintf("%s is a %s, which has %s without %s, so it could be written and not read; add it", path, t, m.writes, m.reads)
		case reads:
			return false, fmt.Sprintf("%s is a %s, which has %s without %s, so it could not be written as it is read; add it", path, t, m.reads, m.writes)
		}
	}
	if at.Implements(jsonMarshaler) || at.Implements(jsonUnmarshaler) {
		return false, fmt.Sprintf("%s is a %s, which has methods for JSON alone; add MarshalText and UnmarshalText, "+
			"MarshalMsgpack and UnmarshalMsgpack, or MarshalBinary and UnmarshalBinary, or keep it in JSON", path, t)
	}
	return false, ""
}

// methodPair is a way in which a type may bring its own codec.
type methodPair struct {
	op             op
	writer, reader reflect.Type
	writes, reads  string
}

// codecMethods has the first choice first. Text comes before binary because JSON uses it.
var codecMethods = []methodPair{
	{opCoder, reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.CustomDecoder](), "EncodeMsgpack", "DecodeMsgpack"},
	{opOwn, reflect.TypeFor[msgpack.Marshaler](), reflect.TypeFor[msgpack.Unmarshaler](), "MarshalMsgpack", "UnmarshalMsgpack"},
	{opText, textMarshaler, textUnmarshaler, "MarshalText", "UnmarshalText"},
	{opBinary, reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler](), "MarshalBinary", "UnmarshalBinary"},
}

// promoted says what is lost of a struct that has the methods only because a struct in it has them, for these write no more
// than that. Whether they are its own cannot be seen, so one with further fields is refused in both cases.
func (m methodPair) promoted(t reflect.Type, path string) string {
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return ""
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && (f.Type.Implements(m.writer) || reflect.PointerTo(f.Type).Implements(m.writer)) {
			return fmt.Sprintf("%s is a %s, which embeds %s, whose %s may write that and nothing of the other fields; give the field a name", path, t, f.Type, m.writes)
		}
	}
	return ""
}
