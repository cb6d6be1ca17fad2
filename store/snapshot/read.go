package snapshot

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// reader reads values from msgpack that checkMsgpack has passed.
type reader struct {
	data  []byte
	depth int
}

func (r *reader) next() (token, error) {
	t, size, err := next(r.data)
	r.data = r.data[size:]
	return t, err
}

// isNil says whether nil comes next.
func (r *reader) isNil() bool { return len(r.data) > 0 && r.data[0] == codeNil }

// raw returns the bytes of the next value, without reading it.
func (r *reader) raw() ([]byte, error) {
	at := 0
	for todo := uint64(1); todo > 0; todo-- {
		t, size, err := next(r.data[at:])
		if err != nil {
			return nil, err
		}
		todo += t.inside()
		at += size
	}
	return r.data[:at:at], nil
}

func (r *reader) skip() error {
	data, err := r.raw()
	r.data = r.data[len(data):]
	return err
}

// value reads a value into v, which has an address. As in JSON, nil leaves what cannot be nil as it is.
func (r *reader) value(p *plan, v reflect.Value) error {
	if p.op == opCoder || p.op == opOwn {
		return r.own(p, v)
	}
	if p.op == opPointer && !r.isNil() {
		if r.depth++; r.depth > maxDepth {
			return in("", errDepth)
		}
		if v.IsNil() {
			v.Set(reflect.New(p.elem.typ))
		}
		err := r.value(p.elem, v.Elem())
		r.depth--
		return err
	}
	t, err := r.next()
	if err != nil {
		return in("", err)
	}
	if t.kind == tokenNil {
		switch p.op {
		case opPointer, opSlice, opBytes, opRaw, opMap:
			v.SetZero()
		}
		return nil
	}
	if problem := r.scalar(p, v, t); problem != errContainer {
		if problem != nil {
			return in("", problem)
		}
		return nil
	}
	if r.depth++; r.depth > maxDepth {
		return in("", errDepth)
	}
	switch p.op {
	case opSlice, opArray:
		err = r.list(p, v, t)
	case opMap:
		err = r.dictionary(p, v, t)
	default:
		err = r.structure(p, v, t)
	}
	r.depth--
	return err
}

// errContainer is what scalar says of a value that has others in it.
var errContainer = fmt.Errorf("not a single value")

// scalar sets v to a value that has no others in it.
func (r *reader) scalar(p *plan, v reflect.Value, t token) error {
	switch p.op {
	case opBool:
		if t.kind != tokenBool {
			return unfit(t, p)
		}
		v.SetBool(t.bits == 1)
	case opInt:
		abs, negative, ok := t.integer()
		if !ok {
			return unfit(t, p)
		}
		n := int64(abs)
		if negative {
			n = -n
		}
		if abs > 1<<63 || abs == 1<<63 && !negative || v.OverflowInt(n) {
			return overflow(t, p)
		}
		v.SetInt(n)
	case opUint:
		n, negative, ok := t.integer()
		if !ok {
			return unfit(t, p)
		}
		if negative || v.OverflowUint(n) {
			return overflow(t, p)
		}
		v.SetUint(n)
	case opFloat32, opFloat64:
		if t.kind < tokenInt || t.kind > tokenFloat64 {
			return unfit(t, p)
		}
		f := t.float()
		if v.OverflowFloat(f) {
			return overflow(t, p)
		}
		v.SetFloat(f)
	case opString:
		if t.kind != tokenString {
			return unfit(t, p)
		}
		v.SetString(string(t.data))
	case opBytes, opRaw:
		if t.kind != tokenBin && t.kind != tokenString {
			return unfit(t, p)
		}
		v.SetBytes(bytes.Clone(t.data))
	case opByteArray:
		if t.kind != tokenBin {
			return unfit(t, p)
		}
		clear(v.Bytes()[copy(v.Bytes(), t.data):])
	case opTime:
		at, ok := timeOf(t.data)
		if t.kind != tokenExt || t.ext != extTime || !ok {
			return unfit(t, p)
		}
		*v.Addr().Interface().(*time.Time) = at
	case opText:
		if t.kind != tokenString {
			return unfit(t, p)
		}
		return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(t.data)
	case opBinary:
		if t.kind != tokenBin {
			return unfit(t, p)
		}
		return v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(t.data)
	default:
		return errContainer
	}
	return nil
}

func unfit(t token, p *plan) error { return fmt.Errorf("%s does not go into a %s", t.kind, p.typ) }

func overflow(t token, p *plan) error {
	abs, negative, _ := t.integer()
	switch {
	case p.op == opFloat32:
		return fmt.Errorf("%g is beyond what a %s can hold", t.float(), p.typ)
	case negative:
		return fmt.Errorf("-%d is beyond what a %s can hold", abs, p.typ)
	}
	return fmt.Errorf("%d is beyond what a %s can hold", abs, p.typ)
}

func (r *reader) list(p *plan, v reflect.Value, t token) error {
	if t.kind != tokenArray {
		return in("", unfit(t, p))
	}
	n := int(t.bits)
	if p.op == opSlice {
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	}
	for i := range n {
		if i >= v.Len() { // an array that is shorter by now
			if err := r.skip(); err != nil {
				return in("", err)
			}
			continue
		}
		if err := r.value(p.elem, v.Index(i)); err != nil {
			return in(fmt.Sprintf("[%d]", i), err)
		}
	}
	for i := n; i < v.Len(); i++ {
		v.Index(i).SetZero()
	}
	return nil
}

func (r *reader) dictionary(p *plan, v reflect.Value, t token) error {
	if t.kind != tokenMap {
		return in("", unfit(t, p))
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), int(t.bits)))
	}
	key, value := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
	for range t.bits {
		key.SetZero()
		value.SetZero()
		if err := r.value(p.key, key); err != nil {
			return in("[]", err)
		}
		if err := r.value(p.elem, value); err != nil {
			return in(fmt.Sprintf("[%v]", key), err)
		}
		v.SetMapIndex(key, value)
	}
	return nil
}

// structure reads the fields that the struct has, and passes over others.
func (r *reader) structure(p *plan, v reflect.Value, t token) error {
	if t.kind != tokenMap {
		return in("", unfit(t, p))
	}
	likely := 0 // fields come in the order in which they were written
	for range t.bits {
		name, err := r.next()
		if err != nil {
			return in("", err)
		}
		i, ok := likely, likely < len(p.fields) && p.fields[likely].name == string(name.data)
		if !ok {
			i, ok = p.byName[string(name.data)]
		}
		if !ok || name.kind != tokenString {
			if name.kind == tokenArray || name.kind == tokenMap {
				return in("", unfit(name, p))
			}
			if err := r.skip(); err != nil {
				return in("", err)
			}
			continue
		}
		likely = i + 1
		f := &p.fields[i]
		if err := r.value(f.plan, f.in(v)); err != nil {
			return in("."+f.name, err)
		}
	}
	return nil
}

// own hands a value to the methods of its type.
func (r *reader) own(p *plan, v reflect.Value) error {
	data, err := r.raw()
	if err == nil {
		r.data = r.data[len(data):]
		switch at := v.Addr().Interface(); p.op {
		case opOwn:
			err = at.(msgpack.Unmarshaler).UnmarshalMsgpack(data)
		default:
			err = at.(msgpack.CustomDecoder).DecodeMsgpack(msgpack.NewDecoder(bytes.NewReader(data)))
		}
	}
	if err != nil {
		return in("", err)
	}
	return nil
}
