package contract

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// document completes root: names the $defs, points the references at them and
// adds them to root. If root is a type that nothing else refers to, it is
// written in place.
func (g *generator) document(root *jsonschema.Schema) *jsonschema.Schema {
	names := g.name()
	var defs jsonschema.Definitions
	for t, s := range g.defs {
		if defs == nil {
			defs = make(jsonschema.Definitions)
		}
		defs[names[t]] = s
	}
	if i := len(g.refs) - 1; i >= 0 && g.refs[i].from == root && g.uses(g.refs[i].to) == 1 {
		// The reference to the root type is the last one made.
		t := g.refs[i].to
		delete(defs, names[t])
		root = g.defs[t]
	}
	root.Definitions = defs
	return root
}

func (g *generator) uses(t reflect.Type) int {
	n := 0
	for _, r := range g.refs {
		if r.to == t {
			n++
		}
	}
	return n
}

// name gives every entry of $defs a name of its own and writes it into the
// references: the type's name if no other has it, else its package path too, and
// for types that share even that (declared inside functions) a number in order
// of first sight. The result depends on the types and their order alone.
func (g *generator) name() map[reflect.Type]string {
	short, long := make(map[string]int), make(map[string]int)
	for _, t := range g.order {
		short[shortName(t)]++
		long[longName(t)]++
	}
	names := make(map[reflect.Type]string)
	taken := make(map[string]bool)
	for _, t := range g.order {
		name := shortName(t)
		if short[name] > 1 {
			name = longName(t)
		}
		unique := name
		for n := 2; taken[unique] || unique != name && short[unique]+long[unique] > 0; n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		taken[unique] = true
		names[t] = unique
	}
	for _, r := range g.refs {
		r.from.Ref = "#/$defs/" + names[r.to]
	}
	return names
}

func shortName(t reflect.Type) string { return plain(t.Name()) }
func longName(t reflect.Type) string  { return plain(t.PkgPath() + "." + t.Name()) }

// plain replaces what would need escaping in a JSON pointer or a URI.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '_'
	}, name)
}
