package contract

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// newAcceptor makes the acceptor of a prepared JSON Schema, nil if it has a part
// that only gojsonschema knows.
func newAcceptor(tree any) *acceptor {
	b := &acceptorBuilder{root: tree, byRef: make(map[string]*acceptor)}
	a := b.build(tree)
	if b.unknown {
		return nil
	}
	return a
}

type acceptorBuilder struct {
	root    any
	byRef   map[string]*acceptor
	unknown bool
}

// giveUp leaves the whole schema to gojsonschema.
func (b *acceptorBuilder) giveUp() *acceptor {
	b.unknown = true
	return &acceptor{}
}

func (b *acceptorBuilder) build(v any) *acceptor {
	a := &acceptor{minItems: -1, maxItems: -1, minLength: -1, maxLength: -1}
	if accepts, ok := v.(bool); ok {
		if !accepts {
			a.kinds = isNothing
		}
		return a
	}
	m, ok := v.(map[string]any)
	if !ok {
		return b.giveUp()
	}
	if to, ok := m["$ref"].(string); ok {
		return b.follow(to)
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b.keyword(a, key, m[key])
	}
	return a
}

// follow finds the acceptor of a $ref, which may be under way.
func (b *acceptorBuilder) follow(to string) *acceptor {
	if a := b.byRef[to]; a != nil {
		return a
	}
	place, err := target(to)
	if err != nil {
		return b.giveUp()
	}
	at := b.root
	for _, step := range strings.Split(place, "/")[1:] {
		step = unescapeStep.Replace(step)
		switch v := at.(type) {
		case map[string]any:
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return b.giveUp()
			}
			at = v[i]
		default:
			return b.giveUp()
		}
	}
	a := new(acceptor)
	b.byRef[to] = a
	*a = *b.build(at)
	return a
}

func (b *acceptorBuilder) keyword(a *acceptor, key string, v any) {
	switch key {
	case "type":
		a.kinds = b.kinds(v)
	case "enum":
		list, _ := v.([]any)
		a.enum = b.scalars(list)
	case "const":
		a.enum = b.scalars([]any{v})
	case "allOf":
		a.allOf = b.list(v)
	case "anyOf":
		a.anyOf = b.list(v)
	case "properties":
		m, _ := v.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(m)) {
			a.properties = append(a.properties, property{name, b.build(m[name])})
		}
	case "required":
		list, _ := v.([]any)
		for _, e := range list {
			name, ok := e.(string)
			if !ok {
				b.giveUp()
			}
			a.required = append(a.required, name)
		}
	case "additionalProperties":
		a.additional = b.build(v)
	case "propertyNames":
		a.names = b.build(v)
	case "items":
		a.items = b.build(v)
	case "minItems":
		a.minItems = b.count(v)
	case "maxItems":
		a.maxItems = b.count(v)
	case "minLength":
		a.minLength = b.count(v)
	case "maxLength":
		a.maxLength = b.count(v)
	case "pattern":
		s, _ := v.(string)
		re, err := regexp.Compile(s)
		if err != nil {
			b.giveUp()
		}
		a.pattern = re
	case "format":
		s, _ := v.(string)
		a.formatName = strings.TrimPrefix(s, formatPrefix)
		if a.format = formats[a.formatName]; a.format == nil {
			b.giveUp()
		}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum":
		a.bounds = append(a.bounds, b.bound(key, v))
	case "definitions":
	default:
		if keywords[key] != annotation && !strings.HasPrefix(key, "x-") {
			b.giveUp()
		}
	}
}

func (b *acceptorBuilder) list(v any) []*acceptor {
	list, _ := v.([]any)
	if len(list) == 0 {
		b.giveUp()
	}
	all := make([]*acceptor, len(list))
	for i, e := range list {
		all[i] = b.build(e)
	}
	return all
}

// scalars gives up on constants that == does not compare.
func (b *acceptorBuilder) scalars(list []any) []any {
	if len(list) == 0 {
		b.giveUp()
	}
	for _, v := range list {
		switch v.(type) {
		case []any, map[string]any:
			b.giveUp()
		}
	}
	return list
}

func (b *acceptorBuilder) kinds(v any) kindSet {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var set kindSet
	for _, e := range list {
		name, _ := e.(string)
		if kindNames[name] == 0 {
			b.giveUp()
		}
		set |= kindNames[name]
	}
	return set
}

func (b *acceptorBuilder) count(v any) int {
	n, _ := v.(json.Number)
	i, err := strconv.ParseInt(string(n), 10, 32)
	if err != nil {
		b.giveUp()
	}
	return int(i)
}

// bound reads a limit. One that float64 rounds is not given up: it only never
// takes equality for certain.
func (b *acceptorBuilder) bound(key string, v any) bound {
	n, _ := v.(json.Number)
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		b.giveUp()
	}
	exact := len(n) <= exactDigits
	words := map[string]string{
		"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than", "exclusiveMaximum": "less than",
	}
	return bound{
		value: f,
		above: key == "minimum" || key == "exclusiveMinimum",
		equal: exact && (key == "minimum" || key == "maximum"),
		exact: exact,
		words: words[key],
	}
}
