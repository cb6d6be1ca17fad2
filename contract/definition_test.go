//lint:file-ignore SA5008 tags that encoding/json would not know are what is tested here

package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/invopop/jsonschema"
)

// panicOf runs f and returns what it panics with.
func panicOf(t *testing.T, f func()) (msg string) {
	t.Helper()
	defer func() { msg = fmt.Sprint(recover()) }()
	f()
	t.Error("no panic")
	return ""
}

func TestNames(t *testing.T) {
	bad := []string{"", "then", "catch", "finally", "constructor", "toString", "valueOf", "toLocaleString", "hasOwnProperty",
		"isPrototypeOf", "propertyIsEnumerable", "__proto__", "socka:resume", "a b", "a\x00", "\xff", strings.Repeat("x", 129)}
	place := regexp.MustCompile(`definition_test\.go:\d+`)
	for _, name := range bad {
		for what, define := range map[string]func(c *Contract){
			"call":         func(c *Contract) { NewCall[None, None](c, name) },
			"one-way call": func(c *Contract) { NewOneWay[None](c, name) },
			"push":         func(c *Contract) { NewPush[None](c, name) },
		} {
			msg := panicOf(t, func() { define(New("chat")) })
			if !strings.HasPrefix(msg, fmt.Sprintf("contract chat: %s %q defined at definition_test.go:", what, name)) || !place.MatchString(msg) {
				t.Errorf("%q: %s", name, msg)
			}
		}
	}
	for _, name := range []string{"send", "prototype", "sockaX", "é", "a:b", strings.Repeat("x", 128)} {
		c := New("chat")
		NewCall[None, None](c, name)
		NewPush[None](c, name)
		if c.Method(name) == nil || c.PushDef(name) == nil {
			t.Errorf("%q is not there", name)
		}
	}
}

func TestDuplicates(t *testing.T) {
	both := func(what, name string) string {
		return `^contract chat: ` + what + ` "` + name + `" defined at definition_test\.go:\d+ is already defined at definition_test\.go:\d+$`
	}
	c := New("chat")
	NewCall[None, None](c, "send")
	NewOneWay[None](c, "typing")
	NewPush[None](c, "send") // pushes have names of their own
	for what, define := range map[string]func(){
		both("call", "send"):           func() { NewCall[None, None](c, "send") },
		both("one-way call", "send"):   func() { NewOneWay[None](c, "send") },
		both("call", "typing"):         func() { NewCall[None, None](c, "typing") },
		both("one-way call", "typing"): func() { NewOneWay[None](c, "typing") },
		both("push", "send"):           func() { NewPush[None](c, "send") },
	} {
		msg := panicOf(t, define)
		if !regexp.MustCompile(what).MatchString(msg) {
			t.Errorf("%s\ndoes not match %s", msg, what)
		}
		places := regexp.MustCompile(`go:\d+`).FindAllString(msg, -1)
		if len(places) == 2 && places[0] == places[1] {
			t.Errorf("both places are the same: %s", msg)
		}
	}
	if len(c.Methods()) != 2 || len(c.Pushes()) != 1 {
		t.Errorf("a refused definition was kept: %v %v", c.Methods(), c.Pushes())
	}
}

type hookNil struct{}

func (hookNil) JSONSchema() *jsonschema.Schema { return nil }

type hookRef struct{}

func (hookRef) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/x"} }

type hookChan struct{ C chan int }

func (hookChan) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{} }

type hookBad struct{}

func (hookBad) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: "colour"}
}

type onlyText struct{}

func (onlyText) MarshalText() ([]byte, error) { return nil, nil }

type onlyJSON struct{}

func (*onlyJSON) UnmarshalJSON([]byte) error { return nil }

type hooked2 struct{ A int }

func (hooked2) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "object"} }

type embedded struct{ A int }

// TestTypesThatCannotTravel has for each type what the panic must say.
func TestTypesThatCannotTravel(t *testing.T) {
	tests := []struct {
		name   string
		define func(c *Contract)
		want   string
	}{
		{"chan", out[struct{ C chan int }], "output: struct { C chan int }, field C: chan int cannot travel: JSON has no form for a value of kind chan"},
		{"func", out[func()], "output: func(): func() cannot travel"},
		{"complex", out[struct {
			A []struct{ Z complex64 } `json:"a"`
		}], "field a[].Z: complex64 cannot travel"},
		{"uintptr", out[uintptr], "uintptr: uintptr cannot travel"},
		{"interface", out[struct{ R io.Reader }], "field R: io.Reader cannot travel"},
		{"map key", out[map[float64]int], "a map with keys of type float64 cannot travel"},
		{"map value", out[map[string]chan int], "field {}: chan int cannot travel"},
		{"pointer to pointer", out[struct{ P **int }], "field P: **int has more than one way to be nothing"},
		{"pointer to any", out[struct{ P *any }], "field P: *interface {} has more than one way to be nothing"},
		{"half text", out[struct{ T onlyText }], "field T: contract.onlyText can be written but not read back"},
		{"half json", out[struct{ T onlyJSON }], "field T: contract.onlyJSON can be written but not read back"},
		{"nil hook", out[hookNil], "has a JSONSchema method that returns nil"},
		{"hook with ref", out[hookRef], "must return a schema without $ref"},
		{"hook with chan", out[hookChan], "field C: chan int cannot travel"},
		{"hook with format", out[hookBad], `unknown format "colour"`},
		{"tag on hook", out[struct {
			H hooked2 `jsonschema:"maxLength=1"`
		}], "field H: maxLength in the jsonschema tag: the type brings its own schema"},
		{"embedded pointer", out[struct{ *embedded }], "field embedded: a pointer is embedded; embed contract.embedded itself"},
		{"embedded with a wrong tag", out[struct {
			E struct {
				A int `json:"a,omitemtpy"`
			}
		}], `field E.A: unknown option "omitemtpy"`},

		{"input string", in[string], "input: string does not travel as an object"},
		{"input slice", in[[]int], "input: []int does not travel as an object"},
		{"input time", in[time.Time], "input: time.Time does not travel as an object"},
		{"input any", in[any], "input: interface {} does not travel as an object"},
		{"input pointer to int", in[*int], "input: *int does not travel as an object"},
		{"one-way input", func(c *Contract) { NewOneWay[bool](c, "x") }, `one-way call "x" defined at definition_test.go:`},
		{"push", func(c *Contract) { NewPush[chan int](c, "x") }, "payload: chan int: chan int cannot travel"},
		{"type is checked beside a schema", func(c *Contract) {
			NewPush[chan int](c, "x", PushOptions{Schema: RawSchema("true")})
		}, "payload: chan int: chan int cannot travel"},

		{"json name", out[struct {
			A int `json:"a\""`
		}], `the name "a\"" in the json tag`},
		{"json option", out[struct {
			A int `json:"a,inline"`
		}], `unknown option "inline" in the json tag`},
		{"omitempty struct", out[struct {
			A struct{} `json:"a,omitempty"`
		}], "omitempty never leaves out struct {}"},
		{"omitempty array", out[struct {
			A [2]int `json:"a,omitempty"`
		}], "omitempty never leaves out [2]int"},
		{"string string", out[struct {
			A string `json:"a,string"`
		}], `the json option "string" applies to numbers and booleans, not to string`},
		{"required omitempty", out[struct {
			A int `json:"a,omitempty" jsonschema:"required"`
		}], `omitempty would leave out what jsonschema:"required" asks for`},
		{"nullable value", out[struct {
			A int `socka:"nullable"`
		}], `socka:"nullable" needs a pointer`},
		{"nullable omitempty", out[struct {
			A *int `json:",omitempty" socka:"nullable"`
		}], `omitempty contradicts socka:"nullable"`},
		{"nullable raw", out[struct {
			A *json.RawMessage `socka:"nullable"`
		}], "takes null by itself"},
		{"socka tag", out[struct {
			A *int `socka:"nulable"`
		}], `unknown socka tag "nulable"`},
		{"extras", out[struct {
			A int `jsonschema_extras:"a=b"`
		}], "jsonschema_extras is not supported"},

		{"unknown constraint", out[struct {
			A string `jsonschema:"maxLenght=5"`
		}], "field A: maxLenght in the jsonschema tag: not known, or not for this type"},
		{"constraint of another type", out[struct {
			A int `jsonschema:"maxLength=5"`
		}], "maxLength in the jsonschema tag: not known, or not for this type"},
		{"constraint on a struct", out[struct {
			A embedded `jsonschema:"minimum=1"`
		}], "minimum in the jsonschema tag: not known, or not for this type"},
		{"bare word", out[struct {
			A int `jsonschema:"requird"`
		}], `cannot read "requird"`},
		{"count", out[struct {
			A string `jsonschema:"maxLength=-1"`
		}], `want a count, got "-1"`},
		{"number", out[struct {
			A int `jsonschema:"minimum=0x10"`
		}], `want a number, got "0x10"`},
		{"huge number", out[struct {
			A float64 `jsonschema:"minimum=1e999999999"`
		}], "want a number"},
		{"multipleOf", out[struct {
			A int `jsonschema:"multipleOf=0"`
		}], "want more than 0"},
		{"pattern", out[struct {
			A string `jsonschema:"pattern=(?=x)"`
		}], "pattern in the jsonschema tag: error parsing regexp"},
		{"format", out[struct {
			A string `jsonschema:"format=colour"`
		}], `unknown format "colour"; known are date, date-time, email`},
		{"format of a time", out[struct {
			A time.Time `jsonschema:"format=date"`
		}], "the type has a format already"},
		{"pattern of bytes", out[struct {
			A []byte `jsonschema:"pattern=A"`
		}], "the type has a pattern already"},
		{"length of an array", out[struct {
			A [2]int `jsonschema:"minItems=1"`
		}], "a Go array has its length already"},
		{"unique", out[struct {
			A []int `jsonschema:"uniqueItems=yes"`
		}], "want true"},
		{"unique structs", out[struct {
			A []embedded `jsonschema:"uniqueItems=true"`
		}], "only strings, integers and booleans can be unique"},
		{"exclusive float32", out[struct {
			A float32 `jsonschema:"exclusiveMaximum=1"`
		}], "a float32 is rounded when it is read; use float64"},
		{"digits of a float32", out[struct {
			A float32 `jsonschema:"maximum=0.123456789"`
		}], "0.123456789 is not a float32"},
		{"length of a float32", out[struct {
			A float32 `jsonschema:"maxLength=1"`
		}], "not known, or not for this type"},
		{"values of a boolean text", out[struct {
			A bool `json:",string" jsonschema:"enum=yes"`
		}], "the type has its values already"},

		{"two options", func(c *Contract) { NewCall[None, None](c, "x", CallOptions{}, CallOptions{}) }, "2 options structs given"},
		{"latest by a missing field", func(c *Contract) {
			NewPush[embedded](c, "x", PushOptions{Delivery: LatestBy("a")})
		}, "delivery is latest by a, but the payload contract.embedded has no field of that name"},
		{"latest by of a map", func(c *Contract) {
			NewPush[map[string]int](c, "x", PushOptions{Delivery: LatestBy("a")})
		}, "has no field of that name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := New("chat")
			msg := panicOf(t, func() { test.define(c) })
			if !strings.Contains(msg, test.want) {
				t.Errorf("panic is  %s\nwant it to say %s", msg, test.want)
			}
			if !strings.HasPrefix(msg, "contract chat: ") || !strings.Contains(msg, "defined at definition_test.go:") {
				t.Errorf("the panic does not name the contract and the place: %s", msg)
			}
			if len(c.Methods())+len(c.Pushes()) > 0 {
				t.Error("the refused definition was kept")
			}
		})
	}
}

func out[T any](c *Contract) { NewCall[None, T](c, "x") }
func in[T any](c *Contract)  { NewCall[T, None](c, "x") }

func TestPanicsWithoutContract(t *testing.T) {
	for want, f := range map[string]func(){
		"contract: New at definition_test.go:":                      func() { New("") },
		`contract: call "x" defined at definition_test.go:`:         func() { NewCall[None, None](nil, "x") },
		`contract: one-way call "x" defined at definition_test.go:`: func() { NewOneWay[None](nil, "x") },
		`contract: push "x" defined at definition_test.go:`:         func() { NewPush[None](nil, "x") },
		"contract: SchemaOf at definition_test.go:":                 func() { SchemaOf[chan int]() },
		"contract: SchemaFunc at definition_test.go:":               func() { SchemaFunc(nil, nil) },
		"contract: RawSchema at definition_test.go:":                func() { RawSchema("{") },
	} {
		if msg := panicOf(t, f); !strings.HasPrefix(msg, want) {
			t.Errorf("%s\nwant the beginning %s", msg, want)
		}
	}
}

func TestDefinitions(t *testing.T) {
	c := New("chat")
	send := NewCall[embedded, string](c, "send", CallOptions{Doc: "sends"})
	typing := NewOneWay[*embedded](c, "typing", OneWayOptions{Doc: "types"})
	row := NewPush[[]int](c, "row", PushOptions{Doc: "a row", Delivery: DropOldest})
	any := NewCall[map[string]int, None](c, "map")

	if c.Name() != "chat" || c.Method("nope") != nil || c.PushDef("nope") != nil {
		t.Error("name or look-up")
	}
	if m := c.Methods(); len(m) != 3 || m[0] != send.Method() || m[1] != typing.Method() || m[2] != any.Method() {
		t.Errorf("methods %v", m)
	}
	m := c.Method("send")
	if m != send.Method() || m.Name() != "send" || send.Name() != "send" || m.Doc() != "sends" || m.OneWay() || m.Contract() != c ||
		m.InputType().Name() != "embedded" || m.OutputType().Name() != "string" || m.String() != `call "send"` {
		t.Errorf("%+v", m)
	}
	m = typing.Method()
	if typing.Name() != "typing" || !m.OneWay() || m.Doc() != "types" || m.OutputType() != noneType || m.String() != `one-way call "typing"` {
		t.Errorf("%+v", m)
	}
	p := c.PushDef("row")
	if p != row.Def() || row.Name() != "row" || p.Name() != "row" || p.Doc() != "a row" || p.Delivery() != DropOldest || p.Contract() != c ||
		p.Type().String() != "[]int" || p.String() != `push "row"` || c.Pushes()[0] != p {
		t.Errorf("%+v", p)
	}
	for _, at := range []string{send.Method().DefinedAt(), m.DefinedAt(), p.DefinedAt()} {
		if !regexp.MustCompile(`^definition_test\.go:\d+$`).MatchString(at) {
			t.Errorf("defined at %q", at)
		}
	}
}
