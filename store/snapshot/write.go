package snapshot

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// maxDepth is how deep values may lie in one another, as in encoding/json.
const maxDepth = 10000

var errDepth = errors.New("values lie more than 10,000 deep in one another: perhaps one points to itself")

// writer writes values in msgpack.
type writer struct {
	buf     []byte
	depth   int
	entries []entry // of the maps that are being written
	scratch []byte
}

// entry is where an entry of a map was written.
type entry struct{ start, value, end int }

// placeError says where in a value something is wrong. Its text begins with the path.
type placeError struct {
	path string
	err  error
}

func (e *placeError) Error() string { return e.path + ": " + e.err.Error() }
func (e *placeError) Unwrap() error { return e.err }

// in puts a step before the path of an error, unless that is long enough.
func in(step string, err error) error {
	const long, more = 200, " … "
	if e, ok := err.(*placeError); ok {
		switch {
		case len(e.path) < long:
			e.path = step + e.path
		case !strings.HasPrefix(e.path, more):
			e.path = more + e.path
		}
		return e
	}
	return &placeError{step, err}
}

// value writes v, which has an address.
func (w *writer) value(p *plan, v reflect.Value) error {
	switch p.op {
	case opBool:
		if v.Bool() {
			w.buf = append(w.buf, 0xc3)
		} else {
			w.buf = append(w.buf, 0xc2)
		}
	case opInt:
		w.buf = appendInt(w.buf, v.Int())
	case opUint:
		w.buf = appendUint(w.buf, v.Uint())
	case opFloat32:
		w.buf = binary.BigEndian.AppendUint32(append(w.buf, 0xca), math.Float32bits(float32(v.Float())))
	case opFloat64:
		w.buf = binary.BigEndian.AppendUint64(append(w.buf, 0xcb), math.Float64bits(v.Float()))
	case opString:
		w.buf = appendString(w.buf, v.String())
	case opBytes:
		if v.IsNil() {
			w.null()
		} else {
			w.buf = append(appendLength(w.buf, binForms, v.Len()), v.Bytes()...)
		}
	case opRaw:
		if v.IsNil() {
			w.null()
		} else {
			w.buf = append(appendLength(w.buf, stringForms, v.Len()), v.Bytes()...)
		}
	case opByteArray:
		w.buf = append(appendLength(w.buf, binForms, v.Len()), v.Bytes()...)
	case opTime:
		w.buf = appendTime(w.buf, *v.Addr().Interface().(*time.Time))
	case opCoder, opOwn, opText, opBinary:
		if err := w.own(p, v); err != nil {
			return in("", err)
		}
	default:
		return w.container(p, v)
	}
	return nil
}

func (w *writer) null() { w.buf = append(w.buf, codeNil) }

func (w *writer) container(p *plan, v reflect.Value) (err error) {
	if p.op != opStruct && p.op != opArray && v.IsNil() {
		w.null()
		return nil
	}
	if w.depth++; w.depth > maxDepth {
		return in("", errDepth)
	}
	switch p.op {
	case opPointer:
		err = w.value(p.elem, v.Elem())
	case opSlice, opArray:
		err = w.list(p, v)
	case opMap:
		err = w.dictionary(p, v)
	case opStruct:
		err = w.structure(p, v)
	}
	w.depth--
	return err
}

func (w *writer) list(p *plan, v reflect.Value) error {
	w.buf = appendLength(w.buf, arrayForms, v.Len())
	for i := range v.Len() {
		if err := w.value(p.elem, v.Index(i)); err != nil {
			return in(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

// structure writes the fields that are not left out, in the order of the type.
func (w *writer) structure(p *plan, v reflect.Value) error {
	head := len(w.buf)
	w.buf = appendLength(w.buf, mapForms, len(p.fields))
	n := 0
	for i := range p.fields {
		f := &p.fields[i]
		value, ok := f.of(v)
		if !ok || f.omitted(value) {
			continue
		}
		n++
		w.buf = append(w.buf, f.key...)
		if err := w.value(f.plan, value); err != nil {
			return in("."+f.name, err)
		}
	}
	if n < len(p.fields) { // in the same form, so that nothing has to be moved
		setLength(w.buf[head:], n)
	}
	return nil
}

// dictionary writes a map in the order of its keys' bytes.
func (w *writer) dictionary(p *plan, v reflect.Value) error {
	w.buf = appendLength(w.buf, mapForms, v.Len())
	first, begin := len(w.entries), len(w.buf)
	key, value := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
	for it := v.MapRange(); it.Next(); {
		key.SetIterKey(it)
		value.SetIterValue(it)
		e := entry{start: len(w.buf)}
		if err := w.value(p.key, key); err != nil {
			return in("[]", err)
		}
		e.value = len(w.buf)
		if err := w.value(p.elem, value); err != nil {
			return in(fmt.Sprintf("[%v]", key), err)
		}
		e.end = len(w.buf)
		w.entries = append(w.entries, e)
	}
	entries := w.entries[first:]
	w.entries = w.entries[:first]
	byKey := func(a, b entry) int { return bytes.Compare(w.buf[a.start:a.value], w.buf[b.start:b.value]) }
	if slices.IsSortedFunc(entries, byKey) {
		return nil
	}
	slices.SortFunc(entries, byKey)
	w.scratch = w.scratch[:0]
	for _, e := range entries {
		w.scratch = append(w.scratch, w.buf[e.start:e.end]...)
	}
	copy(w.buf[begin:], w.scratch)
	return nil
}

// own writes a value by its own methods.
func (w *writer) own(p *plan, v reflect.Value) error {
	at := v.Addr().Interface()
	switch p.op {
	case opText:
		text, err := at.(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return err
		}
		w.buf = append(appendLength(w.buf, stringForms, len(text)), text...)
	case opBinary:
		data, err := at.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return err
		}
		w.buf = append(appendLength(w.buf, binForms, len(data)), data...)
	case opOwn:
		data, err := at.(msgpack.Marshaler).MarshalMsgpack()
		if err != nil {
			return err
		}
		return w.foreign(p, "MarshalMsgpack", data)
	case opCoder:
		out := appender{}
		if err := at.(msgpack.CustomEncoder).EncodeMsgpack(msgpack.NewEncoder(&out)); err != nil {
			return err
		}
		return w.foreign(p, "EncodeMsgpack", out.data)
	}
	return nil
}

// foreign takes over what a method wrote, if that is one value.
func (w *writer) foreign(p *plan, method string, data []byte) error {
	if err := checkMsgpack(data); err != nil {
		return fmt.Errorf("%s of %s did not write one value: %w", method, p.typ, err)
	}
	w.buf = append(w.buf, data...)
	return nil
}
