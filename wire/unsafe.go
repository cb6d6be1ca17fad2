package wire

import (
	"reflect"
	"unsafe"
)

// This file has all of the package's uses of unsafe: looking at bytes as text, and at the fields of Go values by their
// offsets.

// textOf returns the bytes of b as a string without copying them. It is safe as long as the string is used only while b
// does not change: a text under inspection, or a string that Scan documents to be such.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns the bytes of s without copying them. Nothing in this package writes to the bytes that it reads.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// cell is the place in memory of a Go value whose type the node that works on it knows.
//
// It is safe because a node is compiled from a reflect.Type: a Codec starts at a pointer whose type it has compared with
// its own, the offsets are those of reflect.StructField, elements are at multiples of the element's size below the length
// that reflect gave, and each method is called for types of its kind alone. Cells hold an unsafe.Pointer into the object
// all the time, so that the collector sees them; pointers and strings are stored by assignments, with write barriers.
type cell struct{ p unsafe.Pointer }

// cellOf returns the place that v, a pointer that is not nil, points to.
func cellOf(v reflect.Value) cell { return cell{v.UnsafePointer()} }

// at returns the place of a field, or of an element of an array.
func (c cell) at(offset uintptr) cell { return cell{unsafe.Add(c.p, offset)} }

// value returns what is there as a value of its type t that can be set.
func (c cell) value(t reflect.Type) reflect.Value { return reflect.NewAt(t, c.p).Elem() }

func (c cell) bool() bool           { return *(*bool)(c.p) }
func (c cell) setBool(v bool)       { *(*bool)(c.p) = v }
func (c cell) string() string       { return *(*string)(c.p) }
func (c cell) setString(v string)   { *(*string)(c.p) = v }
func (c cell) float32() float32     { return *(*float32)(c.p) }
func (c cell) setFloat32(v float32) { *(*float32)(c.p) = v }
func (c cell) float64() float64     { return *(*float64)(c.p) }
func (c cell) setFloat64(v float64) { *(*float64)(c.p) = v }
func (c cell) pointer() cell        { return cell{*(*unsafe.Pointer)(c.p)} }
func (c cell) setPointer(to cell)   { *(*unsafe.Pointer)(c.p) = to.p }
func (c cell) isNil() bool          { return *(*unsafe.Pointer)(c.p) == nil } // of pointers and slices
func (c cell) elements() (cell, int) { // of slices
	s := *(*[]struct{})(c.p)
	return cell{unsafe.Pointer(unsafe.SliceData(s))}, len(s)
}

// int returns a signed integer of a size in bytes.
func (c cell) int(size uint8) int64 {
	switch size {
	case 8:
		return *(*int64)(c.p)
	case 4:
		return int64(*(*int32)(c.p))
	case 2:
		return int64(*(*int16)(c.p))
	}
	return int64(*(*int8)(c.p))
}

// uint returns an unsigned integer of a size in bytes; the bits of any other scalar too.
func (c cell) uint(size uint8) uint64 {
	switch size {
	case 8:
		return *(*uint64)(c.p)
	case 4:
		return uint64(*(*uint32)(c.p))
	case 2:
		return uint64(*(*uint16)(c.p))
	}
	return uint64(*(*uint8)(c.p))
}

// setInt stores an integer that fits, signed or not, in a size in bytes.
func (c cell) setInt(size uint8, v int64) {
	switch size {
	case 8:
		*(*int64)(c.p) = v
	case 4:
		*(*int32)(c.p) = int32(v)
	case 2:
		*(*int16)(c.p) = int16(v)
	default:
		*(*int8)(c.p) = int8(v)
	}
}
