package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/invopop/jsonschema"
)

// generator makes JSON Schemas from Go types. The walk is ours, because it must
// agree with what the wire codec reads and writes; the language of the tags, the
// model of a schema and its encoding are invopop/jsonschema's.
//
// Every named struct becomes one entry of $defs; refs point to it by type until
// name gives the entries their names.
type generator struct {
	defs  map[reflect.Type]*jsonschema.Schema
	order []reflect.Type // of defs, in order of first sight
	refs  []ref
	busy  map[reflect.Type]bool // named slices, maps and arrays under way
}

type ref struct {
	from *jsonschema.Schema
	to   reflect.Type
}

func newGenerator() *generator {
	return &generator{defs: make(map[reflect.Type]*jsonschema.Schema), busy: make(map[reflect.Type]bool)}
}

// typeError is why a type cannot travel, and where in it.
type typeError struct {
	path string
	err  error
}

func (e *typeError) Error() string { return e.path + ": " + e.err.Error() }
func (e *typeError) Unwrap() error { return e.err }

func cannot(path, format string, args ...any) error {
	return &typeError{path, fmt.Errorf(format, args...)}
}

// schema returns a new schema for t; path is where t stands, for messages. The
// caller may change the result, but not what it refers to.
func (g *generator) schema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	s, err := g.hook(t, path)
	if s != nil || err != nil {
		return s, err
	}
	switch shapeOf(t) {
	case shapeTime:
		return &jsonschema.Schema{Type: "string", Format: "date-time"}, nil
	case shapeText:
		return &jsonschema.Schema{Type: "string"}, nil
	case shapeNumber:
		return &jsonschema.Schema{Type: "number"}, nil
	case shapeAny:
		return &jsonschema.Schema{}, nil
	case shapeJSON:
		return &jsonschema.Schema{Not: &jsonschema.Schema{Type: "null"}}, nil
	case shapeHalf:
		return nil, cannot(path, "%s can be written but not read back, or the other way round; give it both methods (MarshalText and UnmarshalText, or MarshalJSON and UnmarshalJSON)", t)
	}
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}, nil
	case k == reflect.String:
		return &jsonschema.Schema{Type: "string"}, nil
	case integer(k), float(k):
		s := &jsonschema.Schema{Type: "integer"}
		if float(k) {
			s.Type = "number"
		}
		narrow(s, lowest(k), highest(k))
		return s, nil
	case k == reflect.Pointer:
		if e := t.Elem().Kind(); e == reflect.Pointer || e == reflect.Interface {
			return nil, cannot(path, "%s has more than one way to be nothing; use one pointer, or any", t)
		}
		return g.schema(t.Elem(), path)
	case k == reflect.Struct:
		return g.structSchema(t, path)
	case k == reflect.Slice, k == reflect.Array, k == reflect.Map:
		return g.container(t, path)
	default:
		return nil, cannot(path, "%s cannot travel: JSON has no form for a value of kind %s", t, k)
	}
}

// lowest and highest bound what fits a kind; integers also stay within ±2⁵³,
// beyond which a JavaScript number is not exact.
func lowest(k reflect.Kind) json.Number {
	switch k {
	case reflect.Int8:
		return "-128"
	case reflect.Int16:
		return "-32768"
	case reflect.Int32:
		return "-2147483648"
	case reflect.Int, reflect.Int64:
		return "-9007199254740992"
	case reflect.Float32:
		return "-3.4028235e+38"
	case reflect.Float64:
		return ""
	}
	return "0"
}

func highest(k reflect.Kind) json.Number {
	switch k {
	case reflect.Int8:
		return "127"
	case reflect.Uint8:
		return "255"
	case reflect.Int16:
		return "32767"
	case reflect.Uint16:
		return "65535"
	case reflect.Int32:
		return "2147483647"
	case reflect.Uint32:
		return "4294967295"
	case reflect.Float32:
		return "3.4028235e+38"
	case reflect.Float64:
		return ""
	}
	return "9007199254740992"
}

const (
	// base64Pattern is standard base64 with padding, one text for each value.
	base64Pattern = `^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$`
	// signedPattern and unsignedPattern are integers as text, one text for each.
	signedPattern   = `^(?:0|-?[1-9][0-9]*)$`
	unsignedPattern = `^(?:0|[1-9][0-9]*)$`
	// numberPattern is a JSON number as text.
	numberPattern = `^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`
)

func integerPattern(k reflect.Kind) string {
	if k >= reflect.Uint && k <= reflect.Uint64 {
		return unsignedPattern
	}
	return signedPattern
}

// container makes the schema of a slice, array or map. They are written in
// place, except where a named one contains itself.
func (g *generator) container(t reflect.Type, path string) (*jsonschema.Schema, error) {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && shapeOf(t.Elem()) == shapePlain {
		return &jsonschema.Schema{Type: "string", ContentEncoding: "base64", Pattern: base64Pattern}, nil
	}
	if g.busy[t] || g.defs[t] != nil {
		if g.defs[t] == nil {
			g.add(t, &jsonschema.Schema{}) // filled in when t is done
		}
		return g.refer(t), nil
	}
	if t.Name() != "" {
		g.busy[t] = true
		defer delete(g.busy, t)
	}
	s := &jsonschema.Schema{}
	var err error
	if t.Kind() == reflect.Map {
		err = g.mapSchema(s, t, path)
	} else {
		s.Type = "array"
		if t.Kind() == reflect.Array {
			n := uint64(t.Len())
			s.MinItems, s.MaxItems = &n, &n
		}
		s.Items, err = g.schema(t.Elem(), path+"[]")
	}
	if err != nil {
		return nil, err
	}
	if def := g.defs[t]; def != nil {
		*def = *s
		return g.refer(t), nil
	}
	return s, nil
}

func (g *generator) mapSchema(s *jsonschema.Schema, t reflect.Type, path string) error {
	s.Type = "object"
	key := t.Key()
	switch {
	case key.Kind() == reflect.String, shapeOf(key) == shapeText:
	case integer(key.Kind()) && shapeOf(key) == shapePlain:
		s.PropertyNames = &jsonschema.Schema{Pattern: integerPattern(key.Kind())}
	default:
		return cannot(path, "a map with keys of type %s cannot travel; use strings, integers or a type with MarshalText and UnmarshalText", key)
	}
	values, err := g.schema(t.Elem(), path+"{}")
	s.AdditionalProperties = values
	return err
}

// structSchema makes the schema of a struct: a reference if the type has a name.
func (g *generator) structSchema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	if t.Name() == "" {
		s := &jsonschema.Schema{}
		return s, g.fill(s, t, path)
	}
	if g.defs[t] == nil {
		s := &jsonschema.Schema{}
		g.add(t, s)
		if err := g.fill(s, t, path); err != nil {
			return nil, err
		}
	}
	return g.refer(t), nil
}

func (g *generator) add(t reflect.Type, s *jsonschema.Schema) {
	g.defs[t] = s
	g.order = append(g.order, t)
}

func (g *generator) refer(t reflect.Type) *jsonschema.Schema {
	s := &jsonschema.Schema{Ref: "#/$defs/"}
	g.refs = append(g.refs, ref{s, t})
	return s
}

// slot stands for the field of its array length in the struct that is shown to
// invopop/jsonschema.
type slot struct{}

// fill makes s the schema of struct t.
func (g *generator) fill(s *jsonschema.Schema, t reflect.Type, path string) error {
	if err := g.checkFields(t, path); err != nil {
		return err
	}
	fields := fieldsOf(t)
	bases := make([]*jsonschema.Schema, len(fields))
	shown := make([]reflect.StructField, len(fields))
	for i := range fields {
		f := &fields[i]
		at := join(path, f.name)
		base, err := g.fieldSchema(f, at)
		if err != nil {
			return err
		}
		elem := f.typ
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if err := checkConstraints(f.tag.Get("jsonschema"), base, elem, hooked(elem)); err != nil {
			return &typeError{at, err}
		}
		bases[i] = base
		shown[i] = reflect.StructField{
			Name: fmt.Sprintf("F%d", i),
			Type: reflect.ArrayOf(i, reflect.TypeFor[slot]()),
			Tag:  reflect.StructTag("jsonschema:" + strconv.Quote(f.tag.Get("jsonschema")) + " jsonschema_description:" + strconv.Quote(f.tag.Get("jsonschema_description"))),
		}
	}
	r := jsonschema.Reflector{
		Anonymous:                 true,
		DoNotReference:            true,
		AllowAdditionalProperties: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			if t.Kind() == reflect.Array && t.Elem() == reflect.TypeFor[slot]() {
				return bases[t.Len()]
			}
			return nil
		},
	}
	made := r.ReflectFromType(reflect.StructOf(shown))
	s.Type = "object"
	s.Properties = jsonschema.NewProperties()
	for i := range fields {
		f := &fields[i]
		p, _ := made.Properties.Get(shown[i].Name)
		g.limit(p, f)
		if f.nullable {
			p = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{p, {Type: "null"}}}
		}
		s.Properties.Set(f.name, p)
		if !f.optional() || required(f) {
			s.Required = append(s.Required, f.name)
		}
	}
	return nil
}

func required(f *field) bool {
	for _, item := range splitTag(f.tag.Get("jsonschema")) {
		if item == "required" {
			return true
		}
	}
	return false
}

// checkFields refuses wrong tags, also on fields that a conflict of names hides.
func (g *generator) checkFields(t reflect.Type, path string) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		if !sf.IsExported() && !sf.Anonymous {
			continue
		}
		at := join(path, sf.Name)
		if err := checkField(sf); err != nil {
			return &typeError{at, err}
		}
		if _, ok := sf.Tag.Lookup("jsonschema_extras"); ok {
			return cannot(at, "jsonschema_extras is not supported; use a raw schema")
		}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
			if err := g.checkFields(sf.Type, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldSchema is schema for the type of a field, with ",string" applied.
func (g *generator) fieldSchema(f *field, path string) (*jsonschema.Schema, error) {
	s, err := g.schema(f.typ, path)
	if err != nil || !f.quoted {
		return s, err
	}
	k := f.typ.Kind()
	if k == reflect.Pointer {
		k = f.typ.Elem().Kind()
	}
	switch {
	case k == reflect.Bool:
		return &jsonschema.Schema{Type: "string", Enum: []any{"true", "false"}}, nil
	case float(k):
		return &jsonschema.Schema{Type: "string", Pattern: numberPattern}, nil
	}
	return &jsonschema.Schema{Type: "string", Pattern: integerPattern(k)}, nil
}

// limit puts the bounds of numbers back where a tag is looser than the type.
func (g *generator) limit(s *jsonschema.Schema, f *field) {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if k := t.Kind(); s.Type == "array" && (k == reflect.Slice || k == reflect.Array) {
		s, t = s.Items, t.Elem()
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	k := t.Kind()
	if s.Type == "string" || !integer(k) && !float(k) || opaque(t) || hooked(t) {
		return
	}
	narrow(s, lowest(k), highest(k))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

type schemaHook interface{ JSONSchema() *jsonschema.Schema }

var hookType = reflect.TypeFor[schemaHook]()

func hooked(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && pointerImplements(t, hookType)
}

// hook asks a type for the schema that it has of itself, nil if it has none.
func (g *generator) hook(t reflect.Type, path string) (*jsonschema.Schema, error) {
	if !hooked(t) || t.Kind() == reflect.Interface {
		return nil, nil
	}
	if !opaque(t) {
		if err := newGenerator().walk(t, path); err != nil {
			return nil, err
		}
	}
	own := reflect.New(t).Interface().(schemaHook).JSONSchema()
	if own == nil {
		return nil, cannot(path, "%s has a JSONSchema method that returns nil", t)
	}
	if own.Ref != "" || len(own.Definitions) > 0 {
		return nil, cannot(path, "the JSONSchema method of %s must return a schema without $ref and $defs; write it in one piece", t)
	}
	s := *own
	s.Version, s.ID = "", ""
	return &s, nil
}

// walk checks that a type with a schema of its own can travel by its kind.
func (g *generator) walk(t reflect.Type, path string) error {
	var err error
	switch t.Kind() {
	case reflect.Struct:
		err = g.fill(&jsonschema.Schema{}, t, path)
	case reflect.Slice, reflect.Array:
		_, err = g.schema(t.Elem(), path+"[]")
	case reflect.Map:
		err = g.mapSchema(&jsonschema.Schema{}, t, path)
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer, reflect.Uintptr:
		err = cannot(path, "%s cannot travel: JSON has no form for a value of kind %s", t, t.Kind())
	}
	return err
}

// checkInput refuses types that do not travel as an object, which a request body
// is (socka v1 wire).
func checkInput(t reflect.Type) error {
	e := t
	if e.Kind() == reflect.Pointer {
		e = e.Elem()
	}
	switch s := shapeOf(e); {
	case s == shapeJSON:
		return nil // its own JSON methods may write an object
	case s == shapePlain && (e.Kind() == reflect.Struct || e.Kind() == reflect.Map):
		return nil
	}
	return fmt.Errorf("%s does not travel as an object, which the input of a call must be; use a struct, a map or None", t)
}

var reflected sync.Map // reflect.Type → *compiled

// schemaOfType returns the schema of t, made once.
func schemaOfType(t reflect.Type) (Schema, error) {
	if s, ok := reflected.Load(t); ok {
		return s.(*compiled), nil
	}
	g := newGenerator()
	root, err := g.schema(t, "")
	if err != nil {
		return nil, nameType(err, t)
	}
	doc, err := json.Marshal(g.document(root))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	c, err := compile(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	s, _ := reflected.LoadOrStore(t, c)
	return s.(*compiled), nil
}

func nameType(err error, t reflect.Type) error {
	var te *typeError
	if !errors.As(err, &te) {
		return err
	}
	if te.path == "" {
		return fmt.Errorf("%s: %w", t, te.err)
	}
	return fmt.Errorf("%s, field %s: %w", t, te.path, te.err)
}
