package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestCanonicalNumbers(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "0"}, {"-0.0", "0"}, {"0e9999", "0"}, {"1.0", "1"}, {"1e2", "100"}, {"1E+2", "100"}, {"-5", "-5"},
		{"12345678901234567", "12345678901234567"}, {"-12345678901234567", "-12345678901234567"},
		{"123456789012345678", "123456789012345680"}, {"9223372036854775807", "9223372036854776000"},
		{"100000000000000000000", "100000000000000000000"}, {"1e20", "100000000000000000000"}, {"1e21", "1e+21"},
		{"0.000001", "0.000001"}, {"0.0000001", "1e-7"}, {"1e-400", "0"}, {"5e-324", "5e-324"}, {"0.1", "0.1"}, {"1.50", "1.5"},
		{"1.7976931348623157e308", "1.7976931348623157e+308"}, {"0." + strings.Repeat("0", 1000) + "1", "0"},
		{"1e309", ""}, {"-1e309", ""}, {"1e99999999999999999999", ""}, {strings.Repeat("9", 400), ""},
	} {
		tree, err := Parse(JSON, []byte(c.in))
		if c.want == "" {
			if err == nil || len(err.Error()) > 200 {
				t.Errorf("%s: %v, %v; want a short error", clip(c.in), tree, err)
			}
			continue
		}
		if err != nil || tree != any(json.Number(c.want)) {
			t.Errorf("%s: %v, %v; want %s", clip(c.in), tree, err, c.want)
			continue
		}
		// The form is a fixed point, and the same after a stay in msgpack.
		m, err := Append(nil, Msgpack, tree)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(Msgpack, m)
		if a, _ := tree.(json.Number).Float64(); err != nil || a != must(again.(json.Number).Float64()) {
			t.Errorf("%s: %x, %v, %v", clip(c.in), m, again, err)
		}
		if fixed, err := Parse(JSON, []byte(tree.(json.Number))); err != nil || fixed != tree {
			t.Errorf("%s: again %v, %v", clip(c.in), fixed, err)
		}
	}
}

func must(v float64, err error) float64 {
	if err != nil {
		return math.NaN()
	}
	return v
}

func TestParseMsgpack(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // want: the tree as JSON, or ! and the error
		{"82 a161 d40000 a162 01", `{"b":1}`},
		{"92 d40000 c70300aabbcc", `[null,null]`},
		{"82 a161 d40000 a161 01", `!repeated key "a"`},
		{"82 a161 01 a161 01", `!repeated key "a"`},
		{"81 a161 92 01 82 a162 01 a162 02", `!a[1]: repeated key "b"`},
		{"ca7f800000", "!number that is not finite"},
		{"91 cb7ff8000000000000", "![0]: number that is not finite"},
		{"cfffffffffffffffff", "18446744073709552000"},
		{"d38000000000000000", "-9223372036854776000"},
		{"ca3dcccccd", "0.10000000149011612"},
		{"cb8000000000000000", "0"},
		{"c400", `""`},
		{"c50001ff", `"/w=="`},
		{"d7ff ee6b2800 65536d00", `!timestamp outside`},
		{"d7ff ee6b27fc 65536d00", `"2023-11-14T12:50:08.999999999Z"`},
		{"c70cff 00000000 fffffff1868b8400", `"0000-01-01T00:00:00Z"`},
		{"c70cff 00000000 fffffff1868b83ff", "!timestamp outside"},
		{"c70cff 3b9aca00 0000000000000000", "!timestamp outside"},
		{"d9 01 ff", "!invalid msgpack: invalid UTF-8"},
		{"dc0001", "!invalid msgpack: more elements"},
		{"81 a161", "!a: invalid msgpack: unexpected end"},
		{"82 a161 01 02 03", "!invalid msgpack: map key"},
		{"0101", "!invalid msgpack: trailing data"},
		{"d401ff", "!invalid msgpack: unknown extension"},
		{"c1", "!invalid msgpack: unused"},
		{"", "!invalid msgpack: unexpected end"},
	} {
		data := unhex(t, strings.ReplaceAll(c.in, " ", ""))
		tree, err := Parse(Msgpack, data)
		text, terr := Transcode(nil, JSON, Msgpack, data)
		if reason, bad := strings.CutPrefix(c.want, "!"); bad {
			if err == nil || terr == nil || !strings.HasPrefix(err.Error(), reason) || terr.Error() != err.Error() {
				t.Errorf("%s: %v, %v; %s, %v; want %s", c.in, tree, err, text, terr, reason)
			}
			continue
		}
		got, _ := Append(nil, JSON, tree)
		if err != nil || string(got) != c.want || terr != nil || string(text) != c.want {
			t.Errorf("%s: %s, %v; %s, %v; want %s", c.in, got, err, text, terr, c.want)
		}
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":{"b":1,"b":2}}`:        `a: repeated key "b"`,
		`{"a":1,"\u0061":2}`:         `repeated key "a"`,
		`{"a b":[1,"\ud800x"]}`:      `["a b"][1]: string with half a surrogate pair`,
		`{"\udc00":1}`:               `string with half a surrogate pair`,
		`"\ud800\ud800"`:             `string with half a surrogate pair`,
		`[1,]`:                       `[1]: invalid JSON: unexpected character at byte 3`,
		`{"a":1 "b"}`:                `invalid JSON: unexpected character`,
		"\"\xc0\x80\"":               `invalid JSON: not UTF-8`,
		`nul`:                        `invalid JSON`,
		`1 2`:                        `invalid JSON: trailing data`,
		`{"a":[{"b":[0,{"c":01}]}]}`: `a[0].b[1]: invalid JSON`,
		``:                           `invalid JSON: unexpected end`,
	} {
		_, err := Parse(JSON, []byte(in))
		_, terr := Transcode(nil, Msgpack, JSON, []byte(in))
		if err == nil || terr == nil || !strings.HasPrefix(err.Error(), want) || err.Error() != terr.Error() {
			t.Errorf("%s: %v; %v; want %s", in, err, terr, want)
		}
	}
}

func TestTranscodeKeepsOrder(t *testing.T) {
	const in = ` { "z" : 1.0, "a" : [ 1e2 , "\u003c\u2028" ], "m" : { "y" : null , "b" : -0 } } `
	const want = `{"z":1,"a":[100,"<` + "\u2028" + `"],"m":{"y":null,"b":0}}`
	m, err := Transcode(nil, Msgpack, JSON, []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	back, err := Transcode([]byte("kept "), JSON, Msgpack, m)
	if err != nil || string(back) != "kept "+want {
		t.Errorf("%s, %v", back, err)
	}
	if direct, err := Transcode(nil, JSON, JSON, []byte(in)); err != nil || string(direct) != want {
		t.Errorf("%s, %v", direct, err)
	}
	if dst, err := Transcode([]byte("kept"), JSON, JSON, []byte(`{"a":`)); err == nil || string(dst) != "kept" {
		t.Errorf("%q, %v", dst, err)
	}
	// bin and timestamps stay what they are between msgpack and msgpack.
	data := unhex(t, "92c403010203d6ff65536d00")
	if same, err := Transcode(nil, Msgpack, Msgpack, data); err != nil || string(same) != string(data) {
		t.Errorf("%x, %v", same, err)
	}
}

// Heads change their size with the count, which is known only after the elements.
func TestSizes(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 255, 256, 65535, 65536} {
		list, object := make([]any, n), make(map[string]any, n)
		for i := range n {
			list[i] = json.Number(fmt.Sprint(i % 300))
			object[fmt.Sprintf("k%06d", i)] = true
		}
		text := strings.Repeat("x", n)
		tree := any(map[string]any{"list": list, "object": object, "text": text})
		var prev []byte
		for _, f := range []Format{JSON, Msgpack} {
			data, err := Append(nil, f, tree)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := Parse(f, data); err != nil || !reflect.DeepEqual(back, tree) {
				t.Errorf("%v, %d: another tree, %v", f, n, err)
			}
			if f == Msgpack {
				if m, err := Transcode(nil, Msgpack, JSON, prev); err != nil || string(m) != string(data) {
					t.Errorf("%d: Transcode and Append differ, %v", n, err)
				}
				if m, err := Marshal(Msgpack, tree); err != nil || string(m) != string(data) {
					t.Errorf("%d: Marshal and Append differ, %v", n, err)
				}
			}
			prev = data
		}
		for _, b := range [][]byte{[]byte(text)} {
			m, _ := Marshal(Msgpack, b)
			var back []byte
			if err := Unmarshal(Msgpack, m, &back); err != nil || string(back) != text {
				t.Errorf("bin of %d: %v", n, err)
			}
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		at      time.Time
		msgpack string
	}{
		{time.Unix(0, 0), "d6ff00000000"},
		{time.Unix(1<<32-1, 0), "d6ffffffffff"},
		{time.Unix(1<<32, 0), "d7ff0000000100000000"},
		{time.Unix(1, 1), "d7ff0000000400000001"},
		{time.Unix(-1, 0), "c70cff00000000ffffffffffffffff"},
		{time.Unix(1<<34, 5), "c70cff000000050000000400000000"},
		{time.Date(2024, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600)), "d6ff65920080"},
	} {
		m, err := Marshal(Msgpack, c.at)
		if err != nil || string(m) != string(unhex(t, c.msgpack)) {
			t.Errorf("%v: %x, %v; want %s", c.at, m, err, c.msgpack)
		}
		j, err := Marshal(JSON, c.at)
		if want := `"` + c.at.UTC().Format(time.RFC3339Nano) + `"`; err != nil || string(j) != want {
			t.Errorf("%v: %s, %v", c.at, j, err)
		}
		for f, data := range map[Format][]byte{JSON: j, Msgpack: m} {
			var back time.Time
			if err := Unmarshal(f, data, &back); err != nil || !back.Equal(c.at) {
				t.Errorf("%v %v: %v, %v", f, c.at, back, err)
			}
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, tree := range []any{
		struct{}{}, []any{[]string{}}, math.NaN(), math.Inf(1), float32(math.Inf(-1)), json.Number("x"), json.Number("01"), json.Number("1e999"),
		int64(1<<53 + 1), -int64(1<<53 + 1), uint64(math.MaxUint64), "\xff", map[string]any{"\xff": 1},
	} {
		for _, f := range []Format{JSON, Msgpack} {
			if dst, err := Append([]byte("kept"), f, tree); err == nil || string(dst) != "kept" {
				t.Errorf("%v %#v: %q", f, tree, dst)
			}
		}
	}
	for _, tree := range []any{int8(-5), int16(-5), int32(-5), int(-5), int64(-5), float32(-5), -5.0, json.Number("-5.0")} {
		if b, err := Append(nil, JSON, tree); err != nil || string(b) != "-5" {
			t.Errorf("%T: %s, %v", tree, b, err)
		}
	}
	for _, tree := range []any{uint8(5), uint16(5), uint32(5), uint(5), uint64(5)} {
		if b, err := Append(nil, Msgpack, tree); err != nil || string(b) != "\x05" {
			t.Errorf("%T: %x, %v", tree, b, err)
		}
	}
}

func TestFormatNames(t *testing.T) {
	for in, want := range map[string]Format{"": JSON, "json": JSON, "msgpack": Msgpack} {
		if f, err := ParseFormat(in); err != nil || f != want {
			t.Errorf("%q: %v, %v", in, f, err)
		}
	}
	for _, in := range []string{"JSON", "xml", strings.Repeat("x", 1000)} {
		if _, err := ParseFormat(in); err == nil || len(err.Error()) > 200 {
			t.Errorf("%q: %v", clip(in), err)
		}
	}
	if s := fmt.Sprint(JSON, Msgpack, Format(7), ClientRequest, ServerResponse, ServerError, ServerEvent, Kind(0), Kind(9)); s != "json msgpack Format(7) clientRequest serverResponse serverError serverEvent Kind(0) Kind(9)" {
		t.Error(s)
	}
}
