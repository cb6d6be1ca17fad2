package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// pack writes what is not of a Go type of ours.
func pack(t *testing.T, v any) []byte {
	t.Helper()
	data, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// An application's type changes. What JSON reads of an older value, msgpack reads too.
func TestOlderValuesAreRead(t *testing.T) {
	type old struct {
		Number  int64
		Float   float64
		Small   uint8
		Array   [3]int
		Longer  [1]string
		Gone    []string
		GoneToo map[string]*int
		Maybe   *int
		Nil     []int
	}
	type now struct {
		Number  float64
		Float   int
		Small   uint64
		Array   [2]int
		Longer  [2]string
		Maybe   int
		Nil     *string
		New     string
		Address *int
	}
	before := old{Number: -7, Float: 12, Small: 200, Array: [3]int{1, 2, 3}, Longer: [1]string{"a"}, Gone: []string{"x", "y"}, GoneToo: map[string]*int{"k": nil}}
	data, err := Msgpack.Marshal(&before)
	if err != nil {
		t.Fatal(err)
	}
	text, err := JSON.Marshal(&before)
	if err != nil {
		t.Fatal(err)
	}
	got := now{New: "kept", Longer: [2]string{"", "cleared"}}
	want := got
	if err := Msgpack.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := JSON.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || got.Float != 12 || got.New != "kept" {
		t.Errorf("msgpack reads %+v, JSON %+v", got, want)
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	type state struct {
		I8    int8
		U16   uint16
		I64   int64
		U64   uint64
		F32   float32
		B     bool
		S     string
		Bytes []byte
		Three [3]byte
		List  []point
		Map   map[string]map[int]uint8
		T     time.Time
		Temp  temperature
		Bin   packed
		Own   both
		Coder coder
		Level map[level]int
	}
	ext := func(kind int8, data string) []byte {
		return append([]byte{0xc7, byte(len(data)), byte(kind)}, data...)
	}
	one := func(name string, value []byte) []byte { return append(appendString([]byte{0x81}, name), value...) }
	for _, c := range []struct {
		name string
		data []byte
		says string
	}{
		{"nothing", nil, "cut off"},
		{"two values", []byte{0x80, 0x80}, "1 bytes of msgpack follow the value"},
		{"no such code", []byte{0xc1}, "at byte 0, the msgpack has the code c1"},
		{"no struct", pack(t, 5), "snapshot.state: an integer does not go into a snapshot.state"},
		{"too great", one("I8", pack(t, 128)), "snapshot.state.I8: 128 is beyond what a int8 can hold"},
		{"too small", one("I8", pack(t, -129)), "state.I8: -129 is beyond"},
		{"negative", one("U16", pack(t, -1)), "state.U16: -1 is beyond what a uint16"},
		{"beyond 16 bits", one("U16", pack(t, 65536)), "state.U16: 65536 is beyond"},
		{"beyond 63 bits", one("I64", pack(t, uint64(1<<63))), "state.I64: 9223372036854775808 is beyond"},
		{"a float beyond 64 bits", one("U64", pack(t, 0x1p64)), "state.U64: a float does not go into a uint64"},
		{"a fraction", one("I64", pack(t, 1.5)), "state.I64: a float does not go into a int64"},
		{"no number", one("I64", pack(t, "1")), "state.I64: a string does not go into a int64"},
		{"no finite number", one("I64", pack(t, math.Inf(1))), "state.I64: a float does not"},
		{"not a number", one("I64", pack(t, math.NaN())), "state.I64: a float does not"},
		{"too great a float", one("F32", pack(t, 1e300)), "state.F32: 1e+300 is beyond what a float32"},
		{"a float of text", one("F32", pack(t, "1")), "state.F32: a string"},
		{"no bool", one("B", pack(t, 1)), "state.B: an integer does not go into a bool"},
		{"no string", one("S", pack(t, []byte("s"))), "state.S: bytes does not go into a string"},
		{"no bytes", one("Bytes", pack(t, []int{1})), "state.Bytes: an array"},
		{"no array of bytes", one("Three", pack(t, "abc")), "state.Three: a string"},
		{"no list", one("List", pack(t, map[string]int{})), "state.List: a map does not go into a []snapshot.point"},
		{"in a list", one("List", pack(t, []any{nil, map[string]any{"X": "1"}})), "state.List[1].X: a string does not go into a float64"},
		{"in a map", one("Map", pack(t, map[string]any{"k": map[int]int{3: 256}})), "state.Map[k][3]: 256 is beyond what a uint8"},
		{"a key", one("Map", pack(t, map[int]any{1: nil})), "state.Map[]: an integer does not go into a string"},
		{"a key that overflows", one("Level", pack(t, map[int]int{200: 1})), "state.Level[]: 200 is beyond what a snapshot.level"},
		{"no map", one("Map", pack(t, []int{})), "state.Map: an array"},
		{"no time", one("T", pack(t, "2026")), "state.T: a string does not go into a time.Time"},
		{"another extension", one("T", ext(5, "abcd")), "state.T: an extension"},
		{"a time of no form", one("T", ext(-1, "abcde")), "state.T: an extension"},
		{"too many nanoseconds", one("T", ext(-1, "\xff\xff\xff\xff\x00\x00\x00\x00")), "state.T: an extension"},
		{"too many of them again", one("T", ext(-1, "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00")), "state.T: an extension"},
		{"text of a type", one("Temp", pack(t, "warm")), "state.Temp: strconv.Atoi"},
		{"no text", one("Temp", pack(t, 5)), "state.Temp: an integer does not go into a snapshot.temperature"},
		{"binary of a type", one("Bin", pack(t, []byte("abc"))), "state.Bin: packed: 2 bytes are wanted"},
		{"no binary", one("Bin", pack(t, "ab")), "state.Bin: a string"},
		{"msgpack of a type", one("Own", pack(t, "x")), "state.Own: msgpack"},
		{"a stream of a type", one("Coder", pack(t, "x")), "state.Coder: msgpack"},
		{"a key that is an array", []byte{0x81, 0x90, 0xc0}, "snapshot.state: an array does not go into"},
		{"a string longer than all", []byte{0xdb, 0xff, 0xff, 0xff, 0xff}, "at byte 0, the msgpack is cut off: 4294967295 bytes should follow, and 0 do"},
		{"an array longer than all", []byte{0xdd, 0xff, 0xff, 0xff, 0xff, 0}, "4294967295 values should follow, and 1 bytes do"},
		{"a map longer than all", []byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0}, "8589934590 values should follow"},
		{"cut off in a list", []byte{0x92, 0x91, 0x01}, "at byte 3, the msgpack is cut off"},
		{"too deep", append(bytes.Repeat([]byte{0x91}, maxDepth+1), codeNil), "10,000 deep"},
	} {
		var s state
		err := Msgpack.Unmarshal(c.data, &s)
		if !strings.Contains(fmt.Sprint(err), c.says) || !strings.HasPrefix(fmt.Sprint(err), "snapshot: ") {
			t.Errorf("%s: error %v; want one that says %q", c.name, err, c.says)
		}
	}
}

// Unknown fields of any size and shape are passed over.
func TestUnknownFieldsArePassedOver(t *testing.T) {
	data := []byte{0x84}
	data = append(appendString(data, "old"), pack(t, []any{map[string]any{"a": []int{1, 2}}, 3.5, "x", []byte("y"), nil, time.Now()})...)
	data = append(appendString(data, "X"), pack(t, 5)...)
	data = append(append(data, 7), pack(t, "a key that is a number")...)
	data = append(appendString(data, "Y"), pack(t, 6)...)
	var p point
	if err := Msgpack.Unmarshal(data, &p); err != nil || p != (point{5, 6}) {
		t.Errorf("%+v, error %v", p, err)
	}
}

func TestMarshalWantsAPointer(t *testing.T) {
	var none *point
	for _, e := range []Encoding{JSON, Msgpack} {
		for _, v := range []any{nil, 5, point{}, none} {
			if data, err := e.Marshal(v); !errors.Is(err, errNoPointer) {
				t.Errorf("%s of %T: %x, error %v", e, v, data, err)
			}
			if err := e.Unmarshal([]byte("1"), v); !errors.Is(err, errNoPointer) {
				t.Errorf("%s into %T: error %v", e, v, err)
			}
		}
	}
	if _, err := Encoding(7).Marshal(&point{}); !strings.Contains(fmt.Sprint(err), "there is no encoding 7") {
		t.Errorf("encoding 7: %v", err)
	}
	if err := Encoding(7).Unmarshal(nil, &point{}); !strings.Contains(fmt.Sprint(err), "there is no encoding 7") {
		t.Errorf("encoding 7: %v", err)
	}
}

type failing struct{}

func (failing) MarshalText() ([]byte, error) { return nil, errors.New("no text today") }
func (*failing) UnmarshalText([]byte) error  { return nil }

type garbage struct{}

func (garbage) MarshalMsgpack() ([]byte, error) { return []byte{1, 2}, nil }
func (*garbage) UnmarshalMsgpack([]byte) error  { return nil }

type ring struct{ Next *ring }

func TestMarshalSaysWhatFailsWhere(t *testing.T) {
	loop := &ring{}
	loop.Next = loop
	for _, c := range []struct {
		value any
		says  string
	}{
		{&struct{ A map[string][]failing }{map[string][]failing{"k": {{}}}}, ".A[k][0]: no text today"},
		{&struct{ B *garbage }{&garbage{}}, ".B: MarshalMsgpack of snapshot.garbage did not write one value: 1 bytes of msgpack follow"},
		{loop, "10,000 deep"},
	} {
		if data, err := Msgpack.Marshal(c.value); !strings.Contains(fmt.Sprint(err), c.says) || len(fmt.Sprint(err)) > 400 {
			t.Errorf("%T: %d bytes, error %.500v; want one that says %q", c.value, len(data), err, c.says)
		}
	}
	if data, err := JSON.Marshal(&struct{ F float64 }{math.NaN()}); err == nil {
		t.Errorf("JSON writes NaN as %s", data)
	}
}

func TestAppendKeepsWhatWasBefore(t *testing.T) {
	for _, e := range []Encoding{JSON, Msgpack} {
		whole, err := e.Marshal(&point{1, 2})
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Append([]byte("before"), &point{1, 2})
		if err != nil || string(got) != "before"+string(whole) {
			t.Errorf("%s: %q, error %v", e, got, err)
		}
	}
	text, err := JSON.Marshal(&map[string]string{"b": "<&>", "a": ""})
	if err != nil || string(text) != `{"a":"","b":"<&>"}` || !json.Valid(text) {
		t.Errorf("%s, error %v", text, err)
	}
}

// What is read does not change when the bytes do.
func TestUnmarshalKeepsNothingOfTheData(t *testing.T) {
	in := struct {
		S string
		B []byte
		M map[string]json.RawMessage
	}{"text", []byte("bytes"), map[string]json.RawMessage{"key": json.RawMessage("1")}}
	for _, e := range []Encoding{JSON, Msgpack} {
		data, err := e.Marshal(&in)
		if err != nil {
			t.Fatal(err)
		}
		out := reflect.New(reflect.TypeOf(in)).Interface()
		if err := e.Unmarshal(data, out); err != nil {
			t.Fatal(err)
		}
		for i := range data {
			data[i] = '?'
		}
		if !reflect.DeepEqual(out, &in) {
			t.Errorf("%s: %+v", e, out)
		}
	}
}
