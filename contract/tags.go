package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// splitTag splits a jsonschema tag at the commas that no backslash escapes.
func splitTag(tag string) []string {
	if tag == "" {
		return nil
	}
	var items []string
	for part := range strings.SplitSeq(tag, ",") {
		if n := len(items) - 1; n >= 0 && strings.HasSuffix(items[n], `\`) {
			items[n] = strings.TrimSuffix(items[n], `\`) + "," + part
			continue
		}
		items = append(items, part)
	}
	return items
}

// checkConstraints refuses a jsonschema tag of which invopop/jsonschema would
// silently ignore a part, or which would widen what the Go type can hold. The
// schema s is that of the field's type t without the tag; fixed says that the
// type brings its own and takes descriptions only.
//
// It also refuses what could hold for a body and no longer hold for the same
// body after it was decoded, because the Go type keeps less than was sent.
func checkConstraints(tag string, s *jsonschema.Schema, t reflect.Type, fixed bool) error {
	for _, item := range splitTag(tag) {
		if item == "required" {
			continue
		}
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return fmt.Errorf("cannot read %q in the jsonschema tag; it takes required and name=value", item)
		}
		if err := checkConstraint(key, value, s, t, fixed); err != nil {
			return fmt.Errorf("%s in the jsonschema tag: %w", key, err)
		}
	}
	return nil
}

func checkConstraint(key, value string, s *jsonschema.Schema, t reflect.Type, fixed bool) error {
	if key == "title" || key == "description" {
		return nil
	}
	if fixed {
		return fmt.Errorf("the type brings its own schema; only title and description may be added")
	}
	if s.Type == "array" {
		switch key {
		case "minItems", "maxItems":
			if s.MaxItems != nil {
				return fmt.Errorf("a Go array has its length already")
			}
			return checkCount(value)
		case "uniqueItems":
			if value != "true" {
				return fmt.Errorf("want true, got %q", value)
			}
			if !keepsEquality(t.Elem()) {
				return fmt.Errorf("items of type %s that differ as sent may be equal once read; only strings, integers and booleans can be unique", t.Elem())
			}
			return nil
		}
		s = s.Items
		if t = t.Elem(); t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	switch s.Type {
	case "string":
		switch key {
		case "minLength", "maxLength":
			return checkCount(value)
		case "pattern":
			if s.Pattern != "" {
				return fmt.Errorf("the type has a pattern already")
			}
			_, err := regexp.Compile(value)
			return err
		case "format":
			if s.Format != "" || s.Pattern != "" {
				return fmt.Errorf("the type has a format already")
			}
			return checkFormat(value)
		case "enum":
			if len(s.Enum) > 0 {
				return fmt.Errorf("the type has its values already")
			}
			return nil
		case "example":
			return nil
		}
	case "integer", "number":
		if t.Kind() == reflect.Float32 && key != "example" {
			return checkFloat32(key, value)
		}
		switch key {
		case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "example":
			_, err := checkNumber(value)
			return err
		case "multipleOf":
			f, err := checkNumber(value)
			if err == nil && f <= 0 {
				err = fmt.Errorf("want more than 0, got %s", value)
			}
			return err
		}
	}
	return errKeyword
}

// keepsEquality reports whether values of t are equal exactly if their trees are.
func keepsEquality(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	k := t.Kind()
	return !opaque(t) && !hooked(t) && (k == reflect.String || k == reflect.Bool || integer(k))
}

// checkFloat32 refuses what rounding to a float32 could break.
func checkFloat32(key, value string) error {
	switch key {
	case "minimum", "maximum", "enum":
		f, err := checkNumber(value)
		if err != nil {
			return err
		}
		if short, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'g', -1, 32), 64); short != f {
			return fmt.Errorf("%s is not a float32; use float64 or fewer digits", value)
		}
		return nil
	case "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return fmt.Errorf("a float32 is rounded when it is read; use float64")
	}
	return errKeyword
}

var errKeyword = errors.New("not known, or not for this type; the package documentation lists what there is")

func checkCount(value string) error {
	if _, err := strconv.ParseUint(value, 10, 31); err != nil {
		return fmt.Errorf("want a count, got %q", value)
	}
	return nil
}

func checkNumber(value string) (float64, error) {
	var f float64
	if err := json.Unmarshal([]byte(value), &f); err != nil || value == "null" {
		return 0, fmt.Errorf("want a number, got %q", value)
	}
	return f, nil
}

// narrow keeps the bounds of the type where a tag has looser ones.
func narrow(s *jsonschema.Schema, lowest, highest json.Number) {
	if lowest != "" && (s.Minimum == "" || less(s.Minimum, lowest)) {
		s.Minimum = lowest
	}
	if highest != "" && (s.Maximum == "" || less(highest, s.Maximum)) {
		s.Maximum = highest
	}
}

func less(a, b json.Number) bool {
	x, _ := a.Float64()
	y, _ := b.Float64()
	return x < y
}
