package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// document is the form of [Contract.JSONSchema].
type document struct {
	Schema string                 `json:"$schema"`
	Title  string                 `json:"title"`
	Calls  orderedMap             `json:"calls"`
	Pushes orderedMap             `json:"pushes"`
	Defs   jsonschema.Definitions `json:"$defs,omitempty"`
}

type documentedCall struct {
	Doc    string `json:"description,omitempty"`
	OneWay bool   `json:"oneWay,omitempty"`
	Input  any    `json:"input,omitempty"`
	Output any    `json:"output,omitempty"`
}

type documentedPush struct {
	Doc      string `json:"description,omitempty"`
	Delivery string `json:"delivery"`
	Payload  any    `json:"payload"`
}

// orderedMap is a JSON object whose keys keep their order.
type orderedMap []entry

type entry struct {
	key   string
	value any
}

func (m orderedMap) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(e.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// JSONSchema returns one indented JSON document of all calls and pushes, in
// order of definition: "calls" has for each its "description", "oneWay", "input"
// and "output" (absent for [None]), "pushes" its "description", "delivery" and
// "payload"; the schemas are JSON Schema 2020-12 and share "$defs". A side whose
// [Schema] has no JSON Schema is given as true, which accepts anything.
//
// The bytes depend on the definitions alone: equal contracts give equal bytes.
func (c *Contract) JSONSchema() []byte {
	g := newGenerator()
	doc := document{Schema: jsonschema.Version, Title: c.name, Calls: orderedMap{}, Pushes: orderedMap{}}
	for _, m := range c.Methods() {
		d := documentedCall{Doc: m.doc, OneWay: m.oneWay}
		at := "/calls/" + escapeStep.Replace(m.name)
		if m.in.typ != noneType {
			d.Input = g.side(m.in.typ, m.in.schema, at+"/input")
		}
		if !m.Void() {
			d.Output = g.side(m.out.typ, m.out.schema, at+"/output")
		}
		doc.Calls = append(doc.Calls, entry{m.name, d})
	}
	for _, p := range c.Pushes() {
		d := documentedPush{Doc: p.doc, Delivery: p.delivery.String()}
		d.Payload = g.side(p.body.typ, p.body.schema, "/pushes/"+escapeStep.Replace(p.name)+"/payload")
		doc.Pushes = append(doc.Pushes, entry{p.name, d})
	}
	names := g.name()
	for t, s := range g.defs {
		if doc.Defs == nil {
			doc.Defs = make(jsonschema.Definitions)
		}
		doc.Defs[names[t]] = s
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil { // only a Schema of the application can give what is not JSON
		panic(fmt.Sprintf("contract %s: a schema cannot be written: %v", c.name, err))
	}
	return append(text, '\n')
}

// side returns one schema of a definition, for the place at in the document.
func (g *generator) side(t reflect.Type, s Schema, at string) any {
	if own, err := schemaOfType(t); err == nil && own == s {
		made, err := g.schema(t, "")
		if err != nil {
			panic(nameType(err, t)) // it could be made when it was defined
		}
		return made
	}
	js := s.JSONSchema()
	if js == nil {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(js))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		panic(fmt.Sprintf("contract: the JSON Schema of %s is not JSON: %v", at, err))
	}
	if m, ok := tree.(map[string]any); ok {
		delete(m, "$schema")
		delete(m, "$id")
	}
	moveRefs(tree, at)
	return tree
}

// moveRefs makes the references of a document hold after it is put at a place in
// another.
func moveRefs(v any, at string) {
	switch v := v.(type) {
	case map[string]any:
		if to, ok := v["$ref"].(string); ok && (to == "#" || strings.HasPrefix(to, "#/")) {
			v["$ref"] = "#" + (&url.URL{Fragment: at}).EscapedFragment() + to[1:]
		}
		for k, e := range v {
			switch keywords[k] {
			case literal, literals, annotation, plainValue:
			case mapOfSchemas, dependencyMap:
				m, _ := e.(map[string]any) // whose keys are not keywords
				for _, e := range m {
					moveRefs(e, at)
				}
			default:
				moveRefs(e, at)
			}
		}
	case []any:
		for _, e := range v {
			moveRefs(e, at)
		}
	}
}
