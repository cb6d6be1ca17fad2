package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// verdict is what an acceptor makes of a value.
type verdict uint8

const (
	accepted verdict = iota
	unsure           // gojsonschema has to tell
	refused
)

// maxFound bounds how many faults are looked for. gojsonschema has no such
// bound: it takes a tenth of a second for the 30,000 faults that fit in 64 KiB.
const maxFound = 64

// explainer collects the faults of one body.
type explainer struct{ found []Issue }

// step is where the explainer stands; only a fault has it written out.
type step struct {
	parent *step
	name   string
	index  int // if name is empty
}

func (s *step) String() string {
	switch {
	case s == nil:
		return ""
	case s.name == "" && s.index >= 0:
		return s.parent.String() + "[" + strconv.Itoa(s.index) + "]"
	}
	return join(s.parent.String(), s.name)
}

func (x *explainer) refuse(at *step, format string, args ...any) verdict {
	if len(x.found) < maxFound {
		x.found = append(x.found, Issue{at.String(), fmt.Sprintf(format, args...)})
	}
	return refused
}

// explain gives the verdict on v. The faults that it finds are certain; what
// gojsonschema may see otherwise is unsure and no fault.
func (x *explainer) explain(a *acceptor, v any, at *step) verdict {
	if len(x.found) >= maxFound {
		return refused
	}
	kind, text := kindOf(v)
	if a.kinds == isNothing {
		return x.refuse(at, "is not allowed")
	}
	if !a.takes(kind) {
		return x.refuse(at, "expected %s, received %s", a.kinds, typeName(v))
	}
	got := accepted
	if a.enum != nil && !a.isOneOf(v) {
		if len(text) > exactDigits && kind&isNumber != 0 {
			got = unsure
		} else {
			return x.refuse(at, "must be one of %s", listed(a.enum))
		}
	}
	for _, b := range a.allOf {
		got = max(got, x.explain(b, v, at))
	}
	if a.anyOf != nil {
		got = max(got, x.explainAny(a, v, at))
	}
	switch v := v.(type) {
	case string:
		got = max(got, x.explainString(a, v, at))
	case json.Number:
		got = max(got, x.explainNumber(a, text, at))
	case []any:
		got = max(got, x.explainArray(a, v, at))
	case map[string]any:
		got = max(got, x.explainObject(a, v, at))
	}
	return got
}

// kindOf gives the kinds that v is of, and the text of a number.
func kindOf(v any) (kindSet, string) {
	switch v := v.(type) {
	case nil:
		return isNull, ""
	case bool:
		return isBoolean, ""
	case string:
		return isString, ""
	case json.Number:
		if s := string(v); strings.Contains(s, ".") && !strings.Contains(s, "e+") || strings.Contains(s, "e-") {
			return isNumber, s
		}
		return isNumber | isInteger, string(v)
	case []any:
		return isArray, ""
	}
	return isObject, ""
}

// String writes the set as "string or null".
func (k kindSet) String() string {
	var names []string
	for _, name := range []string{"array", "boolean", "integer", "number", "object", "string", "null"} {
		if set := kindNames[name]; k&set == set && (name != "integer" || k&isNumber == 0) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

func listed(values []any) string {
	all := make([]string, len(values))
	for i, v := range values {
		text, _ := json.Marshal(v)
		all[i] = string(text)
	}
	return strings.Join(all, ", ")
}

// explainAny takes the faults of the first form that is of the value's type.
func (x *explainer) explainAny(a *acceptor, v any, at *step) verdict {
	var nearest []Issue
	best := refused
	kind, _ := kindOf(v)
	for _, b := range a.anyOf {
		var form explainer
		got := form.explain(b, v, at)
		if got == accepted {
			return accepted
		}
		best = min(best, got)
		if nearest == nil || b.takes(kind) {
			nearest = form.found
		}
	}
	if best == refused {
		x.found = append(x.found, nearest...)
	}
	return best
}

func (x *explainer) explainString(a *acceptor, s string, at *step) verdict {
	n := utf8.RuneCountInString(s)
	switch {
	case n < a.minLength:
		return x.refuse(at, "must have at least %d characters", a.minLength)
	case a.maxLength >= 0 && n > a.maxLength:
		return x.refuse(at, "must have at most %d characters", a.maxLength)
	case a.pattern != nil && !a.pattern.MatchString(s):
		return x.refuse(at, "%s", mustMatch(a.pattern.String()))
	case a.format != nil && !a.format(s):
		return x.refuse(at, "must be of the format %s", a.formatName)
	}
	return accepted
}

func (x *explainer) explainNumber(a *acceptor, s string, at *step) verdict {
	if len(a.bounds) == 0 {
		return accepted
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return unsure
	}
	got := accepted
	for _, b := range a.bounds {
		switch {
		case f == b.value && b.equal && len(s) <= exactDigits:
		case f == b.value && (len(s) > exactDigits || !b.exact):
			got = max(got, unsure)
		case f == b.value || f > b.value != b.above:
			got = max(got, x.refuse(at, "must be %s %s", b.words, decimal(b.value)))
		}
	}
	return got
}

func (x *explainer) explainArray(a *acceptor, v []any, at *step) verdict {
	got := accepted
	if len(v) < a.minItems {
		got = x.refuse(at, "must have at least %d items", a.minItems)
	}
	if a.maxItems >= 0 && len(v) > a.maxItems {
		got = x.refuse(at, "must have at most %d items", a.maxItems)
	}
	if a.items != nil {
		for i, e := range v {
			got = max(got, x.explain(a.items, e, &step{parent: at, index: i}))
		}
	}
	return got
}

func (x *explainer) explainObject(a *acceptor, v map[string]any, at *step) verdict {
	got := accepted
	for _, name := range a.required {
		if _, ok := v[name]; !ok {
			got = x.refuse(&step{at, name, -1}, "is required")
		}
	}
	for i := range a.properties {
		p := &a.properties[i]
		if e, ok := v[p.name]; ok {
			got = max(got, x.explain(p.value, e, &step{at, p.name, -1}))
		}
	}
	if a.additional == nil && a.names == nil {
		return got
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		here := &step{at, name, -1}
		if a.names != nil {
			got = max(got, x.explain(a.names, name, here))
		}
		if a.additional == nil || a.has(name) {
			continue
		}
		if a.additional.kinds == isNothing {
			got = x.refuse(here, "is not known")
			continue
		}
		got = max(got, x.explain(a.additional, v[name], here))
	}
	return got
}
