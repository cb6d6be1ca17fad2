package contract

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/gosocka/socka/wire"
)

var bodyTypes sync.Map // reflect.Type → bodyType

func bodyTypeOf(t reflect.Type) (bodyType, error) {
	if b, ok := bodyTypes.Load(t); ok {
		return b.(bodyType), nil
	}
	s, err := schemaOfType(t)
	if err != nil {
		return bodyType{}, err
	}
	b := newBodyType(t, s, InvalidInput)
	bodyTypes.Store(t, b)
	return b, nil
}

// checkCodec holds the codec of a type against the slow way: what it is sure of
// is accepted there too, and gives the same Go value and the same bytes. The body
// is tried as it is and with a few bytes changed, in both formats.
func checkCodec(t reflect.Type, text []byte) error {
	b, err := bodyTypeOf(t)
	if err != nil || b.fast == nil {
		return err
	}
	h := fnv.New64()
	h.Write(text)
	r := rand.New(rand.NewPCG(h.Sum64(), 7))
	packed, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, text)
	if err != nil {
		packed = text
	}
	for f, body := range map[wire.Format][]byte{wire.JSON: text, wire.Msgpack: packed} {
		for range 4 {
			if _, err := checkDecoded(&b, f, body); err != nil {
				return fmt.Errorf("%v %q: %w", f, body, err)
			}
			body = mutate(r, body)
		}
	}
	return nil
}

// mutate changes a byte or moves a part.
func mutate(r *rand.Rand, body []byte) []byte {
	if len(body) == 0 {
		return body
	}
	i, j := r.IntN(len(body)), r.IntN(len(body))
	const junk = "\"\\ ,:{}[]0123456789-.eE+tfn\x00\x1f\x80\xc0\xc3\xca\xcb\xcf\xd0\xd4\xdc\xde\xff"
	out := bytes.Clone(body)
	switch r.IntN(4) {
	case 0:
		out[i] = junk[r.IntN(len(junk))]
	case 1:
		out[i] = byte(r.Uint32())
	case 2:
		out = append(out[:i], body[min(i+1, len(body)):]...)
	default:
		out = append(append(out[:i:i], body[min(i, j):max(i, j)]...), body[i:]...)
	}
	return out
}

// checkDecoded decodes a body in both ways, and writes what it says, accepted or
// not, in both ways.
func checkDecoded(b *bodyType, f wire.Format, body []byte) (sure bool, err error) {
	fast, slow, loose := reflect.New(b.typ), reflect.New(b.typ), reflect.New(b.typ)
	before := bytes.Clone(body)
	sure = b.fast.Decode(f, body, fast.Interface())
	if !bytes.Equal(before, body) {
		return sure, fmt.Errorf("the codec changed the body to %q", body)
	}
	slowErr := decode(f, body, slow.Interface(), b.typ, b.schema, b.code)
	switch {
	case sure && slowErr != nil:
		return sure, fmt.Errorf("the codec accepts %#v, but: %w", fast.Elem(), slowErr)
	case sure && !reflect.DeepEqual(fast.Interface(), slow.Interface()):
		return sure, fmt.Errorf("the codec gives %#v, not %#v", fast.Elem(), slow.Elem())
	}
	if slowErr == nil {
		if err := checkWritten(b, f, slow); err != nil {
			return sure, err
		}
	}
	// Values that no schema has looked at, half of one at times.
	_ = wire.Unmarshal(f, body, loose.Interface())
	return sure, checkWritten(b, f, loose)
}

// checkWritten encodes a value in both ways.
func checkWritten(b *bodyType, f wire.Format, v reflect.Value) error {
	dst := []byte("before")
	out, sure := b.fast.Append(dst, f, v.Interface())
	if !sure {
		if !bytes.Equal(out, dst) {
			return fmt.Errorf("the codec is not sure, but wrote %q", out)
		}
		return nil
	}
	want, err := encode(f, v.Elem().Interface(), b.typ, b.schema, b.code)
	if err != nil {
		return fmt.Errorf("the codec writes %q, but: %w", out, err)
	}
	if string(out) != "before"+string(want) {
		return fmt.Errorf("the codec writes %q, not %q", out[len(dst):], want)
	}
	return nil
}

// codecRow has all that a codec reads and writes by itself.
type codecRow struct {
	codecBase
	Bool  bool               `json:"bool"`
	I8    int8               `json:"i8" jsonschema:"minimum=-5"`
	I16   int16              `json:"i16"`
	I32   int32              `json:"i32"`
	I64   int64              `json:"i64"`
	Int   int                `json:"int" jsonschema:"minimum=-100,maximum=100000"`
	U8    uint8              `json:"u8"`
	U16   uint16             `json:"u16,omitempty"`
	U32   uint32             `json:"u32,omitzero"`
	U64   uint64             `json:"u64"`
	F32   float32            `json:"f32"`
	F64   float64            `json:"f64" jsonschema:"minimum=-1.5,exclusiveMaximum=150"`
	Text  string             `json:"text" jsonschema:"minLength=1,maxLength=600"`
	Word  string             `json:"word,omitempty" jsonschema:"pattern=^[a-z]+$"`
	One   string             `json:"one" jsonschema:"enum=red,enum=green"`
	Num   int                `json:"num" jsonschema:"enum=1,enum=-7"`
	Opt   *int               `json:"opt"`
	Null  *string            `json:"null" socka:"nullable"`
	Sub   *codecRow          `json:"sub"`
	List  []codecPoint       `json:"list" jsonschema:"maxItems=20"`
	Rows  []codecRow         `json:"rows,omitempty"`
	Pair  [2]float64         `json:"pair"`
	Grid  [][]int16          `json:"grid"`
	Both  *codecPoint        `json:"both" socka:"nullable"`
	Tags  []string           `json:"tags,omitzero"`
	Uuid  string             `json:"uuid,omitempty" jsonschema:"format=uuid"`
	Named codecName          `json:"named"`
	Inner struct{ A, B int } `json:"inner"`
}

type codecBase struct {
	ID string `json:"id"`
}

type codecName string

type codecPoint struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

const codecRowText = `{"id":"r","bool":true,"i8":-5,"i16":-300,"i32":70000,"i64":1700000000000,"int":-100,"u8":255,"u16":7,"u32":4294967295,` +
	`"u64":9007199254740991,"f32":0.1,"f64":-1.5,"text":"é\n\u00e9","word":"abc","one":"green","num":-7,"opt":0,"null":null,` +
	`"list":[{"x":1,"y":-0.5},{"y":2e3,"x":0}],"pair":[1,2],"grid":[[1],[],[2,3]],"both":{"x":1,"y":1},"tags":[],` +
	`"uuid":"123e4567-e89b-12d3-a456-426614174000","named":"n","inner":{"A":1,"B":2}}`

// TestCodecIsSure keeps the codec from giving up on what is common: that would
// only show as slowness.
func TestCodecIsSure(t *testing.T) {
	tests := []struct {
		typ    reflect.Type
		bodies []string
	}{
		{reflect.TypeFor[codecRow](), []string{codecRowText}},
		{reflect.TypeFor[*codecPoint](), []string{`{"x":1,"y":2}`, ` { "y": 2 , "x": 1.25e2 } `}},
		{reflect.TypeFor[[]codecPoint](), []string{`[]`, `[{"x":1,"y":2}]`, `[ { "x":0.1 , "y":-0 } , {"x":1e-7,"y":12345678901234567890} ]`}},
		{reflect.TypeFor[benchBody](), []string{
			`{"ts":1700000000000,"n":17,"ok":true,"tag":"a","text":"hello"}`, `{"text":"😀","tag":"ééé","ok":false,"n":0,"ts":0}`,
		}},
		{reflect.TypeFor[message](), []string{
			`{"text":"ok","seen":null,"parts":[]}`,
			`{"text":"ééééé","count":5,"tag":"x","seen":"2024-02-29T12:00:00Z","parts":[{"score":1.5},{"score":-3}],"data":"AQID"}`,
		}},
		{reflect.TypeFor[list](), []string{`{"value":1,"next":{"value":1700000000000,"next":{"value":-3}}}`}},
		{reflect.TypeFor[tree](), []string{`[[],[[]]]`}},
		{reflect.TypeFor[None](), []string{`{}`}},
		{reflect.TypeFor[string](), []string{`"text"`}},
		{reflect.TypeFor[int64](), []string{`-7`, `9007199254740991`}},
		{reflect.TypeFor[float32](), []string{`0.5`, `-0.0`, `123456`}},
		{reflect.TypeFor[struct {
			M map[string]int `json:"m"`
			A any            `json:"a"`
			N int            `json:"n,string"`
		}](), []string{`{"m":{"a":1},"a":[1,{}],"n":"7"}`}},
	}
	for _, test := range tests {
		b, err := bodyTypeOf(test.typ)
		if err != nil || b.fast == nil {
			t.Errorf("%s: no codec, %v", test.typ, err)
			continue
		}
		for _, text := range test.bodies {
			for _, f := range formatsOf {
				body := bodyIn(t, f, text)
				v := reflect.New(test.typ)
				if sure, err := checkDecoded(&b, f, body); err != nil || !sure || !b.fast.Decode(f, body, v.Interface()) {
					t.Errorf("%s %v %s: sure is %v, %v", test.typ, f, text, sure, err)
				} else if out, ok := b.fast.Append(nil, f, v.Interface()); !ok {
					t.Errorf("%s %v %s: not sure of writing it, but %q", test.typ, f, text, out)
				}
			}
			if err := checkCodec(test.typ, []byte(text)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestCodecAtTheLimits tries numbers on and around limits, as bodies and as
// values.
func TestCodecAtTheLimits(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "0.0", "-0.0", "1", "-1", "1.0", "1e2", "100", "100.0", "99.99", "100.00000000000001", "0.1", "0.30000000000000004", "1e21", "1e-7", "1e-400", "-1e-400",
		"127", "128", "-128", "-129", "255", "256", "32767", "32768", "65535", "65536", "4294967295", "4294967296", "-2147483648", "-2147483649", "1e400",
		"9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740992", "-9007199254740993", "12345678901234567", "123456789012345678",
		"999999999999999", "1000000000000000", "1000000000000000.5", "3.4028235e38", "3.4028235e+38", "340282350000000000000000000000000000000", "3.4028236e38", "16777217",
		"0.1000000000000000055511151231257827", "1.00000017881393432617187499", "1.0000001788139343", "00", "01", "1.", ".5", "+1", "--1", "1e", "0x1", "true", "null", `"1"`,
	} {
		for _, typ := range []reflect.Type{
			reflect.TypeFor[struct {
				V int8 `json:"v" jsonschema:"maximum=100"`
			}](), reflect.TypeFor[struct{ V int8 }](), reflect.TypeFor[struct{ V uint8 }](), reflect.TypeFor[struct{ V int16 }](), reflect.TypeFor[struct{ V uint16 }](),
			reflect.TypeFor[struct{ V int32 }](), reflect.TypeFor[struct{ V uint32 }](), reflect.TypeFor[struct{ V int64 }](), reflect.TypeFor[struct{ V uint64 }](),
			reflect.TypeFor[struct{ V float32 }](), reflect.TypeFor[struct{ V float64 }](),
			reflect.TypeFor[struct {
				V int `jsonschema:"exclusiveMinimum=-1,exclusiveMaximum=9007199254740992"`
			}](),
			reflect.TypeFor[struct {
				V int64 `jsonschema:"minimum=0.5,maximum=1e15"`
			}](),
			reflect.TypeFor[struct {
				V float64 `jsonschema:"minimum=0.1,maximum=9007199254740992"`
			}](),
			reflect.TypeFor[struct {
				V float64 `jsonschema:"exclusiveMinimum=0.30000000000000004,maximum=100"`
			}](),
			reflect.TypeFor[struct {
				V float64 `jsonschema:"minimum=1,maximum=1e15"`
			}](),
			reflect.TypeFor[struct {
				V float32 `jsonschema:"minimum=0.1,maximum=16777216"`
			}](),
			reflect.TypeFor[struct {
				V int `jsonschema:"enum=100,enum=-1,enum=9007199254740992"`
			}](),
			reflect.TypeFor[struct {
				V int `jsonschema:"minimum=-9007199254740992,exclusiveMaximum=-9007199254740990.5"`
			}](),
		} {
			f, _ := typ.FieldByName("V")
			for _, name := range []string{"V", "v"} {
				if err := checkCodec(typ, []byte(`{"`+name+`":`+text+`}`)); err != nil {
					t.Errorf("%s `%s`: %v", f.Type, f.Tag, err)
				}
			}
		}
	}
}

// TestCodecAllocates has what reading and writing may cost.
func TestCodecAllocates(t *testing.T) {
	v := benchBodyOf(100)
	m := benchCall.Method()
	for _, f := range formatsOf {
		body, err := m.EncodeOutput(f, v)
		if err != nil {
			t.Fatal(err)
		}
		var in benchBody
		if n := testing.AllocsPerRun(100, func() {
			in = benchBody{}
			if err := m.DecodeInput(f, body, &in); err != nil {
				t.Fatal(err)
			}
		}); n > 2 {
			t.Errorf("%v: %v allocations for the two strings of a body", f, n)
		}
		dst := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := m.AppendOutput(dst, f, &in); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%v: %v allocations for writing a body", f, n)
		}
	}
}

// TestNotSureIsSlow has bodies of which the codec is sure only in part: nothing of
// that part shows in the value.
func TestNotSureIsSlow(t *testing.T) {
	var in benchBody
	text := `{"n":1,"ts":2,"ok":true,"unknown":[],"tag":"a","text":"b"}`
	if err := benchCall.Method().DecodeInput(wire.JSON, []byte(text), &in); err != nil || in != (benchBody{2, 1, true, "a", "b"}) {
		t.Errorf("%+v, %v", in, err)
	}
	in = benchBody{}
	err := benchCall.Method().DecodeInput(wire.JSON, []byte(`{"n":1,"ts":2,"ok":true,"tag":"a","text":5}`), &in)
	if CodeOf(err) != InvalidInput || in != (benchBody{}) {
		t.Errorf("%+v, %v", in, err)
	}
	for _, f := range formatsOf {
		out, err := benchCall.Method().AppendOutput([]byte("x"), f, &benchBody{N: 1001, Tag: "a"})
		if CodeOf(err) != InvalidOutput || string(out) != "x" {
			t.Errorf("%q, %v", out, err)
		}
		for _, v := range []any{benchBody{}, nil, (*benchBody)(nil), &message{}} {
			if out, err := benchCall.Method().AppendOutput([]byte("x"), f, v); CodeOf(err) != Internal || string(out) != "x" {
				t.Errorf("%T: %q, %v", v, out, err)
			}
		}
		if out, err := testVoid.Method().AppendOutput([]byte("x"), f, &None{}); err != nil || string(out) != "x" || !testVoid.Method().Void() {
			t.Errorf("%q, %v", out, err)
		}
		push := message{Text: "ok"}
		want, err1 := testPush.Def().Encode(f, push)
		out, err2 := testPush.Def().AppendBody([]byte("x"), f, &push)
		if err1 != nil || err2 != nil || string(out) != "x"+string(want) {
			t.Errorf("%q, %q, %v, %v", want, out, err1, err2)
		}
		if out, err := testCustom.Method().AppendOutput([]byte("x"), f, &part{3}); CodeOf(err) != InvalidOutput || string(out) != "x" {
			t.Errorf("%q, %v", out, err)
		}
	}
}
