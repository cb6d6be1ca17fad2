package contract

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/wire"
)

type seedIn struct {
	Text string `json:"text" jsonschema:"maxLength=5"`
	N    int    `json:"n,omitempty"`
}

// generatedType is type number n: 0 is seedIn, the others are made from n. The
// number is bounded, because types made by reflection are never freed.
func generatedType(n uint16) reflect.Type {
	if n %= 2048; n > 0 {
		return generateStruct(seeded(uint64(n)), 3)
	}
	return reflect.TypeFor[seedIn]()
}

// FuzzAcceptedBodies holds what was validated against what is decoded. The bytes
// choose a body that is nearly right for the type, or are the body if raw.
func FuzzAcceptedBodies(f *testing.F) {
	for _, s := range []string{
		`{"text":"ok","TEXT":"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"}`, `{"TEXT":"ok"}`,
		`{"text":"ok","text":"abcdef"}`, `{"text":"ok","n":1.0}`, `{"text":"ok","n":1e2}`, `{"text":"ok","n":1e400}`,
		"{\"text\":\"\xff\"}", `{"text":"\ud800"}`, `{"text":"ok","n":9007199254740993}`, `{"text":"ok","n":-0}`, `{"text":null}`,
		`{"text":"😀😀😀😀😀"}`, `{"text":"ok","more":{"text":"ok","text":1}}`,
	} {
		f.Add(uint16(0), true, []byte(s))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 40 {
		b := make([]byte, 64)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(uint16(n), false, b)
	}
	f.Fuzz(func(t *testing.T, n uint16, raw bool, b []byte) {
		typ := generatedType(n)
		text := b
		if !raw {
			text = generateBody(fromBytes(b), typ)
		}
		_, err := checkAccepted(typ, text)
		if err == nil {
			err = checkCodec(typ, text)
		}
		if err != nil {
			t.Fatalf("type %s\nbody %q\n%v", typ, text, err)
		}
	})
}

// TestAcceptedBodies is the fuzz test over fixed seeds, with a count of both
// outcomes: a generator that only makes refused bodies would prove nothing.
func TestAcceptedBodies(t *testing.T) {
	accepted, refused, fast, read := 0, 0, 0, 0
	for n := range uint16(400) {
		typ := generatedType(n)
		for seed := range uint64(25) {
			text := generateBody(seeded(uint64(n)<<32|seed), typ)
			ok, err := checkAccepted(typ, text)
			if err == nil {
				err = checkCodec(typ, text)
			}
			if err != nil {
				t.Fatalf("type %d %s\nbody %q\n%v", n, typ, text, err)
			}
			if ok {
				accepted++
				s, _ := schemaOfType(typ)
				if tree, _ := wire.Parse(wire.JSON, text); s.(*compiled).fast != nil && s.(*compiled).fast.accept(tree) {
					fast++
					if b, _ := bodyTypeOf(typ); b.fast != nil && b.fast.Decode(wire.JSON, text, reflect.New(typ).Interface()) {
						read++
					}
				}
			} else {
				refused++
			}
		}
	}
	t.Logf("%d bodies accepted, %d of them at once, %d while they were read, %d refused", accepted, fast, read, refused)
	if fast < accepted/2 {
		t.Error("the acceptor is sure of too little")
	}
	if read < fast/3 {
		t.Error("the codec is sure of too little")
	}
	if accepted < 1000 || refused < 1000 {
		t.Errorf("the generator is one-sided: %d accepted, %d refused", accepted, refused)
	}
}

// checkAccepted decodes a body of a type and, if it is accepted, checks in both
// formats that what the handler gets encodes to an accepted body that is equal.
func checkAccepted(t reflect.Type, text []byte) (accepted bool, err error) {
	s, err := schemaOfType(t)
	if err != nil {
		return false, fmt.Errorf("the type is refused: %w", err)
	}
	if tree, err := wire.Parse(wire.JSON, text); err == nil {
		if err := checkFast(s.(*compiled), tree); err != nil {
			return false, err
		}
	}
	got := reflect.New(t)
	if err := decode(wire.JSON, text, got.Interface(), t, s, InvalidInput); err != nil {
		return false, checkRefused(t, s, text, err)
	}
	if err := checkSame(wire.JSON, s, t, text, got); err != nil {
		return true, fmt.Errorf("json: %w", err)
	}
	packed, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, text)
	if err != nil {
		return true, fmt.Errorf("accepted, but not transcoded: %w", err)
	}
	again := reflect.New(t)
	if err := decode(wire.Msgpack, packed, again.Interface(), t, s, InvalidInput); err != nil {
		return true, fmt.Errorf("accepted as json, but as msgpack: %w", err)
	}
	if err := checkSame(wire.Msgpack, s, t, packed, again); err != nil {
		return true, fmt.Errorf("msgpack: %w", err)
	}
	return true, nil
}

// checkFast holds the acceptor against gojsonschema.
func checkFast(c *compiled, tree any) error {
	if c.fast == nil {
		return nil
	}
	issues := c.thorough(tree)
	if c.fast.accept(tree) && len(issues) > 0 {
		return fmt.Errorf("the acceptor takes what gojsonschema refuses: %v", issues)
	}
	var x explainer
	switch got := x.explain(c.fast, tree, nil); {
	case got == accepted && len(issues) > 0:
		return fmt.Errorf("the explainer takes what gojsonschema refuses: %v", issues)
	case got == refused && len(issues) == 0:
		return fmt.Errorf("the explainer refuses what gojsonschema takes: %v", x.found)
	case (got == refused) != (len(x.found) > 0):
		return fmt.Errorf("verdict %d with the faults %v", got, x.found)
	}
	for _, i := range x.found {
		if len(issues) < maxFound && !slices.ContainsFunc(issues, func(j Issue) bool { return i.Path == j.Path }) {
			return fmt.Errorf("the explainer finds a fault at %q, gojsonschema only %v", i.Path, issues)
		}
	}
	return nil
}

// checkRefused checks that the error of a refused body is coded, and that the
// schema alone refuses it wherever the documentation does not leave it to the
// type: map keys and ",string" integers out of range.
func checkRefused(t reflect.Type, s Schema, text []byte, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Code != InvalidInput || e.Message == "" {
		return fmt.Errorf("refused by %#v, which is not an InvalidInput with a message", err)
	}
	tree, perr := wire.Parse(wire.JSON, text)
	if perr != nil || len(s.Validate(tree)) > 0 || loose(t) && (strings.Contains(e.Message, "does not fit") || strings.Contains(e.Message, "in decimal")) {
		return nil
	}
	return fmt.Errorf("the schema accepts what decoding refuses: %v", err)
}

// loose reports whether t has map keys or text that hold integers.
func loose(t reflect.Type) bool {
	text := fmt.Sprint(t)
	return strings.Contains(text, "map[int16]") || strings.Contains(text, "map[uint64]") || strings.Contains(text, ",string")
}

func checkSame(f wire.Format, s Schema, t reflect.Type, body []byte, got reflect.Value) error {
	out, err := encode(f, got.Elem().Interface(), t, s, InvalidOutput)
	if err != nil {
		return fmt.Errorf("accepted, but what it decodes to is not: %w", err)
	}
	before, err := wire.Parse(f, body)
	if err != nil {
		return err
	}
	after, err := wire.Parse(f, out)
	if err != nil {
		return err
	}
	if err := same(t, false, before, after); err != nil {
		return fmt.Errorf("%w\nsent again as %q", err, out)
	}
	return nil
}

// same compares the tree that came in with the one that went out, as far as type
// t knows it: unknown fields may be missing, base64 and time may be written
// differently, and a zero value in an omitempty or omitzero field may be absent.
func same(t reflect.Type, quoted bool, in, out any) error {
	differ := fmt.Errorf("%s: %#v became %#v", t, in, out)
	switch k := t.Kind(); {
	case k == reflect.Pointer:
		if in == nil || out == nil {
			if in != out {
				return differ
			}
			return nil
		}
		return same(t.Elem(), quoted, in, out)
	case t == timeType:
		a, err1 := time.Parse(time.RFC3339Nano, in.(string))
		b, err2 := time.Parse(time.RFC3339Nano, out.(string))
		if err1 != nil || err2 != nil || !a.Equal(b) {
			return differ
		}
		return nil
	case t == numberType, t == rawType, k == reflect.Interface:
		if !reflect.DeepEqual(floats(in), floats(out)) {
			return differ
		}
		return nil
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		a, err1 := base64.StdEncoding.DecodeString(in.(string))
		b, err2 := base64.StdEncoding.DecodeString(out.(string))
		if err1 != nil || err2 != nil || string(a) != string(b) {
			return differ
		}
		return nil
	case float(k):
		a, _ := strconv.ParseFloat(fmt.Sprint(in), t.Bits()) // text if quoted
		b, _ := strconv.ParseFloat(fmt.Sprint(out), t.Bits())
		if a != b {
			return differ
		}
		return nil
	case k == reflect.Slice || k == reflect.Array:
		a, b := in.([]any), out.([]any)
		if len(a) != len(b) {
			return differ
		}
		for i := range a {
			if err := same(t.Elem(), false, a[i], b[i]); err != nil {
				return err
			}
		}
		return nil
	case k == reflect.Map:
		a, b := in.(map[string]any), out.(map[string]any)
		if len(a) != len(b) {
			return differ
		}
		for key := range a {
			if _, ok := b[key]; !ok {
				return differ
			}
			if err := same(t.Elem(), false, a[key], b[key]); err != nil {
				return err
			}
		}
		return nil
	case k == reflect.Struct:
		return sameStruct(t, in.(map[string]any), out.(map[string]any))
	}
	if in != out {
		return differ
	}
	return nil
}

func sameStruct(t reflect.Type, in, out map[string]any) error {
	known := 0
	for _, f := range fieldsOf(t) {
		a, hasA := in[f.name]
		b, hasB := out[f.name]
		if hasB {
			known++
		}
		switch {
		case hasA && hasB:
			if err := same(f.typ, f.quoted, a, b); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
		case hasB:
			return fmt.Errorf("%s: absent became %#v", f.name, b)
		case hasA && !leftOut(f, a):
			return fmt.Errorf("%s: %#v was lost", f.name, a)
		}
	}
	if known != len(out) {
		return fmt.Errorf("%s: fields came from nowhere: %#v", t, out)
	}
	return nil
}

// leftOut reports whether the value of a field may be left out: it is the zero
// value, or empty, and the tag says so.
func leftOut(f field, tree any) bool {
	if !f.omitEmpty && !f.omitZero {
		return false
	}
	v := reflect.New(f.typ)
	if f.quoted {
		n, err := strconv.ParseFloat(fmt.Sprint(tree), 64)
		return tree == "false" || err == nil && n == 0
	}
	if err := wire.Bind(tree, v.Interface()); err != nil {
		return false
	}
	if f.omitEmpty {
		switch f.typ.Kind() {
		case reflect.Slice, reflect.Map:
			return v.Elem().Len() == 0
		}
	}
	if z, ok := v.Elem().Interface().(interface{ IsZero() bool }); ok && f.omitZero {
		return z.IsZero() // time.Time and pointers to it, as encoding/json has it
	}
	return v.Elem().IsZero()
}

// floats has every number of a tree as the float64 that it is in JavaScript.
func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = floats(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = floats(v[k])
		}
		return out
	}
	return v
}
