package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

type SendIn struct {
	Text string `json:"text" jsonschema:"minLength=1,maxLength=2000"`
}

type Row struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// A contract is usually the package variables of a package of its own.
var (
	Chat    = contract.New("chat")
	Send    = contract.NewCall[SendIn, Row](Chat, "sendMessage", contract.CallOptions{Doc: "Says something to the room."})
	Clear   = contract.NewCall[contract.None, contract.None](Chat, "clearHistory")
	Typing  = contract.NewOneWay[TypingIn](Chat, "typing")
	Message = contract.NewPush[Row](Chat, "roomMessage")
)

type TypingIn struct {
	On bool `json:"on"`
}

func Example() {
	for _, m := range Chat.Methods() {
		fmt.Println(m)
	}
	for _, p := range Chat.Pushes() {
		fmt.Println(p, p.Delivery())
	}

	// What a room does with the body of a request:
	var in SendIn
	err := Send.Method().DecodeInput(wire.JSON, []byte(`{"text":"hello","TEXT":5}`), &in)
	fmt.Printf("%q %v\n", in.Text, err)
	err = Send.Method().DecodeInput(wire.JSON, []byte(`{"text":""}`), &in)
	fmt.Println(err)

	// What it does with the result:
	body, err := Send.Method().EncodeOutput(wire.JSON, Row{ID: "1", Text: "hello"})
	fmt.Println(string(body), err)
	// Output:
	// call "sendMessage"
	// call "clearHistory"
	// one-way call "typing"
	// push "roomMessage" must
	// "hello" <nil>
	// invalid_input: text: must have at least 1 characters
	// {"id":"1","text":"hello"} <nil>
}

func ExampleSchemaOf() {
	type Profile struct {
		Name    string   `json:"name" jsonschema:"minLength=1,maxLength=20,pattern=^[a-z]+$"`
		Age     *int     `json:"age" jsonschema:"minimum=0,maximum=150"`                // may be absent
		Team    *string  `json:"team" socka:"nullable" jsonschema:"enum=red,enum=blue"` // present, may be null
		Mail    string   `json:"mail,omitempty" jsonschema:"format=email"`              // absent if empty
		Friends []string `json:"friends" jsonschema:"maxItems=2,uniqueItems=true"`
	}
	s := contract.SchemaOf[Profile]()
	for _, body := range []string{
		`{"name":"ada","team":null,"friends":[]}`,
		`{"name":"Ada","age":360,"team":"green","mail":"ada","friends":["a","b","c"]}`,
		`{"age":null}`,
	} {
		tree, _ := wire.Parse(wire.JSON, []byte(body))
		fmt.Println(body)
		for _, issue := range s.Validate(tree) {
			fmt.Println("  " + issue.String())
		}
	}
	// Output:
	// {"name":"ada","team":null,"friends":[]}
	// {"name":"Ada","age":360,"team":"green","mail":"ada","friends":["a","b","c"]}
	//   age: must be at most 150
	//   friends: must have at most 2 items
	//   mail: must be of the format email
	//   name: must match the pattern ^[a-z]+$
	//   team: must be one of "red", "blue"
	// {"age":null}
	//   age: expected integer, received null
	//   friends: is required
	//   name: is required
	//   team: is required
}

func ExampleRawSchema() {
	type Shape struct {
		Kind   string   `json:"kind"`
		Radius *float64 `json:"radius"`
		Side   *float64 `json:"side"`
	}
	c := contract.New("shapes")
	draw := contract.NewCall[Shape, contract.None](c, "draw", contract.CallOptions{
		Input: contract.RawSchema(`{
			"type": "object",
			"properties": {
				"kind": {"enum": ["circle", "square"]},
				"radius": {"type": "number", "exclusiveMinimum": 0},
				"side": {"type": "number", "exclusiveMinimum": 0}
			},
			"required": ["kind"],
			"if": {"properties": {"kind": {"const": "circle"}}},
			"then": {"required": ["radius"]},
			"else": {"required": ["side"]}
		}`),
	})
	var in Shape
	fmt.Println(draw.Method().DecodeInput(wire.JSON, []byte(`{"kind":"circle","side":1}`), &in))

	_, err := contract.ParseSchema(`{"properties": {"text": {"maxLenght": 5}}}`)
	fmt.Println(strings.Split(err.Error(), ";")[0])
	// Output:
	// invalid_input: radius: is required
	// the JSON Schema at #/properties/text: unknown keyword "maxLenght"
}

func ExampleSchemaFunc() {
	type Range struct {
		From int `json:"from"`
		To   int `json:"to"`
	}
	// A schema of one's own may use another and add to it.
	fields := contract.SchemaOf[Range]()
	ordered := contract.SchemaFunc(fields.JSONSchema(), func(tree any) []contract.Issue {
		if issues := fields.Validate(tree); len(issues) > 0 {
			return issues
		}
		m := tree.(map[string]any)
		from, _ := m["from"].(json.Number).Int64()
		to, _ := m["to"].(json.Number).Int64()
		if from > to {
			return []contract.Issue{{Path: "to", Message: "must not be before from"}}
		}
		return nil
	})
	c := contract.New("ranges")
	set := contract.NewCall[Range, contract.None](c, "set", contract.CallOptions{Input: ordered})
	var in Range
	fmt.Println(set.Method().DecodeInput(wire.JSON, []byte(`{"from":2,"to":1}`), &in))
	// Output:
	// invalid_input: to: must not be before from
}

func ExampleErrorf() {
	const NotYourTurn contract.Code = "not_your_turn"
	err := contract.Errorf(NotYourTurn, "it is the turn of %s", "X").WithData(map[string]string{"turn": "X"})
	fmt.Println(err)
	fmt.Println(contract.CodeOf(fmt.Errorf("move: %w", err)))

	missing := contract.Errorf(contract.NotFound, "no room %q: %w", "attic", fs.ErrNotExist)
	fmt.Println(missing)
	fmt.Println(errors.Is(missing, fs.ErrNotExist), errors.Is(missing, &contract.Error{Code: contract.NotFound}))
	// Output:
	// not_your_turn: it is the turn of X
	// not_your_turn
	// not_found: no room "attic": file does not exist
	// true true
}

func ExampleCodeOf() {
	for _, err := range []error{nil, errors.New("disk full"), contract.Errorf(contract.Unavailable, "stopping")} {
		code := contract.CodeOf(err)
		fmt.Printf("%q retryable=%v status=%d\n", code, code.Retryable(), code.HTTPStatus())
	}
	// Output:
	// "" retryable=false status=200
	// "unknown" retryable=false status=500
	// "unavailable" retryable=true status=503
}

func ExampleLatestBy() {
	type Cursor struct {
		User string  `json:"user"`
		X    float64 `json:"x"`
	}
	c := contract.New("board")
	moved := contract.NewPush[Cursor](c, "cursorMoved", contract.PushOptions{Delivery: contract.LatestBy("user")})
	key, _ := moved.Def().Key(Cursor{User: "ada", X: 1})
	fmt.Println(moved.Def().Delivery(), key)
	// Output:
	// latest by user "ada"
}
