package snapshot

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// structure makes the plan of a struct by the rules of encoding/json.
func (c *compiler) structure(p *plan, path string) string {
	s := structCompiler{compiler: c, plan: p, names: make(map[string]string)}
	if problem := s.add(p.typ, nil, path, []reflect.Type{p.typ}); problem != "" {
		return problem
	}
	p.byName = make(map[string]int, len(p.fields))
	for i, f := range p.fields {
		p.byName[f.name] = i
	}
	return ""
}

// structCompiler collects the fields of a struct and of those embedded in it, which share one object.
type structCompiler struct {
	*compiler
	plan  *plan
	names map[string]string // the path of the field that has a name
}

// add adds the fields of t, which is found by index and at path. within are the structs around them.
func (s *structCompiler) add(t reflect.Type, index []int, path string, within []reflect.Type) string {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = ""
		}
		at := path + "." + f.Name
		here := append(slices.Clone(index), i)

		if inner, pointer := embedded(f, name); inner != nil {
			switch {
			case pointer && !f.IsExported():
				return fmt.Sprintf("%s is an embedded pointer to a struct that is not exported, which cannot be set when it is read; embed %s itself", at, inner)
			case slices.Contains(within, inner):
				return fmt.Sprintf("%s embeds %s in itself; name the field", at, inner)
			}
			if problem := s.add(inner, here, at, append(slices.Clone(within), inner)); problem != "" {
				return problem
			}
			continue
		}
		if !f.IsExported() {
			return fmt.Sprintf("%s is not exported; export it, or tag it `json:\"-\"` if it may be lost", at)
		}
		if name == "" {
			name = f.Name
		}
		if other := s.names[name]; other != "" {
			return fmt.Sprintf("%s and %s are both %q, so one of them is not written; give one another name", other, at, name)
		}
		s.names[name] = at
		p, problem := s.compile(f.Type, at)
		if problem != "" {
			return problem
		}
		s.plan.fields = append(s.plan.fields, field{
			name: name, key: appendString(nil, name), index: here, plan: p,
			omitEmpty: hasOption(options, "omitempty"),
			omitZero:  hasOption(options, "omitzero"),
			isZero:    f.Type.Implements(zeroer) || reflect.PointerTo(f.Type).Implements(zeroer),
		})
	}
	return ""
}

// embedded returns the struct whose fields count as fields of the struct around it, or nil.
func embedded(f reflect.StructField, name string) (inner reflect.Type, pointer bool) {
	if !f.Anonymous || name != "" {
		return nil, false
	}
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t, pointer = t.Elem(), true
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	return t, pointer
}

func hasOption(options, name string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == name {
			return true
		}
	}
	return false
}

// validName says whether encoding/json takes a name from a tag.
func validName(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// of returns the field in a struct; ok is false if it is in an embedded pointer that is nil.
func (f *field) of(v reflect.Value) (_ reflect.Value, ok bool) {
	for i, x := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, true
}

// in returns the field in a struct, with embedded pointers set.
func (f *field) in(v reflect.Value) reflect.Value {
	for i, x := range f.index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v
}

// omitted says whether a value of the field is left out.
func (f *field) omitted(v reflect.Value) bool {
	return f.omitEmpty && empty(v) || f.omitZero && f.zero(v)
}

func (f *field) zero(v reflect.Value) bool {
	if !f.isZero {
		return v.IsZero()
	}
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return true
	}
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	return v.Addr().Interface().(interface{ IsZero() bool }).IsZero()
}

// empty is what encoding/json leaves out with omitempty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Pointer, reflect.Interface:
		return v.IsNil()
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
