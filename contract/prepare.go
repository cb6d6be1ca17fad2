package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gosocka/socka/wire"
)

// keyword says what the value of a JSON Schema keyword holds.
type keyword uint8

const (
	plainValue keyword = iota + 1
	annotation         // says nothing about what is accepted
	oneSchema
	listOfSchemas
	mapOfSchemas
	schemaOrList // items
	dependencyMap
	literal  // const
	literals // enum
	formatName
	reference
)

// keywords are those of draft 7, with $defs of 2020-12. Every other would be
// passed over by gojsonschema in silence.
var keywords = map[string]keyword{
	"$schema": annotation, "$id": annotation, "$comment": annotation, "title": annotation, "description": annotation,
	"default": annotation, "examples": annotation, "readOnly": annotation, "writeOnly": annotation, "deprecated": annotation,
	"contentEncoding": annotation, "contentMediaType": annotation,

	"type": plainValue, "multipleOf": plainValue, "minimum": plainValue, "maximum": plainValue,
	"exclusiveMinimum": plainValue, "exclusiveMaximum": plainValue, "minLength": plainValue, "maxLength": plainValue,
	"pattern": plainValue, "minItems": plainValue, "maxItems": plainValue, "uniqueItems": plainValue,
	"minProperties": plainValue, "maxProperties": plainValue, "required": plainValue,

	"not": oneSchema, "if": oneSchema, "then": oneSchema, "else": oneSchema, "contains": oneSchema,
	"propertyNames": oneSchema, "additionalProperties": oneSchema, "additionalItems": oneSchema,
	"allOf": listOfSchemas, "anyOf": listOfSchemas, "oneOf": listOfSchemas,
	"properties": mapOfSchemas, "patternProperties": mapOfSchemas, "definitions": mapOfSchemas, "$defs": mapOfSchemas,
	"items": schemaOrList, "dependencies": dependencyMap,
	"const": literal, "enum": literals, "format": formatName, "$ref": reference,
}

// inPlace are the keywords whose schemas look at the same value as the schema
// that they stand in.
var inPlace = map[string]bool{
	"allOf": true, "anyOf": true, "oneOf": true, "not": true, "if": true, "then": true, "else": true,
	"dependencies": true, "$ref": true,
}

// prepare checks a decoded JSON Schema for what gojsonschema would not, and
// changes it to the form that gojsonschema takes: formats get our prefix, $defs
// become definitions, $schema and $id go.
func prepare(tree any) error {
	p := &preparer{sameValue: make(map[string][]string)}
	if err := p.schema(tree, "#"); err != nil {
		return fmt.Errorf("the JSON Schema %w", err)
	}
	for _, from := range slices.Sorted(maps.Keys(p.sameValue)) {
		for _, to := range p.sameValue[from] {
			if _, ok := p.sameValue[to]; !ok {
				return fmt.Errorf("the JSON Schema at %s: the $ref leads to %s, where no schema is", from, to)
			}
		}
	}
	return p.endless()
}

type preparer struct {
	// sameValue has for the place of every schema those of the schemas that it
	// applies to the same value.
	sameValue map[string][]string
}

func (p *preparer) schema(v any, at string) error {
	p.sameValue[at] = nil
	m, ok := v.(map[string]any)
	if !ok {
		if _, ok := v.(bool); ok {
			return nil
		}
		return fmt.Errorf("at %s: want an object or a boolean", at)
	}
	_, isRef := m["$ref"]
	for _, key := range slices.Sorted(maps.Keys(m)) {
		kind := keywords[key]
		if kind == 0 {
			if strings.HasPrefix(key, "x-") {
				continue
			}
			return fmt.Errorf("at %s: unknown keyword %q; the keywords of draft 7 and $defs are known, and names beginning with x- are allowed", at, key)
		}
		if isRef && kind != annotation && key != "$ref" && key != "definitions" && key != "$defs" {
			return fmt.Errorf("at %s: %q beside $ref has no effect in draft 7; put the $ref into an allOf", at, key)
		}
		if err := p.keyword(m, key, kind, at); err != nil {
			return err
		}
	}
	return nil
}

func (p *preparer) keyword(m map[string]any, key string, kind keyword, at string) error {
	v := m[key]
	here := at + "/" + key
	sub := func(v any, to string) error {
		if err := p.schema(v, to); err != nil {
			return err
		}
		if inPlace[key] {
			p.sameValue[at] = append(p.sameValue[at], to)
		}
		return nil
	}
	switch kind {
	case annotation:
		if key == "$id" && at != "#" {
			return fmt.Errorf("at %s: $id below the top is not supported", at)
		}
		if key == "$schema" || key == "$id" {
			delete(m, key)
		}
	case oneSchema:
		return sub(v, here)
	case listOfSchemas, schemaOrList:
		list, ok := v.([]any)
		if !ok {
			if kind == schemaOrList {
				return sub(v, here)
			}
			return fmt.Errorf("at %s: want a list of schemas", here)
		}
		for i, e := range list {
			if err := sub(e, here+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	case mapOfSchemas, dependencyMap:
		all, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("at %s: want an object of schemas", here)
		}
		if key == "$defs" {
			if m["definitions"] != nil {
				return fmt.Errorf("at %s: use $defs or definitions, not both", at)
			}
			here = at + "/definitions"
			m["definitions"] = all
			delete(m, "$defs")
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if _, names := all[name].([]any); names && kind == dependencyMap {
				continue
			}
			if err := sub(all[name], here+"/"+escapeStep.Replace(name)); err != nil {
				return err
			}
		}
	case literal:
		c, err := canonical(v)
		m[key] = c
		return err
	case literals:
		list, _ := v.([]any)
		for i := range list {
			c, err := canonical(list[i])
			if err != nil {
				return err
			}
			list[i] = c
		}
	case formatName:
		name, _ := v.(string)
		if err := checkFormat(name); err != nil {
			return fmt.Errorf("at %s: %w", at, err)
		}
		m[key] = formatPrefix + name
	case reference:
		to, err := target(v)
		if err != nil {
			return fmt.Errorf("at %s: %w", at, err)
		}
		m[key] = "#" + (&url.URL{Fragment: to[1:]}).EscapedFragment()
		p.sameValue[at] = append(p.sameValue[at], to)
	}
	return nil
}

// target reads a $ref into the same document and gives the place that it leads
// to.
func target(v any) (string, error) {
	s, ok := v.(string)
	if !ok || s != "#" && !strings.HasPrefix(s, "#/") {
		return "", fmt.Errorf("$ref %q: only references into the same document are supported (#/…)", v)
	}
	s, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("$ref: %w", err)
	}
	steps := strings.Split(s, "/")
	for i, step := range steps {
		if step == "$defs" {
			steps[i] = "definitions"
		}
	}
	return strings.Join(steps, "/"), nil
}

var (
	escapeStep   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapeStep = strings.NewReplacer("~1", "/", "~0", "~")
)

// canonical brings the numbers of a constant into the form of those of bodies.
func canonical(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return wire.Parse(wire.JSON, text)
}

// endless refuses schemas that would be applied to one value without end, such
// as {"allOf": [{"$ref": "#"}]}.
func (p *preparer) endless() error {
	const under, done = 1, 2
	state := make(map[string]int)
	var visit func(at string) error
	visit = func(at string) error {
		switch state[at] {
		case done:
			return nil
		case under:
			return fmt.Errorf("the JSON Schema at %s refers to itself without end", at)
		}
		state[at] = under
		for _, to := range p.sameValue[at] {
			if err := visit(to); err != nil {
				return err
			}
		}
		state[at] = done
		return nil
	}
	for _, at := range slices.Sorted(maps.Keys(p.sameValue)) {
		if err := visit(at); err != nil {
			return err
		}
	}
	return nil
}
