package contract

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// acceptor is the fast half of a compiled schema. Nearly every body is in order,
// and gojsonschema takes 5 to 10 µs to say so. An acceptor answers for the common
// keywords in a fraction of that: accept only ever says "accepted" or "not sure",
// explain finds the faults of the rest, a bounded number of them. What neither is
// sure of, and schemas with other keywords, go to gojsonschema. A differential
// test holds both against it: they may give up on anything, but never differ.
type acceptor struct {
	kinds      kindSet // none: any
	enum       []any   // scalars; nil: any
	allOf      []*acceptor
	anyOf      []*acceptor
	properties []property
	required   []string
	additional *acceptor // nil: any
	names      *acceptor // nil: any
	items      *acceptor // nil: any

	minItems, maxItems   int // -1: none, as for lengths
	minLength, maxLength int
	pattern              *regexp.Regexp
	format               format
	formatName           string
	bounds               []bound
}

type property struct {
	name  string
	value *acceptor
}

// kindSet has a bit for each type of JSON Schema.
type kindSet uint8

const (
	isNull kindSet = 1 << iota
	isBoolean
	isString
	isNumber
	isInteger
	isArray
	isObject
	isNothing // no value is of this type
)

var kindNames = map[string]kindSet{
	"null": isNull, "boolean": isBoolean, "string": isString, "number": isNumber | isInteger,
	"integer": isInteger, "array": isArray, "object": isObject,
}

// bound is one limit of a number: on this side of value, or at it.
type bound struct {
	value float64
	above bool
	equal bool // value itself is inside
	exact bool // value is the limit, not the float64 next to it
	words string
}

// accept reports whether v is certainly accepted.
func (a *acceptor) accept(v any) bool {
	if a.enum != nil && !a.isOneOf(v) {
		return false
	}
	for _, b := range a.allOf {
		if !b.accept(v) {
			return false
		}
	}
	if a.anyOf != nil && !a.acceptAny(v) {
		return false
	}
	switch v := v.(type) {
	case nil:
		return a.takes(isNull)
	case bool:
		return a.takes(isBoolean)
	case string:
		return a.takes(isString) && a.acceptString(v)
	case json.Number:
		return a.acceptNumber(string(v))
	case []any:
		return a.takes(isArray) && a.acceptArray(v)
	case map[string]any:
		return a.takes(isObject) && a.acceptObject(v)
	}
	return false
}

func (a *acceptor) takes(k kindSet) bool { return a.kinds == 0 || a.kinds&k != 0 }

func (a *acceptor) isOneOf(v any) bool {
	switch v.(type) {
	case nil, bool, string, json.Number:
		for _, e := range a.enum {
			if e == v { // numbers have one form
				return true
			}
		}
	}
	return false
}

func (a *acceptor) acceptAny(v any) bool {
	for _, b := range a.anyOf {
		if b.accept(v) {
			return true
		}
	}
	return false
}

func (a *acceptor) acceptString(s string) bool {
	// A character is one to four bytes, so the number of bytes mostly says enough.
	if len(s)/utf8.UTFMax < a.minLength || a.maxLength >= 0 && len(s) > a.maxLength {
		n := utf8.RuneCountInString(s)
		if n < a.minLength || a.maxLength >= 0 && n > a.maxLength {
			return false
		}
	}
	return (a.pattern == nil || a.pattern.MatchString(s)) && (a.format == nil || a.format(s))
}

// exactDigits is how many digits a decimal may have for float64 to keep all of
// them apart.
const exactDigits = 15

func (a *acceptor) acceptNumber(s string) bool {
	if strings.ContainsAny(s, ".e") {
		if !a.takes(isNumber) {
			return false
		}
	} else if !a.takes(isInteger | isNumber) {
		return false
	}
	if len(a.bounds) == 0 {
		return true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return false
	}
	for _, b := range a.bounds {
		switch {
		case f == b.value:
			if !b.equal || len(s) > exactDigits {
				return false
			}
		case f > b.value != b.above:
			return false
		}
	}
	return true
}

func (a *acceptor) acceptArray(v []any) bool {
	if len(v) < a.minItems || a.maxItems >= 0 && len(v) > a.maxItems {
		return false
	}
	if a.items != nil {
		for _, e := range v {
			if !a.items.accept(e) {
				return false
			}
		}
	}
	return true
}

func (a *acceptor) acceptObject(v map[string]any) bool {
	for _, name := range a.required {
		if _, ok := v[name]; !ok {
			return false
		}
	}
	for i := range a.properties {
		p := &a.properties[i]
		if e, ok := v[p.name]; ok && !p.value.accept(e) {
			return false
		}
	}
	if a.additional == nil && a.names == nil {
		return true
	}
	for name, e := range v {
		if a.names != nil && !a.names.accept(name) {
			return false
		}
		if a.additional != nil && !a.has(name) && !a.additional.accept(e) {
			return false
		}
	}
	return true
}

func (a *acceptor) has(name string) bool {
	for i := range a.properties {
		if a.properties[i].name == name {
			return true
		}
	}
	return false
}
