package contract

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Schema validates one value and describes what it accepts. It is as narrow as
// the Standard Schema of the JavaScript world, so that any validator can stand
// in: write one with [SchemaFunc], or implement it.
//
// An implementation must be safe for concurrent use, must not keep or change the
// tree, and should accept exactly what the Go type on its side can hold; what
// the type cannot hold is refused after it.
type Schema interface {
	// Validate returns what is wrong with a value; none means accepted. The
	// tree is what wire.Parse gives: nil, bool, json.Number, string, []any and
	// map[string]any. Numbers are json.Number in one canonical decimal form.
	Validate(tree any) []Issue

	// JSONSchema returns the schema as a JSON Schema document, for export; nil
	// if it cannot be expressed as one.
	JSONSchema() json.RawMessage
}

// Issue is one fault that a schema found.
type Issue struct {
	// Path is where, such as "items[2].text"; "" is the value itself.
	Path string
	// Message is what, such as "must have at most 5 characters".
	Message string
}

// String returns "path: message", with "body" for an empty path, cut to a few
// hundred bytes.
func (i Issue) String() string {
	path := i.Path
	if path == "" {
		path = "body"
	}
	return shorten(path, maxIssueText/2) + ": " + shorten(i.Message, maxIssueText)
}

// SchemaOf returns the schema of a Go type, made from the type and its tags as
// the package documentation has it. It panics if the type cannot travel or a tag
// is wrong, naming the field.
func SchemaOf[T any]() Schema {
	s, err := schemaOfType(reflect.TypeFor[T]())
	if err != nil {
		panic(fmt.Sprintf("contract: SchemaOf at %s: %v", caller(1), err))
	}
	return s
}

// SchemaFunc returns a schema that validates with f. The document js is for
// export and is not consulted when validating; it may be nil.
func SchemaFunc(js json.RawMessage, f func(tree any) []Issue) Schema {
	if f == nil {
		panic("contract: SchemaFunc at " + caller(1) + " needs a function")
	}
	return schemaFunc{js, f}
}

type schemaFunc struct {
	js json.RawMessage
	f  func(any) []Issue
}

func (s schemaFunc) Validate(tree any) []Issue   { return s.f(tree) }
func (s schemaFunc) JSONSchema() json.RawMessage { return s.js }
