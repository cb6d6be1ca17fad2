//lint:file-ignore SA5008 tags that encoding/json would not know are what is tested here

package wire

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type leaf struct{ A, B int }
type Left struct{ leaf }
type Right struct{ leaf }
type Low struct {
	A int `json:"B"`
}
type hidden struct{ H int }
type Named struct {
	X int `json:"x"`
}
type year int

func (y year) IsZero() bool { return y == 1970 }

type era struct{ n int }

func (e *era) IsZero() bool { return e.n < 0 }

// Which fields an embedded struct lends, and when a field is left out, is as in encoding/json.
func TestFieldsAsEncodingJSON(t *testing.T) {
	n := 5
	for _, v := range []any{
		struct {
			Left
			Right
		}{},
		struct {
			Left
			Low
		}{Left{leaf{1, 2}}, Low{3}},
		struct {
			leaf
			Low
			C int
		}{leaf{1, 2}, Low{3}, 4},
		struct {
			Named
			X int `json:"x"`
		}{Named{1}, 2},
		struct {
			Named `json:"named"`
			*Left
		}{Named{1}, nil},
		struct {
			hidden
			n int
			S string `json:"-"`
			D string `json:"-,"`
			E string `json:",omitempty"`
			F string `json:"a,b"`
			G string `json:"é x"`
			H string "json:\"q\\\"q\""
		}{},
		struct {
			Y year  `json:"y,omitzero"`
			Z year  `json:"z,omitzero"`
			T *year `json:"t,omitzero"`
			E era   `json:"e,omitzero"`
			F era   `json:"f,omitzero"`
			I int   `json:"i,omitzero"`
			L []int `json:"l,omitzero"`
			M []int `json:"m,omitempty"`
			O [0]int
			P [0]int         `json:"p,omitempty"`
			Q any            `json:"q,omitempty"`
			R struct{}       `json:"r,omitempty"`
			S bool           `json:"s,omitempty"`
			U map[string]int `json:"u,omitempty"`
		}{Y: 1970, F: era{-1}, L: nil},
		struct {
			A *int    `json:"a,string"`
			B uint8   `json:"b,string"`
			C string  `json:"c,string"`
			D float32 `json:"d,string"`
			E []int   `json:"e,string"`
			F leaf    `json:"f,string"`
		}{A: &n, C: `"\`, D: 0.1, E: []int{1}},
		map[level]string{1: "a", -5: "b", 10: "c"},
		map[int64]string{1: "a", -5: "b", 10: "c"},
	} {
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Marshal(JSON, v)
		if err != nil || string(got) != string(want) {
			t.Errorf("%T:\n wrote %s, %v\nwanted %s", v, got, err, want)
			continue
		}
		theirs, ours := reflect.New(reflect.TypeOf(v)), reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal(want, theirs.Interface()); err != nil {
			t.Fatal(err)
		}
		if err := Unmarshal(JSON, want, ours.Interface()); err != nil || !reflect.DeepEqual(ours.Interface(), theirs.Interface()) {
			t.Errorf("%s:\n   read %+v, %v\nwanted %+v", want, ours.Elem(), err, theirs.Elem())
		}
	}
}

func TestFieldsRefuse(t *testing.T) {
	type ptr struct{ *hidden }
	if err := Unmarshal(JSON, []byte(`{"H":1}`), &ptr{}); err == nil || !strings.HasPrefix(err.Error(), "H: cannot set the embedded pointer") {
		t.Error(err)
	}
	if err := Unmarshal(JSON, []byte(`{"H":1}`), &ptr{&hidden{}}); err != nil {
		t.Error(err)
	}
	type tagged struct {
		hidden `json:"h"`
	}
	if _, err := Marshal(JSON, tagged{}); err == nil || !strings.HasPrefix(err.Error(), "h: embedded type wire.hidden") {
		t.Error(err)
	}
	type half struct {
		A *int8 `json:"a,string"`
		B bool  `json:"b,string"`
	}
	for in, want := range map[string]string{
		`{"a":1}`:      "a: expected string with an integer, received number",
		`{"a":null}`:   "a: expected string with",
		`{"a":"300"}`:  "a: number 300 does not fit int8",
		`{"a":"-0"}`:   "a: expected string with an integer",
		`{"b":true}`:   "b: expected string with the JSON of a boolean, received boolean",
		`{"b":"null"}`: "b: expected boolean, received null",
		`{"b":"1"}`:    "b: expected boolean, received number",
	} {
		if err := Unmarshal(JSON, []byte(in), &half{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v; want %s", in, err, want)
		}
	}
	type keys struct {
		U map[uint8]int       `json:"u"`
		T map[time.Time]int   `json:"t"`
		P map[*level]int      `json:"p"`
		L map[level]time.Time `json:"l"`
	}
	for in, want := range map[string]string{
		`{"u":{"256":1}}`: "u.256: key is no uint8",
		`{"u":{"+1":1}}`:  `u["+1"]: key is no uint8`,
		`{"t":{"x":1}}`:   "t.x: UnmarshalText of time.Time",
		`{"p":{"x":1}}`:   "p.x: UnmarshalText of wire.level",
		`{"l":{"L1":1}}`:  "l.L1: expected string with an RFC 3339 time",
		`{"u":[]}`:        "u: expected object, received array",
	} {
		if err := Unmarshal(JSON, []byte(in), &keys{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v; want %s", in, err, want)
		}
	}
	var k keys
	if err := Unmarshal(JSON, []byte(`{"u":{"255":1},"t":{"2024-01-01T00:00:00Z":1},"p":{"L3":1},"l":{}}`), &k); err != nil || len(k.P) != 1 || len(k.T) != 1 || k.U[255] != 1 {
		t.Errorf("%v, %v", k, err)
	}
	if b, err := Marshal(JSON, k); err != nil || string(b) != `{"u":{"255":1},"t":{"2024-01-01T00:00:00Z":1},"p":{"L3":1},"l":{}}` {
		t.Errorf("%s, %v", b, err)
	}
	if _, err := Marshal(JSON, map[*level]int{nil: 1}); err == nil {
		t.Error("a nil key was written")
	}
}

func TestStrings(t *testing.T) {
	const in = `"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\u0000<"`
	tree, err := Parse(JSON, []byte(in))
	if want := "\"\\/\b\f\n\r\té😀\x00<"; err != nil || tree != any(want) {
		t.Errorf("%q, %v", tree, err)
	}
	if out, err := Append(nil, JSON, tree); err != nil || string(out) != `"\"\\/\b\f\n\r\té😀\u0000<"` {
		t.Errorf("%s, %v", out, err)
	}
	for _, f := range []Format{JSON, Msgpack} {
		// The Append functions for envelopes have no error to return: what is not UTF-8 is replaced.
		fr, err := Decode(f, AppendRequest(nil, f, "a\xff", "\"b\x01", nil))
		if err != nil || fr.ID != "a\ufffd" || fr.RPC != "\"b\x01" || !isObject(f, fr.Body) {
			t.Errorf("%v: %+v, %v", f, fr, err)
		}
		fr, err = Decode(f, AppendError(nil, f, ErrorFrame{ID: "a", RetryAfter: 1500}))
		if err != nil || fr.RetryAfter != 1500 || fr.HasCode || fr.Data != nil {
			t.Errorf("%v: %+v, %v", f, fr, err)
		}
		fr, err = Decode(f, AppendEvent(nil, f, "e", nil))
		if err != nil || fr.Body != nil {
			t.Errorf("%v: %+v, %v", f, fr, err)
		}
	}
}
