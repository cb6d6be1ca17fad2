package contract

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"
)

// RawSchema returns a schema given as JSON Schema text (draft 7, and the parts
// of 2020-12 that mean the same). It panics if the text does not compile, naming
// why; [ParseSchema] returns the error instead.
func RawSchema(jsonSchema string) Schema {
	s, err := ParseSchema(jsonSchema)
	if err != nil {
		panic("contract: RawSchema at " + caller(1) + ": " + err.Error())
	}
	return s
}

// ParseSchema returns a schema given as JSON Schema text, checked by
// gojsonschema. What that would pass over in silence is an error here: unknown
// keywords (those beginning with "x-" are allowed), unknown formats, keywords
// beside a $ref, references that leave the document or never end.
func ParseSchema(jsonSchema string) (Schema, error) {
	c, err := compile([]byte(jsonSchema))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// compiled is a JSON Schema that is ready to validate. It does not change and is
// safe for concurrent use.
type compiled struct {
	doc    json.RawMessage
	schema *gojsonschema.Schema
	fast   *acceptor // nil if only schema can tell
}

func compile(doc []byte) (*compiled, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("the JSON Schema is not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("the JSON Schema is followed by something else")
	}
	if _, ok := tree.(bool); ok { // gojsonschema wants an object at the top
		tree = map[string]any{"allOf": []any{tree}}
	}
	if err := prepare(tree); err != nil {
		return nil, err
	}
	fast := newAcceptor(tree) // before gojsonschema, which changes the tree
	l := gojsonschema.NewSchemaLoader()
	l.AutoDetect = false
	l.Draft = gojsonschema.Draft7
	l.Validate = true
	s, err := l.Compile(gojsonschema.NewRawLoader(tree))
	if err != nil {
		return nil, fmt.Errorf("the JSON Schema does not compile: %s", strings.TrimSpace(err.Error()))
	}
	return &compiled{doc: bytes.Clone(doc), schema: s, fast: fast}, nil
}

// JSONSchema returns the document as it was given.
func (c *compiled) JSONSchema() json.RawMessage { return bytes.Clone(c.doc) }

// Validate checks a tree. It reads the tree only.
func (c *compiled) Validate(tree any) []Issue {
	if c.fast != nil && c.fast.accept(tree) {
		return nil
	}
	if c.fast != nil {
		var x explainer
		if x.explain(c.fast, tree, nil); len(x.found) > 0 {
			return x.found // in order of the schema, and of items
		}
	}
	return c.thorough(tree)
}

// thorough checks a tree with gojsonschema.
func (c *compiled) thorough(tree any) []Issue {
	r, err := c.schema.Validate(gojsonschema.NewRawLoader(tree))
	if err != nil {
		return []Issue{{Message: err.Error()}}
	}
	if r.Valid() {
		return nil
	}
	issues := make([]Issue, 0, len(r.Errors()))
	for _, e := range r.Errors() {
		if wrapper(e) && len(r.Errors()) > 1 {
			continue
		}
		issues = append(issues, issue(e, tree))
	}
	if len(issues) == 0 {
		issues = append(issues, issue(r.Errors()[0], tree))
	}
	return inOrder(issues)
}

// inOrder sorts faults, so that the same body gets the same answer: maps are
// walked in no order.
func inOrder(issues []Issue) []Issue {
	slices.SortStableFunc(issues, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return issues
}

// wrapper reports whether an error only says that one of the others happened.
func wrapper(e gojsonschema.ResultError) bool {
	switch e.Type() {
	case "number_any_of", "number_one_of", "number_all_of", "condition_then", "condition_else", "invalid_property_name":
		return true
	}
	return false
}

// issue puts an error of gojsonschema into our words.
func issue(e gojsonschema.ResultError, tree any) Issue {
	d := e.Details()
	path, at := find(e, tree)
	if _, ok := at.(map[string]any); ok {
		if key, ok := e.Value().(string); ok {
			path = join(path, key) // propertyNames: the name itself is at fault
		}
	}
	switch e.Type() {
	case "required":
		return Issue{join(path, fmt.Sprint(d["property"])), "is required"}
	case "additional_property_not_allowed":
		return Issue{join(path, fmt.Sprint(d["property"])), "is not known"}
	case "invalid_type":
		return Issue{path, "expected " + typeNames(d["expected"]) + ", received " + typeName(e.Value())}
	case "string_gte":
		return Issue{path, fmt.Sprintf("must have at least %v characters", d["min"])}
	case "string_lte":
		return Issue{path, fmt.Sprintf("must have at most %v characters", d["max"])}
	case "array_min_items":
		return Issue{path, fmt.Sprintf("must have at least %v items", d["min"])}
	case "array_max_items":
		return Issue{path, fmt.Sprintf("must have at most %v items", d["max"])}
	case "unique":
		return Issue{path, fmt.Sprintf("items %v and %v are equal", d["i"], d["j"])}
	case "number_gte":
		return Issue{path, fmt.Sprintf("must be at least %s", decimal(d["min"]))}
	case "number_lte":
		return Issue{path, fmt.Sprintf("must be at most %s", decimal(d["max"]))}
	case "number_gt":
		return Issue{path, fmt.Sprintf("must be more than %s", decimal(d["min"]))}
	case "number_lt":
		return Issue{path, fmt.Sprintf("must be less than %s", decimal(d["max"]))}
	case "multiple_of":
		return Issue{path, fmt.Sprintf("must be a multiple of %s", decimal(d["multiple"]))}
	case "enum", "const":
		return Issue{path, fmt.Sprintf("must be one of %v", d["allowed"])}
	case "pattern":
		return Issue{path, mustMatch(fmt.Sprint(d["pattern"]))}
	case "format":
		return Issue{path, fmt.Sprintf("must be of the format %v", strings.TrimPrefix(fmt.Sprint(d["format"]), formatPrefix))}
	case "false":
		return Issue{path, "is not allowed"}
	case "number_not":
		return Issue{path, "has a form that is not allowed"}
	case "number_any_of", "number_one_of":
		return Issue{path, "matches none of the allowed forms, or more than one"}
	case "invalid_property_name":
		return Issue{join(path, fmt.Sprint(d["property"])), "is not an allowed name"}
	}
	return Issue{path, strings.ToLower(e.Description()[:1]) + e.Description()[1:]}
}

// patternWords say what the patterns that come from types mean.
var patternWords = map[string]string{
	base64Pattern:   "must be standard base64 with padding",
	signedPattern:   "must be an integer as text",
	unsignedPattern: "must be a non-negative integer as text",
	numberPattern:   "must be a number as text",
}

func mustMatch(pattern string) string {
	if words := patternWords[pattern]; words != "" {
		return words
	}
	return "must match the pattern " + pattern
}

// decimal writes a bound as people do: gojsonschema has them as *big.Float.
func decimal(v any) string {
	if f, err := strconv.ParseFloat(fmt.Sprint(v), 64); err == nil {
		if f == float64(int64(f)) && f <= 1<<53 && f >= -1<<53 {
			return strconv.FormatInt(int64(f), 10)
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// typeNames writes gojsonschema's "[string,null]" as "string or null".
func typeNames(v any) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), ",", " or ")
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// find gives where in tree an error is, such as "items[2].text", and what is
// there.
func find(e gojsonschema.ResultError, tree any) (path string, at any) {
	steps := strings.Split(e.Context().String("\x00"), "\x00")[1:] // without "(root)"
	var b strings.Builder
	for _, step := range steps {
		switch at := tree.(type) {
		case []any:
			b.WriteString("[" + step + "]")
			tree = nil
			if i, err := strconv.Atoi(step); err == nil && i < len(at) {
				tree = at[i]
			}
			continue
		case map[string]any:
			tree = at[step]
		default:
			tree = nil
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String(), tree
}
