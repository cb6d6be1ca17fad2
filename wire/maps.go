package wire

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

func (c compiler) fillMap(p *plan) {
	key, elem := p.typ.Key(), c.plan(p.typ.Elem())
	p.want = "object"
	text := implements(key, typeTextMarshaler) || implements(key, typeTextUnmarshaler)
	switch k := key.Kind(); {
	case k == reflect.Interface:
		p.refuse("has keys of an interface type: use strings, integers or a type with MarshalText and UnmarshalText")
		return
	case text || k == reflect.String || reflect.Int <= k && k <= reflect.Uintptr:
	default:
		p.refuse("has keys that have no text: use strings, integers or a type with MarshalText and UnmarshalText")
		return
	}
	if text && !(implements(key, typeTextMarshaler) && implements(key, typeTextUnmarshaler)) {
		p.refuse("has keys with only one of MarshalText and UnmarshalText")
		return
	}
	p.write = func(dst []byte, v reflect.Value, at place) ([]byte, *ValueError) {
		in, ok := at.inside()
		if !ok {
			return nil, errDepth()
		}
		type entry struct {
			key   string
			value reflect.Value
		}
		entries := make([]entry, 0, v.Len())
		for iter := v.MapRange(); iter.Next(); {
			k, err := keyText(iter.Key())
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry{k, iter.Value()})
		}
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
		start := len(dst)
		dst = beginObject(dst, at.format)
		for n, e := range entries {
			switch {
			case !utf8.ValidString(e.key):
				return nil, errKeyText(e.key)
			case n > 0 && entries[n-1].key == e.key:
				return nil, errRepeated(e.key)
			}
			var err *ValueError
			if dst, err = elem.write(appendKey(dst, at.format, n, e.key), e.value, in); err != nil {
				return nil, err.inField(e.key)
			}
		}
		return endObject(dst, at.format, start, len(entries)), nil
	}
	p.bind = func(tree any, v reflect.Value) *ValueError {
		m, ok := tree.(map[string]any)
		if !ok {
			return errWant("object", tree)
		}
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		slices.Sort(keys) // so that the first error is always the same
		out := reflect.MakeMapWithSize(p.typ, len(m))
		for n, k := range keys {
			kv := reflect.New(key).Elem()
			if err := bindKey(k, kv, text); err != nil {
				return err.inField(k)
			}
			ev := reflect.New(elem.typ).Elem()
			if err := elem.bindValue(m[k], ev); err != nil {
				return err.inField(k)
			}
			if out.SetMapIndex(kv, ev); out.Len() == n {
				return failf("means the same key as an earlier one").inField(k)
			}
		}
		v.Set(out)
		return nil
	}
}

func bindKey(k string, v reflect.Value, text bool) *ValueError {
	kind := v.Kind()
	switch {
	case text:
		if kind == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			return unmarshalText(k, v.Elem())
		}
		return unmarshalText(k, v)
	case kind == reflect.String:
		v.SetString(k)
		return nil
	case v.CanInt():
		i, err := strconv.ParseInt(k, 10, 64)
		if err != nil || v.OverflowInt(i) || strconv.FormatInt(i, 10) != k {
			return failf("key is no %v in decimal", v.Type())
		}
		v.SetInt(i)
		return nil
	}
	u, err := strconv.ParseUint(k, 10, 64)
	if err != nil || v.OverflowUint(u) || strconv.FormatUint(u, 10) != k {
		return failf("key is no %v in decimal", v.Type())
	}
	v.SetUint(u)
	return nil
}

// unmarshalText hands a string to the UnmarshalText method of v, which has an address.
func unmarshalText(s string, v reflect.Value) *ValueError {
	if v.Type().PkgPath() == "math/big" && !shortDecimal(s) {
		return failf("number too long or with an exponent")
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		return errMethod(v.Type(), "UnmarshalText", err)
	}
	return nil
}

// shortDecimal keeps the arbitrary precision numbers of math/big, whose text of ten bytes can mean a gigabyte, in bounds.
func shortDecimal(s string) bool {
	const most = 4096
	for i := range len(s) {
		switch s[i] | 0x20 {
		case 'e', 'p':
			return false
		}
	}
	return len(s) <= most
}
