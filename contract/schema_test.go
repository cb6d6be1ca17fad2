//lint:file-ignore SA5008 tags that encoding/json would not know are what is tested here

package contract

import (
	"encoding/json"
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/wire"
	"github.com/invopop/jsonschema"
)

type tree []tree

type list struct {
	Value int   `json:"value"`
	Next  *list `json:"next"`
}

type colour string

func (colour) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Enum: []any{"red", "green"}, Description: "A colour."}
}

// TestTypeSchemas is the table of types in the package documentation.
func TestTypeSchemas(t *testing.T) {
	one := func(s Schema) string { return string(s.JSONSchema()) }
	tests := []struct{ name, got, want string }{
		{"bool", one(SchemaOf[bool]()), `{"type":"boolean"}`},
		{"string", one(SchemaOf[string]()), `{"type":"string"}`},
		{"int", one(SchemaOf[int]()), `{"type":"integer","maximum":9007199254740992,"minimum":-9007199254740992}`},
		{"int8", one(SchemaOf[int8]()), `{"type":"integer","maximum":127,"minimum":-128}`},
		{"int16", one(SchemaOf[int16]()), `{"type":"integer","maximum":32767,"minimum":-32768}`},
		{"int32", one(SchemaOf[int32]()), `{"type":"integer","maximum":2147483647,"minimum":-2147483648}`},
		{"int64", one(SchemaOf[int64]()), `{"type":"integer","maximum":9007199254740992,"minimum":-9007199254740992}`},
		{"uint8", one(SchemaOf[uint8]()), `{"type":"integer","maximum":255,"minimum":0}`},
		{"uint16", one(SchemaOf[uint16]()), `{"type":"integer","maximum":65535,"minimum":0}`},
		{"uint32", one(SchemaOf[uint32]()), `{"type":"integer","maximum":4294967295,"minimum":0}`},
		{"uint64", one(SchemaOf[uint64]()), `{"type":"integer","maximum":9007199254740992,"minimum":0}`},
		{"float32", one(SchemaOf[float32]()), `{"type":"number","maximum":3.4028235e+38,"minimum":-3.4028235e+38}`},
		{"float64", one(SchemaOf[float64]()), `{"type":"number"}`},
		{"json.Number", one(SchemaOf[json.Number]()), `{"type":"number"}`},
		{"bytes", one(SchemaOf[[]byte]()), `{"type":"string","pattern":` + quoted(base64Pattern) + `,"contentEncoding":"base64"}`},
		{"time", one(SchemaOf[time.Time]()), `{"type":"string","format":"date-time"}`},
		{"duration", one(SchemaOf[time.Duration]()), `{"type":"integer","maximum":9007199254740992,"minimum":-9007199254740992}`},
		{"any", one(SchemaOf[any]()), `true`},
		{"raw", one(SchemaOf[json.RawMessage]()), `true`},
		{"text", one(SchemaOf[netip.Addr]()), `{"type":"string"}`},
		{"json methods", one(SchemaOf[big.Int]()), `{"not":{"type":"null"}}`},
		{"own", one(SchemaOf[colour]()), `{"type":"string","enum":["red","green"],"description":"A colour."}`},
		{"slice", one(SchemaOf[[]int8]()), `{"items":{"type":"integer","maximum":127,"minimum":-128},"type":"array"}`},
		{"array", one(SchemaOf[[2]bool]()), `{"items":{"type":"boolean"},"type":"array","maxItems":2,"minItems":2}`},
		{"map", one(SchemaOf[map[string]bool]()), `{"additionalProperties":{"type":"boolean"},"type":"object"}`},
		{"int map", one(SchemaOf[map[int8]bool]()), `{"additionalProperties":{"type":"boolean"},"propertyNames":{"pattern":"^(?:0|-?[1-9][0-9]*)$"},"type":"object"}`},
		{"uint map", one(SchemaOf[map[uint]bool]()), `{"additionalProperties":{"type":"boolean"},"propertyNames":{"pattern":"^(?:0|[1-9][0-9]*)$"},"type":"object"}`},
		{"text map", one(SchemaOf[map[netip.Addr]bool]()), `{"additionalProperties":{"type":"boolean"},"type":"object"}`},
		{"pointer", one(SchemaOf[*bool]()), `{"type":"boolean"}`},
		{"none", one(SchemaOf[None]()), `{"properties":{},"type":"object"}`},
		{"recursive slice", one(SchemaOf[tree]()), `{"$ref":"#/$defs/tree","$defs":{"tree":{"items":{"$ref":"#/$defs/tree"},"type":"array"}}}`},
		{"recursive struct", one(SchemaOf[list]()), `{"$ref":"#/$defs/list","$defs":{"list":{"properties":{"value":{"type":"integer","maximum":9007199254740992,"minimum":-9007199254740992},"next":{"$ref":"#/$defs/list"}},"type":"object","required":["value"]}}}`},
		{"optional, nullable, required", one(SchemaOf[struct {
			A *bool  `json:"a"`
			B bool   `json:"b,omitempty"`
			C bool   `json:"c,omitzero"`
			D *bool  `json:"d" socka:"nullable"`
			E *bool  `json:"e" jsonschema:"required"`
			F *bool  `json:"f,omitempty" jsonschema:"required"`
			G bool   `json:"-"`
			h bool   //nolint:unused // unexported: not on the wire
			I int    `json:",string"`
			J uint   `json:"j,string"`
			K bool   `json:"k,string"`
			L []bool `json:"-,"`
		}]()), `{"properties":{"a":{"type":"boolean"},"b":{"type":"boolean"},"c":{"type":"boolean"},"d":{"anyOf":[{"type":"boolean"},{"type":"null"}]},"e":{"type":"boolean"},"f":{"type":"boolean"},` +
			`"I":{"type":"string","pattern":"^(?:0|-?[1-9][0-9]*)$"},"j":{"type":"string","pattern":"^(?:0|[1-9][0-9]*)$"},"k":{"type":"string","enum":["true","false"]},"-":{"items":{"type":"boolean"},"type":"array"}},` +
			`"type":"object","required":["d","e","f","I","j","k","-"]}`},
		{"constraints", one(SchemaOf[struct {
			A string   `json:"a" jsonschema:"minLength=1,maxLength=2,pattern=^a{1\\,2}$,title=T,description=D\\, d,example=e"`
			B string   `json:"b" jsonschema:"format=email,enum=x,enum=y"`
			C float64  `json:"c" jsonschema:"minimum=-1.5,exclusiveMaximum=1e2,multipleOf=0.5,enum=1.0"`
			D uint8    `json:"d" jsonschema:"minimum=-7,maximum=1000"` // looser than the type
			E []string `json:"e" jsonschema:"minItems=1,maxItems=3,uniqueItems=true,maxLength=9,format=uuid" jsonschema_description:"All of them."`
			F []int8   `json:"f" jsonschema:"minimum=-999,maximum=5"`
			G list     `json:"g" jsonschema:"description=A list."`
		}]()), `{"$defs":{"list":{"properties":{"value":{"type":"integer","maximum":9007199254740992,"minimum":-9007199254740992},"next":{"$ref":"#/$defs/list"}},"type":"object","required":["value"]}},` +
			`"properties":{"a":{"type":"string","maxLength":2,"minLength":1,"pattern":"^a{1,2}$","title":"T","description":"D, d","examples":["e"]},` +
			`"b":{"type":"string","enum":["x","y"],"format":"email"},` +
			`"c":{"type":"number","enum":[1.0],"multipleOf":0.5,"exclusiveMaximum":1e2,"minimum":-1.5},` +
			`"d":{"type":"integer","maximum":255,"minimum":0},` +
			`"e":{"items":{"type":"string","maxLength":9,"format":"uuid"},"type":"array","maxItems":3,"minItems":1,"uniqueItems":true,"description":"All of them."},` +
			`"f":{"items":{"type":"integer","maximum":5,"minimum":-128},"type":"array"},` +
			`"g":{"$ref":"#/$defs/list","description":"A list."}},"type":"object","required":["a","b","c","d","e","f","g"]}`},
		{"embedded", one(SchemaOf[struct {
			inner
			Outer
			Name bool `json:"name"` // hides the deeper ones
		}]()), `{"properties":{"id":{"type":"boolean"},"both2":{"type":"integer","maximum":9007199254740992,"minimum":-9007199254740992},"both":{"type":"string"},"name":{"type":"boolean"}},"type":"object","required":["id","both2","both","name"]}`},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, test.got, test.want)
		}
	}
}

type inner struct {
	ID   bool   `json:"id"`
	Both int    `json:"both2"`
	Name string `json:"name"`
	Same string
}

type Outer struct {
	Both string `json:"both"`
	Same string // conflicts with inner.Same: neither travels
	Both2
}

type Both2 struct {
	Deep string `json:"both2"` // deeper than inner's, and hidden by it
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// validate runs a schema on JSON text and joins what it finds.
func validate(t *testing.T, s Schema, text string) string {
	t.Helper()
	tree, err := wire.Parse(wire.JSON, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range s.Validate(tree) {
		all = append(all, i.String())
	}
	return strings.Join(all, "; ")
}

func TestRawSchema(t *testing.T) {
	tests := []struct{ schema, body, want string }{
		{`true`, `1`, ``},
		{`false`, `1`, `body: is not allowed`},
		{`{"type":"integer","maximum":150}`, `360`, `body: must be at most 150`},
		{`{"type":"integer","maximum":150}`, `1.5e2`, ``},
		{`{"exclusiveMaximum":1}`, `1.0`, `body: must be less than 1`},
		{`{"exclusiveMinimum":0.5}`, `0.5`, `body: must be more than 0.5`},
		{`{"minimum":-9007199254740992}`, `-9007199254740993`, `body: must be at least -9007199254740992`},
		{`{"multipleOf":0.1}`, `0.35`, `body: must be a multiple of 0.1`},
		{`{"type":["string","null"]}`, `true`, `body: expected string or null, received boolean`},
		{`{"const":1.0}`, `1`, ``},
		{`{"enum":[1e2,"a",{"x":1.0}]}`, `{"x":1}`, ``},
		{`{"enum":["a","b"]}`, `"c"`, `body: must be one of "a", "b"`},
		{`{"minLength":2}`, `"😀"`, `body: must have at least 2 characters`},
		{`{"maxLength":1}`, `"😀"`, ``},
		{`{"pattern":"^a"}`, `"ba"`, `body: must match the pattern ^a`},
		{`{"format":"date-time"}`, `"15:04:05"`, `body: must be of the format date-time`},
		{`{"format":"email"}`, `7`, ``},
		{`{"properties":{"a":{"items":{"properties":{"b":{"type":"string"}}}}}}`, `{"a":[{},{"b":1}]}`, `a[1].b: expected string, received number`},
		{`{"required":["a","b"]}`, `{}`, `a: is required; b: is required`},
		{`{"additionalProperties":false,"properties":{"a":true}}`, `{"a":1,"z":2}`, `z: is not known`},
		{`{"propertyNames":{"pattern":"^[a-z]$"}}`, `{"a":1,"0":2}`, `0: must match the pattern ^[a-z]$`},
		{`{"patternProperties":{"^x":{"type":"null"}}}`, `{"xy":1}`, `xy: expected null, received number`},
		{`{"minProperties":1}`, `{}`, `body: must have at least 1 properties`},
		{`{"uniqueItems":true}`, `[1,1.0]`, `body: items 0 and 1 are equal`},
		{`{"minItems":1}`, `[]`, `body: must have at least 1 items`},
		{`{"maxItems":1}`, `[1,2]`, `body: must have at most 1 items`},
		{`{"items":[{"type":"string"}],"additionalItems":false}`, `["a",1]`, `body: no additional items allowed on array`},
		{`{"contains":{"const":1}}`, `[2]`, `body: at least one of the items must match; [0]: must be one of 1`},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `1`, `body: expected string, received number`},
		{`{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1`, `body: matches none of the allowed forms, or more than one`},
		{`{"allOf":[{"type":"string"}]}`, `1`, `body: expected string, received number`},
		{`{"not":{"type":"string"}}`, `""`, `body: has a form that is not allowed`},
		{`{"if":{"required":["a"]},"then":{"required":["b"]}}`, `{"a":1}`, `b: is required`},
		{`{"dependencies":{"a":["b"],"c":{"required":["d"]}}}`, `{"a":1,"c":1}`, `body: has a dependency on b; d: is required`},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.org/s","$defs":{"a/b":{"type":"string"}},"items":{"$ref":"#/$defs/a~1b"}}`, `[1]`, `[0]: expected string, received number`},
		{`{"definitions":{"é":{"type":"string"}},"items":{"$ref":"#/definitions/%C3%A9"}}`, `["x",null]`, `[1]: expected string, received null`},
		{`{"properties":{"next":{"$ref":"#"},"n":{"type":"integer"}},"x-note":"kept"}`, `{"next":{"next":{"n":"1"}}}`, `next.next.n: expected integer, received string`},
		{`{"properties":{"$ref":{"type":"string"}}}`, `{"$ref":1}`, `$ref: expected string, received number`},
	}
	for _, test := range tests {
		s, err := ParseSchema(test.schema)
		if err != nil {
			t.Errorf("%s: %v", test.schema, err)
			continue
		}
		if tree, _ := wire.Parse(wire.JSON, []byte(test.body)); checkFast(s.(*compiled), tree) != nil {
			t.Errorf("%s of %s: %v", test.schema, test.body, checkFast(s.(*compiled), tree))
		}
		if got := validate(t, s, test.body); got != test.want {
			t.Errorf("%s of %s:\n got %s\nwant %s", test.schema, test.body, got, test.want)
		}
		if string(s.JSONSchema()) != test.schema {
			t.Errorf("the document of %s became %s", test.schema, s.JSONSchema())
		}
	}
}

func TestRawSchemaRefused(t *testing.T) {
	tests := []struct{ schema, want string }{
		{``, "is not JSON"},
		{`{`, "is not JSON"},
		{`{} {}`, "followed by something else"},
		{`7`, "at #: want an object or a boolean"},
		{`{"maxLenght":5}`, `at #: unknown keyword "maxLenght"`},
		{`{"prefixItems":[]}`, `unknown keyword "prefixItems"`},
		{`{"properties":{"a":{"unevaluatedProperties":false}}}`, `at #/properties/a: unknown keyword "unevaluatedProperties"`},
		{`{"format":"colour"}`, `at #: unknown format "colour"`},
		{`{"maxLength":"5"}`, "does not compile: "},
		{`{"type":"text"}`, "does not compile: "},
		{`{"pattern":"(?=x)"}`, "does not compile: "},
		{`{"minimum":1,"exclusiveMinimum":true}`, "does not compile: "},
		{`{"$ref":"https://example.org/s"}`, "only references into the same document"},
		{`{"$ref":"file:///etc/passwd"}`, "only references into the same document"},
		{`{"$ref":"other.json"}`, "only references into the same document"},
		{`{"$ref":7}`, "only references into the same document"},
		{`{"$ref":"#/%zz"}`, "$ref: invalid URL escape"},
		{`{"items":{"$ref":"#/$defs/a"}}`, "at #/items: the $ref leads to #/definitions/a, where no schema is"},
		{`{"examples":[{}],"items":{"$ref":"#/examples/0"}}`, "where no schema is"},
		{`{"items":{"$ref":"#","maxLength":5}}`, `at #/items: "maxLength" beside $ref has no effect`},
		{`{"items":{"$id":"x"}}`, "$id below the top is not supported"},
		{`{"$defs":{},"definitions":{}}`, "use $defs or definitions, not both"},
		{`{"$ref":"#"}`, "at # refers to itself without end"},
		{`{"allOf":[{"anyOf":[{"$ref":"#/$defs/a"}]}],"$defs":{"a":{"not":{"$ref":"#"}}}}`, "refers to itself without end"},
		{`{"if":{"$ref":"#"}}`, "refers to itself without end"},
		{`{"dependencies":{"a":{"$ref":"#"}}}`, "refers to itself without end"},
		{`{"allOf":{}}`, "at #/allOf: want a list of schemas"},
		{`{"properties":[]}`, "at #/properties: want an object of schemas"},
		{`{"items":7}`, "at #/items: want an object or a boolean"},
		{`{"const":1e400}`, "beyond the range of a float64"},
		{`{"enum":["\ud800"]}`, ""}, // encoding/json has replaced the half pair: accepted
	}
	for _, test := range tests {
		_, err := ParseSchema(test.schema)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.schema, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant %s", test.schema, err, test.want)
		}
	}
}

func TestFormats(t *testing.T) {
	tests := map[string]struct{ good, bad []string }{
		"date-time":     {[]string{"2024-02-29T12:00:00Z", "2024-02-29T12:00:00.123456789+01:30"}, []string{"", "2024-02-30T00:00:00Z", "2024-02-29", "15:04:05", "2024-02-29 12:00:00Z", "2024-02-29T1:00:00Z", "2024-02-29T12:00:00,5Z", "2024-02-29T12:00:00", "2024-02-29T12:00:00+24:00", "2024-02-29t12:00:00z"}},
		"date":          {[]string{"2024-02-29"}, []string{"2023-02-29", "2024-2-9", ""}},
		"time":          {[]string{"12:00:00Z", "12:00:00.5+01:00"}, []string{"12:00:00", "25:00:00Z", ""}},
		"email":         {[]string{"ada@example.org"}, []string{"Ada <ada@example.org>", "ada", "<ada@example.org>", ""}},
		"hostname":      {[]string{"example.org", "a", "xn--a.b"}, []string{"-a.b", "a_b", "", "a..b", strings.Repeat("a", 64)}},
		"ipv4":          {[]string{"127.0.0.1"}, []string{"::1", "256.0.0.1", "127.1", ""}},
		"ipv6":          {[]string{"::1", "2001:db8::1"}, []string{"127.0.0.1", "::1%eth0", ""}},
		"uri":           {[]string{"https://example.org/a?b#c", "urn:x:y"}, []string{"/a", "http://a b", `c:\x`, "%"}},
		"uri-reference": {[]string{"/a", "", "https://example.org"}, []string{`\a`, "%zz", "a b"}},
		"uuid":          {[]string{"123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"}, []string{"123e4567e89b12d3a456426614174000", ""}},
		"regex":         {[]string{"^a+$"}, []string{"("}},
	}
	for name := range formats {
		test, ok := tests[name]
		if !ok {
			t.Errorf("format %s has no test", name)
			continue
		}
		s := RawSchema(`{"format":"` + name + `"}`)
		for _, v := range test.good {
			if got := s.Validate(v); len(got) > 0 {
				t.Errorf("%s refuses %q", name, v)
			}
		}
		for _, v := range test.bad {
			if got := s.Validate(v); len(got) != 1 {
				t.Errorf("%s accepts %q", name, v)
			}
		}
	}
}

func TestSchemaConcurrently(t *testing.T) {
	s := SchemaOf[struct {
		List list   `json:"list"`
		Mail string `json:"mail" jsonschema:"format=email"`
	}]()
	tree, err := wire.Parse(wire.JSON, []byte(`{"list":{"value":1,"next":{"value":"x"}},"mail":"nobody"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Issue{{"list.next.value", "expected integer, received string"}, {"mail", "must be of the format email"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got := s.Validate(tree); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
					t.Errorf("got %v", got)
					return
				}
				s.JSONSchema()
				if SchemaOf[list]() == nil {
					t.Error("no schema")
				}
			}
		})
	}
	wg.Wait()
}

func TestIssuesAreBounded(t *testing.T) {
	c := New("x")
	m := NewCall[map[string]int, None](c, "m").Method()
	var b strings.Builder
	b.WriteString(`{`)
	for i := range 1000 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + strings.Repeat("é", 1000) + string(rune('a'+i%26)) + strings.Repeat("z", i) + `":"x"`)
	}
	b.WriteString(`}`)
	value, err := wire.Parse(wire.JSON, []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(SchemaOf[map[string]int]().Validate(value)); n != maxFound {
		t.Errorf("%d faults found, want %d of 1000", n, maxFound)
	}
	err = m.DecodeInput(wire.JSON, []byte(b.String()), &map[string]int{})
	if err == nil || len(err.Error()) > 4096 || !strings.Contains(err.Error(), "…") || !strings.HasSuffix(err.Error(), "; and more") {
		t.Errorf("%d bytes: %.300v", len(err.Error()), err)
	}
}
