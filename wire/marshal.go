package wire

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"time"
)

// Marshal returns the encoding of a Go value, by the rules in the package documentation. The error is a [*ValueError].
func Marshal(f Format, v any) ([]byte, error) { return AppendMarshal(nil, f, v) }

// AppendMarshal appends the encoding of a Go value. On an error, a [*ValueError], dst is returned as it was.
//
// A struct of scalars is written without allocating if dst has room and v is a pointer.
func AppendMarshal(dst []byte, f Format, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() || rv.Kind() == reflect.Pointer && rv.IsNil() {
		return appendNull(dst, f), nil
	}
	out, err := planFor(rv.Type()).write(dst, rv, top(f))
	if err != nil {
		return dst, err
	}
	return out, nil
}

func writeBool(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendBool(dst, at.format, v.Bool()), nil
}

func writeInt(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendSafe(dst, at.format, v.Int())
}

func writeUint(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendSafeUint(dst, at.format, v.Uint())
}

func writeFloat32(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendFloat32(dst, at.format, float32(v.Float()))
}

func writeFloat64(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendFinite(dst, at.format, v.Float())
}

func writeString(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendText(dst, at.format, v.String())
}

func writeBytes(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	return appendBytes(dst, at.format, v.Bytes()), nil
}

func writeNumber(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	lit := v.String()
	if lit == "" {
		lit = "0" // the zero json.Number, as encoding/json has it
	}
	return appendLiteral(dst, at.format, lit)
}

func writeTime(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	t, ok := reflect.TypeAssert[time.Time](v)
	if s := t.Unix(); !ok || s < minSecond || s > maxSecond {
		return nil, errTimestamp()
	}
	return appendTime(dst, at.format, t), nil
}

func writeRaw(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	raw := v.Bytes()
	if len(raw) == 0 {
		return appendNull(dst, at.format), nil
	}
	return transcode(dst, at.format, JSON, raw, int(at.depth), false)
}

func writeAny(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	v = v.Elem()
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return appendNull(dst, at.format), nil
	}
	if at.hops--; at.hops < 0 {
		return nil, errDepth()
	}
	return planFor(v.Type()).write(dst, v, at)
}

// receiver returns the interface T of v or of a pointer to it.
func receiver[T any](v reflect.Value) T {
	if m, ok := reflect.TypeAssert[T](v); ok {
		return m
	}
	return addressable(v).Addr().Interface().(T)
}

func writeJSONMarshaler(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	b, err := receiver[json.Marshaler](v).MarshalJSON()
	if err != nil {
		return nil, errMethod(v.Type(), "MarshalJSON", err)
	}
	out, bad := transcode(dst, at.format, JSON, b, int(at.depth), true)
	if bad != nil {
		return nil, bad
	}
	return out, nil
}

func writeTextMarshaler(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
	b, err := receiver[encoding.TextMarshaler](v).MarshalText()
	if err != nil {
		return nil, errMethod(v.Type(), "MarshalText", err)
	}
	return appendText(dst, at.format, textOf(b))
}

func errMethod(t reflect.Type, method string, err error) *ValueError {
	e := failf("%s of %v: %v", method, t, err)
	e.cause = err
	return e
}

// keyText returns the text of a map key.
func keyText(k reflect.Value) (string, *ValueError) {
	switch {
	case implements(k.Type(), typeTextMarshaler):
		if k.Kind() == reflect.Pointer && k.IsNil() {
			return "", failf("key is a nil pointer")
		}
		b, err := receiver[encoding.TextMarshaler](k).MarshalText()
		if err != nil {
			return "", errMethod(k.Type(), "MarshalText", err)
		}
		return string(b), nil
	case k.Kind() == reflect.String:
		return k.String(), nil
	case k.CanInt():
		return strconv.FormatInt(k.Int(), 10), nil
	}
	return strconv.FormatUint(k.Uint(), 10), nil
}
