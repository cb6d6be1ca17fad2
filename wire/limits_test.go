package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// Hostile inputs cost memory in proportion to their length, whatever lengths they announce.
func TestMemoryIsBounded(t *testing.T) {
	const size = 1 << 14
	repeat := func(head string, b ...byte) []byte {
		return append([]byte(head), bytes.Repeat(b, (size-len(head))/len(b))...)
	}
	array32 := []byte{0xdd, 0, 0, 0x3f, 0}
	var manyKeys, manyPairs []byte
	pairs := 0
	for i := 0; len(manyKeys) < size; i++ {
		pairs++
		manyKeys = fmt.Appendf(manyKeys, `,"%d":{}`, i)
		manyPairs = appendString(manyPairs, Msgpack, fmt.Sprint(i))
		manyPairs = append(manyPairs, 0x80)
	}
	manyKeys = append(append([]byte("{"), manyKeys[1:]...), '}')
	inputs := []struct {
		name string
		f    Format
		data []byte
	}{
		{"array of 2^32-1", Msgpack, unhex(t, "ddffffffff")},
		{"map of 2^32-1", Msgpack, unhex(t, "dfffffffff")},
		{"bin of 2^32-1", Msgpack, unhex(t, "c6ffffffff")},
		{"str of 2^32-1", Msgpack, unhex(t, "dbffffffff")},
		{"ext of 2^32-1", Msgpack, unhex(t, "c9ffffffff00")},
		{"arrays inside arrays, each announcing all that is left", Msgpack, append(bytes.Repeat(array32, 60), make([]byte, size)...)},
		{"empty maps", Msgpack, repeat("\xdd\x00\x00\x3f\xfb", 0x80)},
		{"empty arrays", Msgpack, repeat("\xdd\x00\x00\x3f\xfb", 0x90)},
		{"small integers", Msgpack, repeat("\xdd\x00\x00\x3f\xfb", 0x7f)},
		{"empty strings", Msgpack, repeat("\xdd\x00\x00\x3f\xfb", 0xa0)},
		{"undefined", Msgpack, repeat("\xdd\x00\x00\x15\x53", 0xd4, 0, 0)},
		{"large floats", Msgpack, repeat("\xdd\x00\x00\x07\x1b", unhex(t, "cb4415af1d78b58c40")...)},
		{"pairs", Msgpack, append([]byte{0xde, byte(pairs >> 8), byte(pairs)}, manyPairs...)},
		{"deep arrays", Msgpack, bytes.Repeat([]byte{0x91}, size)},
		{"empty objects", JSON, []byte("[" + strings.Repeat("{},", size/3) + "{}]")},
		{"empty lists", JSON, []byte("[" + strings.Repeat("[],", size/3) + "[]]")},
		{"numbers", JSON, []byte("[" + strings.Repeat("1e9,", size/4) + "1]")},
		{"long numbers", JSON, []byte("[" + strings.Repeat("1e20,", size/5) + "1]")},
		{"escapes", JSON, []byte(`"` + strings.Repeat(`\n`, size/2) + `"`)},
		{"keys", JSON, manyKeys},
		{"deep lists", JSON, bytes.Repeat([]byte("["), size)},
		{"one number", JSON, bytes.Repeat([]byte("9"), size)},
		{"spaces", JSON, append(bytes.Repeat([]byte(" "), size), '1')},
	}
	for _, in := range inputs {
		_, err := Parse(in.f, in.data)
		if whole := !strings.Contains(in.name, "2^32") && !strings.Contains(in.name, "deep") && !strings.Contains(in.name, "inside") && in.name != "one number"; whole != (err == nil) {
			t.Errorf("%s: %v", in.name, err)
		}
	}
	const factor, slack = 150, 16 << 10
	codec := NewCodec(reflect.TypeFor[[]struct{ A []int }](), nil)
	for _, in := range inputs {
		frame := AppendRequest(nil, in.f, "a", "b", in.data)
		for op, run := range map[string]func(){
			"Decode":            func() { Decode(in.f, frame) },
			"Parse":             func() { Parse(in.f, in.data) },
			"Transcode":         func() { Transcode(nil, 1-in.f, in.f, in.data) },
			"Unmarshal":         func() { var v any; Unmarshal(in.f, in.data, &v) },
			"Unmarshal, a type": func() { var v []struct{ A []int }; Unmarshal(in.f, in.data, &v) },
			"a codec":           func() { var v []struct{ A []int }; codec.Decode(in.f, in.data, &v) },
		} {
			limit := uint64(factor*len(in.data) + slack)
			if op == "Decode" {
				limit = slack
			}
			if n := allocated(run); n > limit {
				t.Errorf("%s of %s (%d bytes): %d bytes allocated", op, in.name, len(in.data), n)
			}
		}
	}
}

// allocated returns the least number of bytes that a few runs of f allocated, so that the work of others does not count.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// What a message quotes of its input is short, however long the input is.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("é", 10000)
	for _, in := range []string{
		`{"socka":"` + long + `"}`,
		`{"` + long + `":1,"` + long + `":2}`,
		strings.Repeat(`{"`+long+`":`, 60) + `"\ud800"` + strings.Repeat("}", 60),
		strings.Repeat("9", 10000),
		`"` + long,
	} {
		_, derr := Decode(JSON, []byte(in))
		_, perr := Parse(JSON, []byte(in))
		for _, err := range []error{derr, perr} {
			if err != nil && len(err.Error()) > 5000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		}
	}
}

func TestDecodeAllocates(t *testing.T) {
	for _, f := range []Format{JSON, Msgpack} {
		body, _ := Transcode(nil, f, JSON, []byte(`{"a":[1,2,{"b":"c"}]}`))
		frame := AppendRequest(nil, f, "call-1", "call", body)
		n := testing.AllocsPerRun(100, func() {
			if _, err := Decode(f, frame); err != nil {
				t.Fatal(err)
			}
		})
		if n > 2 { // the id and the name
			t.Errorf("%v: Decode allocates %v times", f, n)
		}
		dst := make([]byte, 0, 256)
		n = testing.AllocsPerRun(100, func() {
			AppendResponse(dst, f, "call-1", "call", body)
			AppendEvent(dst, f, "event", body)
			AppendError(dst, f, ErrorFrame{ID: "call-1", Error: "no", Code: "c", HasCode: true})
		})
		if n != 0 {
			t.Errorf("%v: Append allocates %v times", f, n)
		}
	}
}
