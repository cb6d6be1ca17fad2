package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// checkFrame holds whatever Decode makes of arbitrary bytes against its promises.
func checkFrame(t *testing.T, f Format, data []byte) {
	checkScan(t, f, data)
	fr, err := Decode(f, data)
	var bad *MalformedError
	switch {
	case err != nil && !errors.As(err, &bad):
		t.Fatalf("error of type %T", err)
	case err != nil:
		if len(bad.Reason) > 400 || !utf8.ValidString(bad.Reason) {
			t.Fatalf("reason %q", bad.Reason)
		}
	default:
		if fr.Kind == ClientRequest && fr.Body == nil {
			t.Fatal("request without a body")
		}
		written := encodeFrame(f, fr)
		again, err := Decode(f, written)
		if err != nil || !reflect.DeepEqual(again, fr) {
			t.Fatalf("decoded %+v, wrote %q, decoded %+v, %v", fr, written, again, err)
		}
		if twice := encodeFrame(f, again); !bytes.Equal(twice, written) {
			t.Fatalf("wrote %q, then %q", written, twice)
		}
		if fr.Body != nil {
			checkValue(t, f, fr.Body)
		}
	}
}

// checkValue holds Parse, Append, Transcode and Bind against each other.
func checkValue(t *testing.T, f Format, data []byte) {
	tree, err := Parse(f, data)
	for _, to := range []Format{JSON, Msgpack} {
		out, terr := Transcode(nil, to, f, data)
		if (err == nil) != (terr == nil) {
			t.Fatalf("Parse: %v, Transcode: %v", err, terr)
		}
		if err != nil {
			if len(err.Error()) > 64*60 {
				t.Fatalf("error of %d bytes", len(err.Error()))
			}
			continue
		}
		// The tree, written and read again, and the transcoded bytes mean the same.
		written, aerr := Append(nil, to, tree)
		if aerr != nil {
			t.Fatal(aerr)
		}
		for _, b := range [][]byte{out, written} {
			back, err := Parse(to, b)
			if err != nil || !reflect.DeepEqual(floats(t, back), floats(t, tree)) {
				t.Fatalf("%v of %q: %q is %v, %v", to, data, b, back, err)
			}
			if to == JSON && !json.Valid(b) {
				t.Fatalf("%q is no JSON", b)
			}
		}
		if again, err := Append(nil, to, tree); err != nil || !bytes.Equal(again, written) {
			t.Fatalf("written differently: %q, %q", again, written)
		}
		var v any
		if err := Bind(tree, &v); err != nil || !reflect.DeepEqual(v, floats(t, tree)) {
			t.Fatalf("bound to %v, %v", v, err)
		}
	}
	if err := checkCodec(everythingCodec, f, data, nil); err != nil {
		t.Fatal(err)
	}
	var typed everything
	var ve *ValueError
	if err := Unmarshal(f, data, &typed); err != nil && !errors.As(err, &ve) {
		t.Fatalf("error of type %T", err)
	}
}

// floats makes every number of a tree or of the oracle's values a float64.
func floats(t *testing.T, v any) any {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return n
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = floats(t, v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = floats(t, v[k])
		}
		return out
	case nil, bool, string:
		return v
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.CanInt():
		return float64(rv.Int())
	case rv.CanUint():
		return float64(rv.Uint())
	}
	return rv.Float()
}

func seeds(f *testing.F, format Format) {
	v := loadVectors(f)
	for _, fr := range v.Frames {
		if format == JSON {
			f.Add([]byte(fr.JSON))
		} else {
			f.Add(unhex(f, fr.Msgpack))
		}
	}
	if format == JSON {
		for _, m := range v.Malformed {
			f.Add([]byte(m.JSON))
		}
		return
	}
	for _, d := range v.Decode {
		f.Add(unhex(f, d.Msgpack))
	}
	for _, n := range v.Numbers {
		f.Add(unhex(f, n.Msgpack))
	}
}

func FuzzDecodeJSON(f *testing.F) {
	seeds(f, JSON)
	for _, s := range []string{sampleJSON, `{"a":1,"a":2}`, `"\ud83d\ude00\ud800"`, `[1.0,1e2,-0,1e999,0.1,12345678901234567]`, "\"\xff\"", ` [ ] `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkFrame(t, JSON, data)
		checkValue(t, JSON, data)
		valid := json.Valid(data) && utf8.Valid(data)
		_, err := Parse(JSON, data)
		switch {
		case err == nil && !valid:
			t.Fatalf("%q is no JSON", data)
		case err != nil && valid && strings.Contains(err.Error(), "invalid JSON"):
			t.Fatalf("%q: %v", data, err)
		}
	})
}

func FuzzDecodeMsgpack(f *testing.F) {
	seeds(f, Msgpack)
	if b, err := Marshal(Msgpack, sample()); err != nil {
		f.Fatal(err)
	} else {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkFrame(t, Msgpack, data)
		checkValue(t, Msgpack, data)
		if tree, err := Parse(Msgpack, data); err == nil {
			// The other implementation reads what we accept, up to what is undefined.
			var v any
			normal, err := Append(nil, Msgpack, tree)
			if err == nil {
				err = msgpack.Unmarshal(normal, &v)
			}
			if err != nil || !reflect.DeepEqual(floats(t, v), floats(t, tree)) {
				t.Fatalf("%x: the oracle reads %v, %v", normal, v, err)
			}
		}
	})
}

// FuzzTranscode: JSON to msgpack to JSON is the same value, and vmihailenco/msgpack reads what we write and writes what we read.
func FuzzTranscode(f *testing.F) {
	seeds(f, JSON)
	f.Add([]byte(sampleJSON))
	f.Add([]byte(`{"z":[1e2,1.0,4294967296,-2147483649,0.1,1e300,9007199254740993,-0.0],"":"","é":"\u2028"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree, err := Parse(JSON, data)
		if err != nil {
			return
		}
		m, err := Transcode(nil, Msgpack, JSON, data)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Transcode(nil, JSON, Msgpack, m)
		if err != nil {
			t.Fatal(err)
		}
		tree2, err := Parse(JSON, back)
		want := floats(t, tree)
		if err != nil || !reflect.DeepEqual(floats(t, tree2), want) {
			t.Fatalf("%q became %q, %v", data, back, err)
		}
		if m2, err := Transcode(nil, Msgpack, JSON, back); err != nil || !bytes.Equal(m2, m) {
			t.Fatalf("%x, then %x, %v", m, m2, err)
		}
		var v any
		if err := msgpack.Unmarshal(m, &v); err != nil || !reflect.DeepEqual(floats(t, v), want) {
			t.Fatalf("%x: the oracle reads %v, %v; want %v", m, v, err, want)
		}
		theirs, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if ours, err := Parse(Msgpack, theirs); err != nil || !reflect.DeepEqual(floats(t, ours), want) {
			t.Fatalf("%x by the oracle: %v, %v; want %v", theirs, ours, err, want)
		}
	})
}

// FuzzMarshal: a struct of many kinds goes out as the same value in both formats, and comes back as it was.
func FuzzMarshal(f *testing.F) {
	f.Add("text", int64(5), uint64(7), 0.5, float32(0.1), true, []byte{1}, uint8(3))
	f.Add("\xff", int64(math.MinInt64), uint64(math.MaxUint64), math.NaN(), float32(1e-7), false, []byte{}, uint8(0))
	f.Add("<\u2028\x00>", int64(1<<53), uint64(1<<53), 1e21, float32(16777216), false, []byte(nil), uint8(255))
	f.Add("a", int64(-62167219200), uint64(1<<32), 72057594037927936.0, float32(math.MaxFloat32), true, []byte("abc"), uint8(17))
	f.Fuzz(func(t *testing.T, s string, i int64, u uint64, f64 float64, f32 float32, b bool, bs []byte, n uint8) {
		v := everything{
			base: base{ID: s}, Over: s, Bool: b, Int8: int8(n), Int64: i, Uint16: uint16(u), F32: f32, F64: f64, Big: i, OptBig: &u,
			Quoted: s, Empty: s, At: time.Unix(i>>8, int64(n)).UTC(), For: time.Duration(i >> 11), Bytes: append([]byte{}, bs...),
			List: []point{}, Pair: [2]int{int(n), -int(n)}, Names: map[string]string{s: s, "x": ""}, Nums: map[int8]bool{int8(n): b},
			Levels: map[level]int{level(n): 1}, Any: s, Raw: json.RawMessage("null"), Num: "0", Level: level(n), PText: pointerText{"q"},
			JSON: pair{int(n), 1}, Dash: s, NoTag: int(n),
		}
		if b {
			v.Null, v.Opt = &point{f64, 1}, new(int)
			v.Tree = &tree{int(n), []*tree{}}
			v.Zero = v.At
		}
		for range n % 20 {
			v.List = append(v.List, point{float64(i), float64(u)})
		}
		var trees [2]any
		var errs [2]error
		for _, format := range []Format{JSON, Msgpack} {
			data, err := Marshal(format, &v)
			if errs[format] = err; err != nil {
				var ve *ValueError
				if !errors.As(err, &ve) || ve.Path == "" {
					t.Fatalf("%v: error without a path: %v", format, err)
				}
				continue
			}
			if trees[format], err = Parse(format, data); err != nil {
				t.Fatalf("%v: %q: %v", format, data, err)
			}
			if format == JSON && !json.Valid(data) {
				t.Fatalf("%q", data)
			}
			if dst, err := AppendMarshal([]byte("x"), format, v); err != nil || string(dst) != "x"+string(data) {
				t.Fatalf("%v: %q by value, %q by pointer, %v", format, dst, data, err)
			}
			if err := checkCodec(everythingCodec, format, data, &v); err != nil {
				t.Fatal(err)
			}
			back := everything{}
			if err := Unmarshal(format, data, &back); err != nil {
				t.Fatalf("%v: %q: %v", format, data, err)
			}
			if again, err := Marshal(format, back); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%v: %q, then %q, %v", format, data, again, err)
			}
			if !reflect.DeepEqual(back, v) {
				t.Fatalf("%v: %+v\n came back as\n%+v", format, v, back)
			}
		}
		if (errs[0] == nil) != (errs[1] == nil) || errs[0] != nil && errs[0].Error() != errs[1].Error() {
			t.Fatalf("JSON: %v, msgpack: %v", errs[0], errs[1])
		}
		if !reflect.DeepEqual(trees[0], trees[1]) {
			t.Fatalf("JSON: %v\nmsgpack: %v", trees[0], trees[1])
		}
	})
}
