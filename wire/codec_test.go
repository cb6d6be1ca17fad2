package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

var everythingCodec = NewCodec(reflect.TypeFor[everything](), nil)

// checkCodec holds a codec without a rule against Unmarshal, and against Marshal if v is not nil.
func checkCodec(c *Codec, f Format, data []byte, v any) error {
	fast, slow := reflect.New(c.typ.Elem()), reflect.New(c.typ.Elem())
	if c.Decode(f, data, fast.Interface()) {
		if err := Unmarshal(f, data, slow.Interface()); err != nil {
			return fmt.Errorf("%v: the codec accepts %q, but: %w", f, data, err)
		}
		if !reflect.DeepEqual(fast.Interface(), slow.Interface()) {
			return fmt.Errorf("%v: the codec makes %+v of %q, not %+v", f, fast.Elem(), data, slow.Elem())
		}
	}
	if v == nil {
		return nil
	}
	out, ok := c.Append([]byte("x"), f, v)
	want, err := AppendMarshal([]byte("x"), f, v)
	if ok && (err != nil || !bytes.Equal(out, want)) || !ok && string(out) != "x" {
		return fmt.Errorf("%v: the codec writes %q, Marshal %q, %v", f, out, want, err)
	}
	return nil
}

// What Marshal writes of ordinary values a codec writes too, and reads.
func TestCodecReadsAndWrites(t *testing.T) {
	s, n := "s", 7
	type wide struct {
		A *int        `json:"a"`
		B *string     `json:"b" socka:"nullable"`
		C []string    `json:"c,omitempty"`
		D [3]uint8    `json:"d"`
		E float32     `json:"e,omitzero"`
		F *[]float64  `json:"f"`
		G year        `json:"g,omitzero"`
		H *era        `json:"h,omitzero"`
		I any         `json:"i"`
		J struct{}    `json:"j"`
		K *point      `json:"k,omitempty"`
		L [][]*point  `json:"l"`
		M *any        `json:"m,omitempty"`
		N map[int]any `json:"n"`
		leaf
	}
	for _, v := range []any{
		&wide{}, &wide{A: &n, B: &s, C: []string{}, E: -0.1, F: &[]float64{0.1, -1e300}, G: 1970, K: &point{1, 2}, L: [][]*point{{}, {{1, 2}}}},
		&wide{C: []string{"a\u2028", "\"\\\x00"}, D: [3]uint8{1, 200}, G: 1971, I: []any{nil, "x"}, N: map[int]any{1: true}, leaf: leaf{1, 2}},
		&[]int{}, &[]int{1, -300, 70000, 1 << 40, -1 << 53}, &[2]bool{true, false}, &n, &s, new(bool), &tree{1, []*tree{{2, nil}, {3, []*tree{}}}},
	} {
		c := NewCodec(reflect.TypeOf(v).Elem(), nil)
		for _, f := range []Format{JSON, Msgpack} {
			data, err := Marshal(f, v)
			if err == nil {
				err = checkCodec(c, f, data, v)
			}
			if err != nil {
				t.Error(err)
			}
			if out, ok := c.Append(nil, f, v); !ok {
				t.Errorf("not sure of %+v, but wrote %q", v, out)
			}
			if back := reflect.New(c.typ.Elem()); !c.Decode(f, data, back.Interface()) {
				t.Errorf("%v: not sure of %q", f, data)
			}
			for end := range data {
				if err := checkCodec(c, f, data[:end:end], nil); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// What a codec must leave to the slow way.
func TestCodecIsNotSure(t *testing.T) {
	type row struct {
		N int     `json:"n"`
		F float64 `json:"f"`
		S string  `json:"s"`
		P *int    `json:"p"`
	}
	c := NewCodec(reflect.TypeFor[row](), nil)
	for _, text := range []string{
		``, `{`, `{}x`, `null`, `[]`, `{"n":1,"n":1}`, `{"N":1}`, `{"\u006e":1}`, `{"n":1.0}`, `{"n":1e0}`, `{"n":01}`, `{"n":-}`, `{"n":9007199254740993}`, `{"n":}`, `{"n" 1}`,
		`{"n":1,}`, `{"f":1e400}`, `{"f":.5}`, `{"s":"\ud800"}`, "{\"s\":\"\xff\"}", `{"s":null}`, `{"p":null}`, `{"s":"`, `{"s":"\u00"}`, "{\"s\":\"\n\"}", `{"n":1 "s":""}`, "\u00a0{}",
	} {
		if v := new(row); c.Decode(JSON, []byte(text), v) {
			t.Errorf("sure of %s: %+v", text, v)
		}
	}
	for _, text := range []string{"", "\x80\x00", "\xc0", "\x81\xa1n", "\x82\xa1n\x01\xa1n\x01", "\x81\xa1n\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "\x81\xa1s\xa1\xff", "\x81\xa1s\xc4\x01a",
		"\x81\xa1n\xd4\x00\x00", "\x81\xa1f\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "\x81\xa1p\xc0", "\x81\xa1n\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\x01\x01", "\xdf\xff\xff\xff\xff", "\x81\xa1x\x01"} {
		if v := new(row); c.Decode(Msgpack, []byte(text), v) {
			t.Errorf("sure of %q: %+v", text, v)
		}
	}
	for _, dst := range []any{nil, row{}, (*row)(nil), new(int), new(*row)} {
		if c.Decode(JSON, []byte(`{}`), dst) {
			t.Errorf("read into a %T", dst)
		}
		if out, ok := c.Append([]byte("x"), JSON, dst); ok || string(out) != "x" {
			t.Errorf("wrote a %T: %q", dst, out)
		}
	}
	for _, v := range []row{{S: "\xff"}, {N: 1<<53 + 1}} {
		if out, ok := c.Append([]byte("x"), JSON, &v); ok || string(out) != "x" {
			t.Errorf("wrote %+v: %q", v, out)
		}
	}
	loop := &tree{}
	loop.Kids = []*tree{loop}
	if _, ok := NewCodec(reflect.TypeFor[tree](), nil).Append(nil, JSON, loop); ok {
		t.Error("wrote a value without an end")
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[map[string]int](), reflect.TypeFor[[]byte](), typeTime, typeNumber, typeRaw, reflect.TypeFor[**int](),
		reflect.TypeFor[pair](), reflect.TypeFor[struct{ *Left }](), reflect.TypeFor[chan int](),
	} {
		if NewCodec(typ, nil) != nil {
			t.Errorf("a codec of %v", typ)
		}
	}
}

// A codec and the slow way stop at the same depth.
func TestCodecDepth(t *testing.T) {
	c := NewCodec(reflect.TypeFor[tree](), nil)
	for n := MaxDepth/2 - 2; n <= MaxDepth/2+2; n++ {
		v := &tree{Kids: []*tree{}}
		for range n {
			v = &tree{Kids: []*tree{v}}
		}
		for _, f := range []Format{JSON, Msgpack} {
			data, err := Marshal(f, v)
			if _, ok := c.Append(nil, f, v); ok != (err == nil) {
				t.Errorf("%d levels are written: %v, %v", n, ok, err)
			}
			if err := checkCodec(c, f, data, v); err != nil {
				t.Error(err)
			}
			text := strings.Repeat(`{"value":0,"kids":[`, n) + strings.Repeat(`]}`, n)
			body := []byte(text)
			if f == Msgpack {
				body = append(bytes.Repeat([]byte("\x82\xa5value\x00\xa4kids\x91"), n-1), "\x82\xa5value\x00\xa4kids\x90"...)
			}
			err = Unmarshal(f, body, new(tree))
			if ok := c.Decode(f, body, new(tree)); ok != (err == nil) {
				t.Errorf("%v: %d levels are read: %v, %v", f, n, ok, err)
			}
		}
	}
}

// Whatever a rule says of the parts, Accept is asked for those alone that go through a tree.
func TestCodecRules(t *testing.T) {
	var asked []any
	ask := func(v any) bool { asked = append(asked, v); return v != "no" }
	leafRule := func(r Rule) *Rule {
		if r.Accept = ask; r.MaxLength == 0 {
			r.MaxLength, r.MaxItems = -1, -1
		}
		return &r
	}
	type row struct {
		S string   `json:"s,omitempty"`
		N *int8    `json:"n" socka:"nullable"`
		L []string `json:"l,omitempty"`
		A any      `json:"a,omitempty"`
		O string   `json:"o,omitempty"`
		X float64  `json:"x,omitempty"`
	}
	rule := leafRule(Rule{Sorts: SortObject, Required: []string{"n"}, Properties: map[string]*Rule{
		"s": leafRule(Rule{Sorts: SortString, MinLength: 2, MaxLength: 3, Text: []func(string) bool{func(s string) bool { return s != "bad" }}}),
		"n": leafRule(Rule{OrNull: leafRule(Rule{Sorts: SortInteger, Min: &Bound{Value: 0.5}, Max: &Bound{Value: 9, Open: true}})}),
		"l": leafRule(Rule{Sorts: SortArray, MinItems: 1, MaxLength: -1, MaxItems: 2, Items: leafRule(Rule{Enum: []any{"a", "b", json.Number("1")}})}),
		"o": leafRule(Rule{Opaque: true}),
	}, Additional: leafRule(Rule{Sorts: SortFraction | SortInteger | SortArray, Max: &Bound{Value: 1.5}})})
	c := NewCodec(reflect.TypeFor[row](), rule)
	tests := []struct {
		text string
		sure bool
		asks int
	}{
		{`{"n":null}`, true, 0}, {`{}`, false, 0}, {`{"n":1}`, true, 0}, {`{"n":8,"s":"ab"}`, true, 0}, {`{"n":0}`, false, 0}, {`{"n":9}`, false, 0},
		{`{"n":1,"s":"a"}`, false, 0}, {`{"n":1,"s":"abcd"}`, false, 0}, {`{"n":1,"s":"éé😀"}`, true, 0}, {`{"n":1,"s":"bad"}`, false, 0},
		{`{"n":1,"l":[]}`, false, 0}, {`{"n":1,"l":["a","b"]}`, true, 0}, {`{"n":1,"l":["a","b","a"]}`, false, 0}, {`{"n":1,"l":["c"]}`, false, 0},
		{`{"n":1,"a":[1]}`, true, 1}, {`{"n":1,"a":"no"}`, false, 1}, {`{"n":1,"o":"yes"}`, true, 1}, {`{"n":1,"o":"no"}`, false, 1},
		{`{"n":1,"x":1.5}`, true, 0}, {`{"n":1,"x":1.6}`, false, 0},
	}
	for _, test := range tests {
		var v row
		asked = nil
		if sure := c.Decode(JSON, []byte(test.text), &v); sure != test.sure || len(asked) != test.asks {
			t.Errorf("%s: %v, want %v; asked for %v", test.text, sure, test.sure, asked)
		}
		packed, err := Transcode(nil, Msgpack, JSON, []byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		var w row
		if sure := c.Decode(Msgpack, packed, &w); sure != test.sure {
			t.Errorf("%s as msgpack: %v, want %v", test.text, sure, test.sure)
		}
		var loose row
		if err := Unmarshal(JSON, []byte(test.text), &loose); err != nil {
			t.Fatal(err)
		}
		_, sure := c.Append(nil, JSON, &loose)
		// What omitempty leaves out is not refused, and a nil is null.
		if want := test.sure || test.text == `{}` || strings.Contains(test.text, `[]`); sure != want {
			t.Errorf("%s written: %v, want %v", test.text, sure, want)
		}
	}
	for _, r := range []*Rule{
		leafRule(Rule{Sorts: SortArray}), leafRule(Rule{Opaque: true}), leafRule(Rule{Required: []string{"other"}}), leafRule(Rule{Enum: []any{nil}}), leafRule(Rule{Sorts: SortNone}),
	} {
		if NewCodec(reflect.TypeFor[row](), r) != nil {
			t.Errorf("a codec of %+v", r)
		}
	}
}
