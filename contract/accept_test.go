package contract

import (
	"testing"

	"github.com/gosocka/socka/wire"
)

// TestAcceptorIsUsed keeps the acceptor from giving up on what is common: that
// would only show as slowness.
func TestAcceptorIsUsed(t *testing.T) {
	tests := []struct {
		schema Schema
		body   string
	}{
		{SchemaOf[message](), `{"text":"ok","count":5,"tag":"x","seen":"2024-02-29T12:00:00Z","parts":[{"score":1.5}],"data":"AQID","more":{}}`},
		{SchemaOf[list](), `{"value":1,"next":{"value":1700000000000,"next":{"value":-3}}}`},
		{SchemaOf[tree](), `[[],[[]]]`},
		{SchemaOf[map[int]any](), `{"1":null,"-2":[true,{}]}`},
		{SchemaOf[colour](), `"red"`},
		{RawSchema(`{"type":["number","null"],"exclusiveMinimum":0,"maximum":1e2}`), `100`},
		{RawSchema(`{"anyOf":[{"const":1},{"allOf":[{"minLength":1},{"maxLength":1}],"type":"string"}],"x-a":1}`), `"é"`},
		{RawSchema(`{"additionalProperties":false,"properties":{"a":{"$ref":"#"}}}`), `{"a":{"a":{}}}`},
		{RawSchema(`true`), `1`},
	}
	for _, test := range tests {
		c := test.schema.(*compiled)
		value, err := wire.Parse(wire.JSON, []byte(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.fast == nil || !c.fast.accept(value) || len(c.thorough(value)) > 0 {
			t.Errorf("%s: the acceptor (made: %v) is not sure of %s", c.doc, c.fast != nil, test.body)
		}
	}
}

// TestAcceptorIsNotSure has the cases where float64 cannot tell, and keywords
// that are left to gojsonschema.
func TestAcceptorIsNotSure(t *testing.T) {
	tests := []struct{ schema, body string }{
		{`{"maximum":9007199254740992}`, `9007199254740993`},
		{`{"exclusiveMinimum":9007199254740992}`, `9007199254740993`},
		{`{"exclusiveMaximum":0.30000000000000001}`, `0.3`},
		{`{"type":"integer"}`, `1e21`},
		{`{"enum":[{"a":1}]}`, `{"a":1}`},
		{`{"not":{"type":"string"}}`, `1`},
		{`{"oneOf":[true]}`, `1`},
		{`{"uniqueItems":true}`, `[1]`},
		{`{"multipleOf":2}`, `4`},
	}
	for _, test := range tests {
		c := RawSchema(test.schema).(*compiled)
		value, err := wire.Parse(wire.JSON, []byte(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.fast != nil && c.fast.accept(value) {
			t.Errorf("the acceptor of %s is sure of %s", test.schema, test.body)
		}
	}
}

// TestAcceptorAtTheLimits crosses limits with numbers on and around them.
func TestAcceptorAtTheLimits(t *testing.T) {
	values := []string{"0", "0.1", "0.3", "0.30000000000000004", "1", "99.99999999999999", "100", "100.00000000000001", "-1", "1e21", "1e-7", "1e308",
		"9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "12345678901234567", "3.4028235e38", "true", `"1"`, "null"}
	for _, limit := range []string{"0", "0.1", "0.3", "0.30000000000000001", "1e2", "100.0", "9007199254740992", "9007199254740993", "-9007199254740992", "3.4028235e+38"} {
		for _, key := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "const"} {
			for _, kind := range []string{"", `"type":"integer",`, `"type":"number",`, `"type":["number","null"],`} {
				schema := `{` + kind + `"` + key + `":` + limit + `}`
				c := RawSchema(schema).(*compiled)
				if c.fast == nil {
					t.Fatalf("%s has no acceptor", schema)
				}
				for _, text := range values {
					value, err := wire.Parse(wire.JSON, []byte(text))
					if err != nil {
						t.Fatal(err)
					}
					if err := checkFast(c, value); err != nil {
						t.Errorf("%s of %s: %v", schema, text, err)
					}
				}
			}
		}
	}
}
