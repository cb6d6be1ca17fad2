package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Unmarshal is [Parse] and then [Bind]. The error is a [*ValueError].
func Unmarshal(f Format, data []byte, v any) error {
	tree, err := Parse(f, data)
	if err != nil {
		return err
	}
	return Bind(tree, v)
}

// Bind stores a neutral tree in the Go value that v, a pointer, points to, by the rules in the package documentation. It
// takes the trees that [Append] takes. The error is a [*ValueError]; part of the tree may then be stored already.
func Bind(tree any, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return failf("cannot bind into a %T: pass a pointer that is not nil", v)
	}
	rv = rv.Elem()
	if tree == nil && rv.Kind() == reflect.Pointer {
		rv.SetZero()
		return nil
	}
	return planFor(rv.Type()).bindValue(tree, rv).orNil()
}

// errWant says that a tree is of another sort than its destination.
func errWant(want string, tree any) *ValueError {
	return failf("expected %s, received %s", want, sortOf(tree))
}

func sortOf(tree any) string {
	switch tree.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	if _, ok := literalOf(tree); ok {
		return "number"
	}
	return fmt.Sprintf("%T", tree)
}

// literalOf returns the canonical literal of a number in a tree.
func literalOf(tree any) (string, bool) {
	switch v := tree.(type) {
	case json.Number:
		s := string(v)
		if s == "0" || len(s) > 0 && '1' <= s[0] && s[0] <= '9' && isInteger(s) && len(s) <= exactDigits {
			return s, true
		}
		if !validNumber(s) {
			return "", false
		}
		n, ok := canonical(s)
		return string(n), ok
	case float64:
		return finiteText(v, 64)
	case float32:
		return finiteText(float64(v), 32)
	case int, int8, int16, int32, int64:
		return strconv.FormatInt(reflect.ValueOf(v).Int(), 10), true
	case uint, uint8, uint16, uint32, uint64:
		return strconv.FormatUint(reflect.ValueOf(v).Uint(), 10), true
	}
	return "", false
}

func finiteText(v float64, bits int) (string, bool) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "", false
	}
	return string(appendFloatText(nil, v, bits)), true
}

func bindBool(tree any, v reflect.Value) *ValueError {
	b, ok := tree.(bool)
	if !ok {
		return errWant("boolean", tree)
	}
	v.SetBool(b)
	return nil
}

func bindString(tree any, v reflect.Value) *ValueError {
	s, ok := tree.(string)
	if !ok {
		return errWant("string", tree)
	}
	v.SetString(s)
	return nil
}

// integerOf returns the literal of an integral number that a float64 holds exactly: beyond ±2⁵³ nobody can tell which
// integer the sender meant.
func integerOf(tree any) (string, *ValueError) {
	lit, ok := literalOf(tree)
	switch {
	case !ok:
		return "", errWant("integer", tree)
	case strings.Contains(lit, "e+"), isInteger(lit) && !safeLiteral([]byte(lit)):
		return "", failf("number %s is beyond ±2⁵³, where integers are not exact", clip(lit))
	case !isInteger(lit):
		return "", failf("expected integer, received %s", clip(lit))
	}
	return lit, nil
}

func errFit(lit string, t reflect.Type) *ValueError {
	bits := t.Bits()
	if t.Kind() >= reflect.Uint {
		return failf("number %s does not fit %v: 0 to %d", clip(lit), t, uint64(math.MaxUint64)>>(64-bits))
	}
	return failf("number %s does not fit %v: %d to %d", clip(lit), t, int64(-1)<<(bits-1), uint64(math.MaxUint64)>>(65-bits))
}

func bindInt(tree any, v reflect.Value) *ValueError {
	lit, err := integerOf(tree)
	if err != nil {
		return err
	}
	return setInt(lit, v)
}

func setInt(lit string, v reflect.Value) *ValueError {
	i, err := strconv.ParseInt(lit, 10, 64)
	if err != nil || v.OverflowInt(i) {
		return errFit(lit, v.Type())
	}
	v.SetInt(i)
	return nil
}

func bindUint(tree any, v reflect.Value) *ValueError {
	lit, err := integerOf(tree)
	if err != nil {
		return err
	}
	return setUint(lit, v)
}

func setUint(lit string, v reflect.Value) *ValueError {
	u, err := strconv.ParseUint(lit, 10, 64)
	if err != nil || v.OverflowUint(u) {
		return errFit(lit, v.Type())
	}
	v.SetUint(u)
	return nil
}

// integerText returns the decimal integer in a string, for the option ",string".
func integerText(tree any) (string, *ValueError) {
	s, ok := tree.(string)
	if !ok {
		return "", errWant("string with an integer", tree)
	}
	if !isInteger(s) || !validNumber(s) || s == "-0" {
		return "", failf("expected string with an integer, received %s", strconv.Quote(clip(s)))
	}
	return s, nil
}

func bindIntText(tree any, v reflect.Value) *ValueError {
	s, err := integerText(tree)
	if err != nil {
		return err
	}
	return setInt(s, v)
}

func bindUintText(tree any, v reflect.Value) *ValueError {
	s, err := integerText(tree)
	if err != nil {
		return err
	}
	return setUint(s, v)
}

func bindFloat(tree any, v reflect.Value) *ValueError {
	lit, ok := literalOf(tree)
	if !ok {
		return errWant("number", tree)
	}
	n, err := strconv.ParseFloat(lit, v.Type().Bits())
	if err != nil {
		return failf("number %s does not fit %v", clip(lit), v.Type())
	}
	v.SetFloat(n)
	return nil
}

func bindNumber(tree any, v reflect.Value) *ValueError {
	lit, ok := literalOf(tree)
	if !ok {
		return errWant("number", tree)
	}
	v.SetString(lit)
	return nil
}

func bindTime(tree any, v reflect.Value) *ValueError {
	s, ok := tree.(string)
	if !ok {
		return errWant("string with an RFC 3339 time", tree)
	}
	var t time.Time
	// UnmarshalText is stricter than time.Parse: two-digit hours, no comma before the fraction.
	err := t.UnmarshalText([]byte(s))
	if sec := t.Unix(); err != nil || sec < minSecond || sec > maxSecond {
		return failf("expected string with an RFC 3339 time, received %s", strconv.Quote(clip(s)))
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func bindBytes(tree any, v reflect.Value) *ValueError {
	s, ok := tree.(string)
	if !ok {
		return errWant("string with base64", tree)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err == nil && strings.ContainsAny(s, "\r\n") {
		err = errors.New("line break")
	}
	if err != nil {
		return failf("expected string with padded base64, received %s", strconv.Quote(clip(s)))
	}
	v.SetBytes(b)
	return nil
}

func bindRaw(tree any, v reflect.Value) *ValueError {
	b, err := appendTree(nil, JSON, tree, MaxDepth)
	if err != nil {
		return err
	}
	v.SetBytes(b)
	return nil
}

func bindAny(tree any, v reflect.Value) *ValueError {
	p, err := plainOf(tree)
	if err != nil {
		return err
	}
	if p == nil {
		v.SetZero()
	} else {
		v.Set(reflect.ValueOf(p))
	}
	return nil
}

// plainOf copies a tree with its numbers as float64.
func plainOf(tree any) (any, *ValueError) {
	switch t := tree.(type) {
	case nil, bool, string:
		return t, nil
	case []any:
		if len(t) == 0 {
			return emptyArray, nil
		}
		a := make([]any, len(t))
		for i, e := range t {
			var err *ValueError
			if a[i], err = plainOf(e); err != nil {
				return nil, err.inElem(i)
			}
		}
		return a, nil
	case map[string]any:
		m := make(map[string]any, len(t))
		for k, e := range t {
			var err *ValueError
			if m[k], err = plainOf(e); err != nil {
				return nil, err.inField(k)
			}
		}
		return m, nil
	}
	lit, ok := literalOf(tree)
	if !ok {
		return nil, errWant("value", tree)
	}
	n, _ := strconv.ParseFloat(lit, 64)
	return n, nil
}

func bindJSONUnmarshaler(tree any, v reflect.Value) *ValueError {
	b, bad := appendTree(nil, JSON, tree, MaxDepth)
	if bad != nil {
		return bad
	}
	if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(b); err != nil {
		return errMethod(v.Type(), "UnmarshalJSON", err)
	}
	return nil
}

func bindTextUnmarshaler(tree any, v reflect.Value) *ValueError {
	s, ok := tree.(string)
	if !ok {
		return errWant("string", tree)
	}
	return unmarshalText(s, v)
}
