package contract

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/wire"
)

type message struct {
	Text  string     `json:"text" jsonschema:"minLength=1,maxLength=5"`
	Count int8       `json:"count,omitempty" jsonschema:"minimum=0"`
	Tag   *string    `json:"tag"`
	Seen  *time.Time `json:"seen" socka:"nullable"`
	Parts []part     `json:"parts"`
	Data  []byte     `json:"data,omitempty"`
}

type part struct {
	Score float64 `json:"score" jsonschema:"maximum=150"`
}

var (
	testContract = New("test")
	testCall     = NewCall[message, message](testContract, "call")
	testVoid     = NewCall[None, None](testContract, "void")
	testPointer  = NewCall[*message, *message](testContract, "pointer")
	testPush     = NewPush[message](testContract, "push")
	testAny      = NewPush[any](testContract, "any")
	testCustom   = NewCall[part, part](testContract, "custom", CallOptions{
		Input:  SchemaFunc(nil, func(tree any) []Issue { return []Issue{{"score", "never"}} }),
		Output: RawSchema(`{"properties":{"score":{"multipleOf":2}}}`),
	})
)

// bodyIn gives a JSON text in a format.
func bodyIn(t *testing.T, f wire.Format, text string) []byte {
	t.Helper()
	if f == wire.JSON {
		return []byte(text)
	}
	b, err := wire.Transcode(nil, f, wire.JSON, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var formatsOf = []wire.Format{wire.JSON, wire.Msgpack}

func TestDecodeInput(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"text":"ok","seen":null,"parts":[]}`, ""},
		{`{"text":"ok","TEXT":"far beyond five characters","seen":null,"parts":[]}`, ""},
		{`{"text":"ééééé","seen":"2024-02-29T12:00:00Z","parts":[{"score":1e2}],"count":1.0}`, ""},
		{`{}`, "text: is required; seen: is required; parts: is required"},
		{`[]`, "body: expected object, received array"},
		{`null`, "body: expected object, received null"},
		{`{"text":"","seen":null,"parts":null}`, "parts: expected array, received null; text: must have at least 1 characters"},
		{`{"text":"123456","seen":1,"parts":[{"score":1},{"score":360}]}`, "parts[1].score: must be at most 150; seen: expected string, received number; text: must have at most 5 characters"},
		{`{"text":"ok","seen":null,"parts":[{}],"tag":null,"count":128}`, "count: must be at most 127; parts[0].score: is required; tag: expected string, received null"},
		{`{"text":"ok","seen":null,"parts":[],"count":1.5}`, "count: expected integer, received number"},
		{`{"text":"ok","seen":"2024-02-30T12:00:00Z","parts":[]}`, "seen: must be of the format date-time"},
		{`{"text":"ok","seen":null,"parts":[],"data":"A"}`, "data: must be standard base64 with padding"},
	}
	for _, f := range formatsOf {
		for _, test := range tests {
			var in message
			err := testCall.Method().DecodeInput(f, bodyIn(t, f, test.body), &in)
			if test.want == "" {
				if err != nil {
					t.Errorf("%s %s: %v", f, test.body, err)
				} else if in.Text != "ok" && in.Text != "ééééé" || in.Parts == nil {
					t.Errorf("%s %s: decoded %+v", f, test.body, in)
				}
				continue
			}
			if CodeOf(err) != InvalidInput || err.Error() != "invalid_input: "+test.want {
				t.Errorf("%s %s:\n got %v\nwant %s", f, test.body, err, test.want)
			}
		}
	}
}

func TestDecodeRefusesBytes(t *testing.T) {
	tests := []struct {
		f    wire.Format
		body string
		want string
	}{
		{wire.JSON, "", "body: "},
		{wire.JSON, `{"text":"ok"`, "body: "},
		{wire.JSON, `{"text":"ok","text":"ok","seen":null,"parts":[]}`, `"text"`},
		{wire.JSON, "{\"text\":\"\xff\",\"seen\":null,\"parts\":[]}", "UTF-8"},
		{wire.JSON, `{"text":"\ud800","seen":null,"parts":[]}`, "text: "},
		{wire.Msgpack, "\xde\x00\x02\xa1a\x01\xa1a\x02", `"a"`},
		{wire.Msgpack, "\x81\xa4text\xa1\xff", "UTF-8"},
		{wire.Msgpack, "\xc1", "body: "},
	}
	for _, test := range tests {
		var in message
		err := testCall.Method().DecodeInput(test.f, []byte(test.body), &in)
		if CodeOf(err) != InvalidInput || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v", test.f, test.body, err)
		}
	}
	for _, err := range []error{
		testCall.Method().DecodeInput(wire.JSON, nil, &message{}),
		testCall.Method().DecodeOutput(wire.JSON, nil, &message{}),
		testPush.Def().Decode(wire.JSON, nil, &message{}),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), "body: is missing") {
			t.Errorf("a missing body gives %v", err)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	seen := time.Date(2024, 2, 29, 12, 0, 0, 5, time.UTC)
	v := message{Text: "é<b>&", Tag: new(string), Seen: &seen, Parts: []part{{149.5}}, Data: []byte{1, 2, 3}}
	m, p := testCall.Method(), testPush.Def()
	for _, f := range formatsOf {
		var bodies [3][]byte
		for i, encode := range []func(wire.Format, any) ([]byte, error){m.EncodeInput, m.EncodeOutput, p.Encode} {
			var err error
			if bodies[i], err = encode(f, v); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(bodies[i], bodies[0]) {
				t.Errorf("%s: %x and %x", f, bodies[0], bodies[i])
			}
		}
		for i, decode := range []func(wire.Format, []byte, any) error{m.DecodeInput, m.DecodeOutput, p.Decode} {
			var got message
			if err := decode(f, bodies[i], &got); err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("%s: %+v, %v", f, got, err)
			}
		}
	}
	b, err := m.EncodeOutput(wire.JSON, message{Text: "x"})
	if want := `{"text":"x","seen":null,"parts":[]}`; err != nil || string(b) != want {
		t.Errorf("unset optionals: %s, %v, want %s", b, err, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	long := message{Text: "123456", Parts: []part{{151}}}
	fits := message{Text: "x", Parts: []part{{math.NaN()}}}
	utf8 := message{Text: "\xff"}
	for _, f := range formatsOf {
		m, p := testCall.Method(), testPush.Def()
		check := func(code Code, want string, b []byte, err error) {
			t.Helper()
			if b != nil || CodeOf(err) != code || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, %v; want %s with %s", f, b, err, code, want)
			}
		}
		b, err := m.EncodeInput(f, long)
		check(InvalidInput, "parts[0].score: must be at most 150; text: must have at most 5 characters", b, err)
		b, err = m.EncodeOutput(f, long)
		check(InvalidOutput, "text: must have at most 5 characters", b, err)
		b, err = p.Encode(f, long)
		check(InvalidOutput, "text: must have at most 5 characters", b, err)
		b, err = p.Encode(f, fits)
		check(InvalidOutput, "parts[0].score: ", b, err)
		b, err = p.Encode(f, utf8)
		check(InvalidOutput, "text: ", b, err)
		b, err = testAny.Def().Encode(f, map[string]any{"a": []any{int64(1) << 60}})
		check(InvalidOutput, "a[0]: ", b, err)
		b, err = testPointer.Method().EncodeInput(f, (*message)(nil))
		check(InvalidInput, "body: ", b, err)

		// The wrong type is a fault of the program.
		b, err = m.EncodeOutput(f, &long)
		check(Internal, "got a *contract.message where the definition has contract.message", b, err)
		b, err = m.EncodeInput(f, nil)
		check(Internal, "got a <nil>", b, err)
		check(Internal, "got a contract.message where the definition has *contract.message", nil, m.DecodeInput(f, []byte(`{}`), message{}))
		check(Internal, "got a *contract.part", nil, p.Decode(f, []byte(`{}`), &part{}))
	}
}

func TestNone(t *testing.T) {
	m := testVoid.Method()
	for f, empty := range map[wire.Format]string{wire.JSON: "7b7d", wire.Msgpack: "de0000"} {
		b, err := m.EncodeInput(f, None{})
		if err != nil || hex.EncodeToString(b) != empty {
			t.Errorf("%s: input %x, %v", f, b, err)
		}
		if err := m.DecodeInput(f, b, &None{}); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if err := m.DecodeInput(f, bodyIn(t, f, `{"more":1}`), &None{}); err != nil {
			t.Errorf("%s: unknown fields: %v", f, err)
		}
		if b, err := m.EncodeOutput(f, None{}); b != nil || err != nil {
			t.Errorf("%s: output %x, %v", f, b, err)
		}
		if err := m.DecodeOutput(f, nil, &None{}); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		err = m.DecodeOutput(f, b, &None{})
		if CodeOf(err) != InvalidOutput || !strings.Contains(err.Error(), "must be absent") {
			t.Errorf("%s: a body where none is declared: %v", f, err)
		}
	}
}

func TestPointers(t *testing.T) {
	m := testPointer.Method()
	for _, f := range formatsOf {
		b, err := m.EncodeInput(f, &message{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		var got *message
		if err := m.DecodeInput(f, b, &got); err != nil || got == nil || got.Text != "x" {
			t.Errorf("%s: %+v, %v", f, got, err)
		}
	}
}

func TestSchemaOptions(t *testing.T) {
	m := testCustom.Method()
	for _, f := range formatsOf {
		err := m.DecodeInput(f, bodyIn(t, f, `{"score":1}`), &part{})
		if err == nil || err.Error() != "invalid_input: score: never" {
			t.Errorf("input: %v", err)
		}
		if _, err := m.EncodeOutput(f, part{3}); err == nil || err.Error() != "invalid_output: score: must be a multiple of 2" {
			t.Errorf("output: %v", err)
		}
		if _, err := m.EncodeOutput(f, part{200}); err != nil { // the type's own maximum no longer holds
			t.Errorf("output: %v", err)
		}
		// A schema that is wider than the type: the type has the last word, by name.
		err = m.DecodeOutput(f, bodyIn(t, f, `{"score":"x"}`), &part{})
		if CodeOf(err) != InvalidOutput || !strings.Contains(err.Error(), "score: ") {
			t.Errorf("bind: %v", err)
		}
	}
}

func TestIssueOf(t *testing.T) {
	if got := issueOf(io.EOF); got != (Issue{"", "EOF"}) {
		t.Error(got)
	}
	if got := issueOf(errors.Join(&wire.ValueError{Path: "a", Reason: "b"})); got != (Issue{"a", "b"}) {
		t.Error(got)
	}
}

func TestConcurrentUse(t *testing.T) {
	c := New("race")
	call := NewCall[message, message](c, "call")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 30 {
				for _, f := range formatsOf {
					b, err := call.Method().EncodeOutput(f, message{Text: "x", Parts: []part{{1}}})
					if err != nil {
						t.Error(err)
						return
					}
					var m message
					if err := call.Method().DecodeInput(f, b, &m); err != nil {
						t.Error(err)
					}
				}
				if c.Method("call") == nil || len(c.Methods()) < 1 || c.PushDef("x") != nil {
					t.Error("look-up")
				}
			}
		})
	}
	wg.Go(func() { NewCall[None, None](c, "later") })
	wg.Wait()
}

func TestDelivery(t *testing.T) {
	type cursor struct {
		ID    int        `json:"id"`
		At    *time.Time `json:"at"`
		X     float64    `json:"x"`
		inner            // lends name
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	c := New("d")
	push := func(name string, d Delivery) *PushDef {
		return NewPush[cursor](c, name, PushOptions{Delivery: d}).Def()
	}
	tests := []struct {
		p    *PushDef
		mode DeliveryMode
		text string
		key  string
	}{
		{push("zero", Delivery{}), DeliverMust, "must", ""},
		{push("must", Must), DeliverMust, "must", ""},
		{push("oldest", DropOldest), DeliverDropOldest, "drop oldest", ""},
		{push("all", LatestBy("")), DeliverLatest, "latest", ""},
		{push("id", LatestBy("id")), DeliverLatest, "latest by id", "7"},
		{push("at", LatestBy("at")), DeliverLatest, "latest by at", `"2024-01-01T00:00:00Z"`},
		{push("name", LatestBy("name")), DeliverLatest, "latest by name", `"n"`},
	}
	for _, test := range tests {
		d := test.p.Delivery()
		key, err := test.p.Key(cursor{ID: 7, At: &at, inner: inner{Name: "n"}})
		if d.Mode() != test.mode || d.String() != test.text || key != test.key || err != nil {
			t.Errorf("%s: %v %q %q %v", test.p.Name(), d.Mode(), d, key, err)
		}
	}
	if LatestBy("id") != c.PushDef("id").Delivery() || c.PushDef("id").Delivery().Field() != "id" {
		t.Error("deliveries do not compare")
	}
	absent, err := c.PushDef("at").Key(cursor{})
	if err != nil || absent == `"2024-01-01T00:00:00Z"` {
		t.Errorf("key of an absent field: %q, %v", absent, err)
	}
	if _, err := c.PushDef("id").Key(&cursor{}); CodeOf(err) != Internal {
		t.Errorf("another type: %v", err)
	}
	pointer := NewPush[*cursor](c, "pointer", PushOptions{Delivery: LatestBy("id")}).Def()
	if key, err := pointer.Key(&cursor{ID: 7}); key != "7" || err != nil {
		t.Errorf("%q, %v", key, err)
	}
	if _, err := pointer.Key((*cursor)(nil)); CodeOf(err) != InvalidOutput {
		t.Errorf("nil: %v", err)
	}
}
