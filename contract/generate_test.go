package contract

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// A chooser picks one of n possibilities. Types are made from a seeded one,
// bodies from the bytes of the fuzzer.
type chooser func(n int) int

func seeded(seed uint64) chooser {
	r := rand.New(rand.NewPCG(seed, 77))
	return r.IntN
}

// fromBytes chooses by the bytes of b, and the first possibility when they are
// used up, which every generator here makes one that ends.
func fromBytes(b []byte) chooser {
	return func(n int) int {
		if len(b) == 0 {
			return 0
		}
		c := int(b[0])
		b = b[1:]
		return c % n
	}
}

var (
	names    = []string{"text", "TEXT", "Text", "n", "items", "é", "a.b", "x-y", "on"}
	patterns = []struct{ expr, fits string }{{"^[a-z]+$", "abc"}, {"^é?$", "é"}, {"[0-9]{2}", "a42"}}
	scalars  = []reflect.Type{
		reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[bool](), reflect.TypeFor[float64](),
		reflect.TypeFor[int8](), reflect.TypeFor[uint8](), reflect.TypeFor[int16](), reflect.TypeFor[uint16](),
		reflect.TypeFor[int32](), reflect.TypeFor[uint32](), reflect.TypeFor[int64](), reflect.TypeFor[uint64](),
		reflect.TypeFor[float32](), reflect.TypeFor[time.Time](), reflect.TypeFor[[]byte](), reflect.TypeFor[any](),
		reflect.TypeFor[json.RawMessage](), reflect.TypeFor[time.Duration](), reflect.TypeFor[generatedRow](), reflect.TypeFor[json.Number](),
		reflect.TypeFor[generatedConflict](),
	}
)

// generatedRow brings a named, recursive type with an embedded one.
type generatedRow struct {
	generatedBase
	Text string         `json:"text" jsonschema:"maxLength=5"`
	Sub  []generatedRow `json:"sub,omitempty"`
	Next *generatedRow  `json:"next"`
}

type generatedBase struct {
	ID   int32  `json:"id"`
	Text string // another name than the outer "text": names match exactly
}

// generatedConflict brings names that hide one another.
type generatedConflict struct {
	inner
	Outer
	Name bool `json:"name"`
}

// generateStruct makes a struct type with tags.
func generateStruct(pick chooser, depth int) reflect.Type {
	n := 1 + pick(4)
	free := append([]string(nil), names...)
	fields := make([]reflect.StructField, 0, n)
	for i := range n {
		at := pick(len(free))
		name := free[at]
		free = append(free[:at], free[at+1:]...)
		fields = append(fields, generateField(pick, fmt.Sprintf("F%d", i), name, depth))
	}
	return reflect.StructOf(fields)
}

func generateField(pick chooser, goName, name string, depth int) reflect.StructField {
	t := generateType(pick, depth)
	jsonTag, socka := name, ""
	elem := t
	if t.Kind() == reflect.Pointer {
		elem = t.Elem()
		if elem != rawType && pick(3) == 0 {
			socka = ` socka:"nullable"`
		}
	}
	if socka == "" {
		fixedSize := t.Kind() == reflect.Struct || t.Kind() == reflect.Array
		switch pick(6) {
		case 0:
			if !fixedSize {
				jsonTag += ",omitempty"
			}
		case 1:
			jsonTag += ",omitzero"
		}
	}
	constraints := ""
	if k := elem.Kind(); (integer(k) || float(k) || k == reflect.Bool) && pick(8) == 0 {
		jsonTag += ",string"
	} else {
		constraints = generateConstraints(pick, elem)
	}
	return reflect.StructField{
		Name: goName,
		Type: t,
		Tag:  reflect.StructTag("json:" + strconv.Quote(jsonTag) + " jsonschema:" + strconv.Quote(constraints) + socka),
	}
}

func generateConstraints(pick chooser, t reflect.Type) string {
	if t == timeType || t == rawType || t == numberType || t.Kind() == reflect.Interface {
		return ""
	}
	switch k := t.Kind(); {
	case k == reflect.String:
		return []string{"", "minLength=1,maxLength=5", "enum=ok,enum=no", "pattern=" + patterns[0].expr,
			"pattern=" + patterns[1].expr, "pattern=" + patterns[2].expr, "maxLength=3"}[pick(7)]
	case integer(k):
		return []string{"", "minimum=1,maximum=100", "exclusiveMinimum=0", "enum=1,enum=7", "multipleOf=5", "minimum=-300,maximum=300000"}[pick(6)]
	case k == reflect.Float32:
		return []string{"", "minimum=-1.5,maximum=149.99"}[pick(2)]
	case k == reflect.Float64:
		return []string{"", "minimum=-1.5,exclusiveMaximum=150", "multipleOf=0.25"}[pick(3)]
	case (k == reflect.Slice || k == reflect.Map) && t.Elem().Kind() == reflect.Uint8:
		return ""
	case k == reflect.Slice:
		if keepsEquality(t.Elem()) && pick(2) == 1 {
			return "uniqueItems=true"
		}
		return []string{"", "minItems=1,maxItems=3"}[pick(2)]
	}
	return ""
}

func generateType(pick chooser, depth int) reflect.Type {
	n := 7
	if depth == 0 {
		n = 2
	}
	switch pick(n) {
	case 2:
		return reflect.SliceOf(generateType(pick, depth-1))
	case 3:
		e := generateType(pick, depth-1)
		if e.Kind() == reflect.Pointer || e.Kind() == reflect.Interface {
			return e
		}
		return reflect.PointerTo(e)
	case 4:
		return generateStruct(pick, depth-1)
	case 5:
		keys := []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[int16](), reflect.TypeFor[uint64]()}
		return reflect.MapOf(keys[pick(len(keys))], generateType(pick, depth-1))
	case 6:
		return reflect.ArrayOf(pick(3), generateType(pick, depth-1))
	}
	return scalars[pick(len(scalars))]
}

// body writes JSON text that is nearly right for a type.
type body struct {
	strings.Builder
	pick chooser
}

func generateBody(pick chooser, t reflect.Type) []byte {
	b := &body{pick: pick}
	b.value(t, "", 6)
	return []byte(b.String())
}

// junk is what may stand in any place instead of what fits.
var junk = []string{
	`null`, `0`, `-0`, `1.0`, `1e2`, `1E+2`, `100.0`, `0.1`, `1.5`, `-1`, `255`, `256`, `300`, `-129`, `65536`, `1e400`,
	`9007199254740992`, `9007199254740993`, `12345678901234567`, `123456789012345678901234`, `3.4028235e38`, `3.5e38`, `1e-400`,
	`""`, `"ok"`, `"OK"`, `"abcdef"`, `"\u00e9\ud83d\ude00"`, `"\ud800"`, "\"\xff\"", `"a` + "\u2028" + `<b>"`, `"\u0000"`,
	`true`, `false`, `[]`, `{}`, `[1]`, `[null]`, `{"text":"ok","TEXT":"abcdef"}`, `"AQID"`, `"AQ=="`, `"AR=="`, `"A"`, "\"AQ\\nID\"",
	`"2024-02-30T00:00:00Z"`, `"2024-02-29T12:00:00.5+01:00"`, `"15:04:05"`, `"01"`, `"7"`, `"-7"`, `"1e2"`, `01`, `nul`,
}

func (b *body) value(t reflect.Type, tag reflect.StructTag, depth int) {
	if b.pick(12) == 11 {
		b.WriteString(junk[b.pick(len(junk))])
		return
	}
	if depth == 0 {
		b.WriteString("null")
		return
	}
	constraints := tag.Get("jsonschema")
	switch k := t.Kind(); {
	case k == reflect.Pointer:
		if tag.Get("socka") != "" && b.pick(2) == 1 {
			b.WriteString("null")
			return
		}
		b.value(t.Elem(), tag, depth)
	case t == timeType:
		b.WriteString([]string{`"2024-02-29T12:00:00Z"`, `"1969-12-31T23:59:59.123456789Z"`, `"2024-02-29T12:00:00.5+01:00"`, `"0001-01-01T00:00:00Z"`}[b.pick(4)])
	case t == numberType:
		b.WriteString([]string{"0", "1e2", "0.1", "12345678901234567"}[b.pick(4)])
	case t == rawType || k == reflect.Interface:
		b.WriteString(junk[b.pick(len(junk))])
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		b.WriteString([]string{`""`, `"AQID"`, `"AQ=="`}[b.pick(3)])
	case k == reflect.String:
		b.text(constraints)
	case k == reflect.Bool:
		s := []string{"true", "false"}[b.pick(2)]
		if strings.Contains(tag.Get("json"), ",string") {
			s = `"` + s + `"`
		}
		b.WriteString(s)
	case integer(k):
		s := []string{"0", "1", "7", "100", "1.0", "1e2", "-1", "127", "128", "40000", "5e0", "-0.0"}[b.pick(12)]
		if strings.Contains(tag.Get("json"), ",string") {
			s = `"` + s + `"`
		}
		b.WriteString(s)
	case float(k):
		s := []string{"0", "0.1", "1", "149.99", "-1.5", "1e2", "16777217", "3.4028235e38", "149.99999999999", "149.990000001", "-1.5000000000001"}[b.pick(11)]
		if strings.Contains(tag.Get("json"), ",string") {
			s = `"` + s + `"`
		}
		b.WriteString(s)
	case k == reflect.Slice:
		b.list(t.Elem(), b.pick(5), depth)
	case k == reflect.Array:
		n := t.Len()
		if b.pick(10) == 9 {
			n++
		}
		b.list(t.Elem(), n, depth)
	case k == reflect.Map:
		b.WriteByte('{')
		keys := []string{"a", "1", "-7", "01", "99999", "<é>"}
		for i := range b.pick(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			if t.Key().Kind() == reflect.String {
				fmt.Fprintf(b, "%q:", keys[b.pick(len(keys))])
			} else {
				fmt.Fprintf(b, `"%d":`, b.pick(4))
			}
			b.value(t.Elem(), "", depth-1)
		}
		b.WriteByte('}')
	default:
		b.object(t, depth)
	}
}

func (b *body) text(constraints string) {
	for _, p := range patterns {
		if strings.Contains(constraints, p.expr) {
			fmt.Fprintf(b, "%q", p.fits)
			return
		}
	}
	b.WriteString([]string{`"ok"`, `"no"`, `"éé\u00e9"`, `"\ud83d\ude00<b>&"`, `""`}[b.pick(5)])
}

func (b *body) list(elem reflect.Type, n, depth int) {
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.value(elem, "", depth-1)
	}
	b.WriteByte(']')
}

func (b *body) object(t reflect.Type, depth int) {
	b.WriteByte('{')
	n := 0
	key := func(name string) {
		if n++; n > 1 {
			b.WriteByte(',')
		}
		text, _ := json.Marshal(name)
		b.Write(text)
		b.WriteByte(':')
	}
	for _, f := range fieldsOf(t) {
		skip := 20
		if f.optional() {
			skip = 3
		}
		if b.pick(skip) == skip-1 {
			continue
		}
		key(f.name)
		b.value(f.typ, f.tag, depth-1)
		switch b.pick(20) {
		case 19: // a repeated key
			key(f.name)
			b.value(f.typ, f.tag, depth-1)
		case 18: // the same name in other case
			key(strings.ToUpper(f.name) + "")
			b.WriteString(junk[b.pick(len(junk))])
		case 17:
			key("unknown")
			b.WriteString(junk[b.pick(len(junk))])
		}
	}
	b.WriteByte('}')
}
