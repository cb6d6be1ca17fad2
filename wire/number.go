package wire

import (
	"encoding/json"
	"math"
	"strconv"
)

// maxSafe is 2⁵³: beyond it a JavaScript number no longer tells two neighbouring integers apart.
const maxSafe = 1 << 53

// exactDigits is the number of digits up to which an integer literal is kept as it is written.
const exactDigits = 17

// canonical returns the one form in which a number literal stands in the neutral tree, and whether it is a number that
// float64 can hold. lit must follow JSON's grammar for numbers.
func canonical[T string | []byte](lit T) (json.Number, bool) {
	if isInteger(lit) && digits(lit) <= exactDigits {
		if string(lit) == "-0" {
			return "0", true
		}
		return json.Number(lit), true
	}
	v, err := strconv.ParseFloat(string(lit), 64)
	if err != nil {
		return "", false
	}
	return json.Number(appendFloatText(nil, v, 64)), true
}

// isInteger reports whether a literal is written without fraction and exponent.
func isInteger[T string | []byte](lit T) bool {
	for i := range len(lit) {
		if c := lit[i]; (c < '0' || c > '9') && (i > 0 || c != '-') {
			return false
		}
	}
	return true
}

func digits[T string | []byte](lit T) int {
	if len(lit) > 0 && lit[0] == '-' {
		return len(lit) - 1
	}
	return len(lit)
}

// validNumber reports whether s follows JSON's grammar for numbers.
func validNumber(s string) bool {
	r := jsonReader{data: []byte(s)}
	_, ok := r.number()
	return ok && r.pos == len(s)
}

// appendFloatText writes a finite number as JavaScript does: shortest, without exponent from 1e-6 up to 1e21, no minus
// before zero. bits is 32 or 64, the precision for which the text must be exact.
func appendFloatText(dst []byte, v float64, bits int) []byte {
	if v == 0 {
		return append(dst, '0')
	}
	abs := math.Abs(v)
	small := abs < 1e-6
	if bits == 32 {
		small = float32(abs) < 1e-6
	}
	if !small && abs < 1e21 {
		return strconv.AppendFloat(dst, v, 'f', -1, bits)
	}
	dst = strconv.AppendFloat(dst, v, 'e', -1, bits)
	// strconv pads the exponent to two digits: e-09 is e-9.
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// smallNumbers holds the boxed forms of the integers that one byte of msgpack can stand for, so that an array of them
// costs no more than its slots.
var smallNumbers = func() (t [32 + 128]any) {
	for i := range t {
		t[i] = json.Number(strconv.Itoa(i - 32))
	}
	return t
}()

// boxInt returns the canonical number of an integer.
func boxInt(v int64) any {
	if v >= -32 && v < 128 {
		return smallNumbers[v+32]
	}
	return intNumber(v)
}

func intNumber(v int64) json.Number {
	if v > -1e17 && v < 1e17 {
		return json.Number(strconv.FormatInt(v, 10))
	}
	return json.Number(appendFloatText(nil, float64(v), 64))
}

// boxNumber returns the canonical number of a token, or false for NaN and the infinities.
func (t token) boxNumber() (any, bool) {
	switch {
	case t.kind == tokInt, t.kind == tokUint && t.bits <= math.MaxInt64:
		return boxInt(int64(t.bits)), true
	case t.kind == tokUint:
		return json.Number(appendFloatText(nil, float64(t.bits), 64)), true
	}
	v := math.Float64frombits(t.bits)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil, false
	}
	if v >= -32 && v < 128 && v == math.Trunc(v) {
		return smallNumbers[int(v)+32], true
	}
	return json.Number(appendFloatText(nil, v, 64)), true
}

// safeLiteral reports whether an integer literal lies within ±2⁵³.
func safeLiteral(lit []byte) bool {
	v, err := strconv.ParseInt(string(lit), 10, 64)
	return err == nil && v >= -maxSafe && v <= maxSafe
}
