package contract

import (
	"bytes"
	"encoding/json"
	"flag"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type Row struct {
	ID   string    `json:"id" jsonschema:"format=uuid"`
	TS   int64     `json:"ts" jsonschema:"minimum=0,description=Epoch milliseconds."`
	Text string    `json:"text" jsonschema:"minLength=1,maxLength=2000,pattern=<&>"`
	At   time.Time `json:"at"`
}

type page[T any] struct {
	Items []T  `json:"items"`
	More  bool `json:"more,omitempty"`
}

// Point shares its name with image.Point.
type Point struct{ X, Y float32 }

// documented builds the same contract anew each time.
func documented() *Contract {
	type Row2 struct {
		Row
		Next *Row `json:"next"`
	}
	local := func() Schema { type list struct{ A int }; return SchemaOf[list]() }()
	c := New("documented")
	NewCall[None, page[Row]](c, "list", CallOptions{Doc: "Lists rows."})
	NewCall[Row2, None](c, "put")
	NewCall[list, [2]image.Point](c, "other")
	NewCall[Point, None](c, "point")
	NewOneWay[struct {
		On bool `json:"on"`
	}](c, "typing")
	NewCall[map[string]any, any](c, "raw/a~b", CallOptions{
		Input:  RawSchema(`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"t":{"type":"string"}},"properties":{"b":{"$ref":"#/definitions/t"},"a":{"const":{"$ref":"#/left/alone"}},"title":{"$ref":"#"}}}`),
		Output: SchemaFunc(nil, func(any) []Issue { return nil }),
	})
	NewPush[Row](c, "row", PushOptions{Doc: "A new row.", Delivery: DropOldest})
	NewPush[[]list](c, "lists", PushOptions{Delivery: LatestBy("")})
	NewPush[struct{ A int }](c, "local", PushOptions{Schema: local, Delivery: LatestBy("A")})
	return c
}

func TestJSONSchemaGolden(t *testing.T) {
	got := documented().JSONSchema()
	file := filepath.Join("testdata", "documented.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the document changed; if that is intended, run go test ./contract -update and read the diff\n%s", got)
	}
	for range 20 {
		if again := documented().JSONSchema(); !bytes.Equal(again, got) {
			t.Fatal("equal contracts give different bytes")
		}
	}
}

// TestJSONSchemaReferences follows every $ref of the document.
func TestJSONSchemaReferences(t *testing.T) {
	var doc any
	if err := json.Unmarshal(documented().JSONSchema(), &doc); err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(v any, key string)
	walk = func(v any, key string) {
		switch v := v.(type) {
		case map[string]any:
			if to, ok := v["$ref"].(string); ok && key != "const" {
				found++
				place, err := target(to)
				if err != nil {
					t.Fatal(err)
				}
				at := doc
				for _, step := range strings.Split(place, "/")[1:] {
					step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
					m, _ := at.(map[string]any)
					next, ok := m[step]
					if !ok && step == "definitions" {
						next, ok = m["$defs"]
					}
					if !ok {
						t.Fatalf("$ref %s leads nowhere at %q", to, step)
					}
					at = next
				}
			}
			for k, e := range v {
				walk(e, k)
			}
		case []any:
			for _, e := range v {
				walk(e, "")
			}
		}
	}
	walk(doc, "")
	if found < 6 {
		t.Errorf("only %d references found", found)
	}
}

// TestNamesOfLocalTypes has two types that share even their package path.
func TestNamesOfLocalTypes(t *testing.T) {
	c := New("local")
	one := func() { type T struct{ A int }; NewCall[T, None](c, "one") }
	two := func() { type T struct{ B int }; NewCall[T, []T](c, "two") }
	one()
	two()
	doc := string(c.JSONSchema())
	for _, want := range []string{
		`"$ref": "#/$defs/github.com_gosocka_socka_contract.T"`, `"github.com_gosocka_socka_contract.T": {`,
		`"$ref": "#/$defs/github.com_gosocka_socka_contract.T-2"`, `"github.com_gosocka_socka_contract.T-2": {`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("the document lacks %s\n%s", want, doc)
		}
	}
}
