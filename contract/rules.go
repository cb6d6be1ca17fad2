package contract

import (
	"github.com/gosocka/socka/wire"
)

// ruleMaker describes acceptors to the wire package, each once: they refer to
// each other in circles.
type ruleMaker map[*acceptor]*wire.Rule

// rule returns the rule that accepts what a surely accepts; nil for a nil a,
// which takes anything.
func (m ruleMaker) rule(a *acceptor) *wire.Rule {
	if a == nil {
		return nil
	}
	if r := m[a]; r != nil {
		return r
	}
	r := &wire.Rule{
		Accept: a.accept, Sorts: a.kinds.sorts(), Enum: a.enum,
		MinLength: a.minLength, MaxLength: a.maxLength, MinItems: a.minItems, MaxItems: a.maxItems,
		Required: a.required,
	}
	m[a] = r
	if a.allOf != nil || a.anyOf != nil || a.names != nil {
		if x := a.unlessNull(); x != nil {
			r.OrNull = m.rule(x)
		} else {
			r.Opaque = true
		}
		return r
	}
	if a.pattern != nil {
		r.Text = append(r.Text, a.pattern.MatchString)
	}
	if a.format != nil {
		r.Text = append(r.Text, a.format)
	}
	for i := range a.bounds {
		b := &a.bounds[i]
		limit := &wire.Bound{Value: b.value, Open: !b.equal}
		if b.above {
			r.Min = tighter(r.Min, limit, 1)
		} else {
			r.Max = tighter(r.Max, limit, -1)
		}
	}
	r.Items = m.rule(a.items)
	r.Additional = m.rule(a.additional)
	if len(a.properties) > 0 {
		r.Properties = make(map[string]*wire.Rule)
	}
	for _, p := range a.properties {
		r.Properties[p.name] = m.rule(p.value)
	}
	return r
}

// tighter returns the bound that leaves less; sign is that of the side that the
// bounds leave.
func tighter(a, b *wire.Bound, sign float64) *wire.Bound {
	if a == nil || sign*b.Value > sign*a.Value || b.Value == a.Value && b.Open {
		return b
	}
	return a
}

// unlessNull returns x of a schema {"anyOf": [x, {"type": "null"}]}, which is that
// of a nullable field; nil if a is another.
func (a *acceptor) unlessNull() *acceptor {
	other := a.kinds != 0 || a.enum != nil || a.allOf != nil || a.properties != nil || a.required != nil || a.additional != nil ||
		a.names != nil || a.items != nil || a.minItems >= 0 || a.maxItems >= 0 || a.minLength >= 0 || a.maxLength >= 0 ||
		a.pattern != nil || a.format != nil || a.bounds != nil
	if other || len(a.anyOf) != 2 || !a.anyOf[1].onlyNull() {
		return nil
	}
	return a.anyOf[0]
}

// onlyNull reports whether a accepts null, whatever it says of other values, and
// nothing else.
func (a *acceptor) onlyNull() bool {
	return a.kinds == isNull && a.enum == nil && a.allOf == nil && a.anyOf == nil
}

func (k kindSet) sorts() wire.Sort {
	var s wire.Sort
	for _, pair := range [...]struct {
		kind kindSet
		sort wire.Sort
	}{
		{isNull, wire.SortNull}, {isBoolean, wire.SortBoolean}, {isString, wire.SortString}, {isNumber, wire.SortFraction | wire.SortInteger},
		{isInteger, wire.SortInteger}, {isArray, wire.SortArray}, {isObject, wire.SortObject}, {isNothing, wire.SortNone},
	} {
		if k&pair.kind != 0 {
			s |= pair.sort
		}
	}
	return s
}
