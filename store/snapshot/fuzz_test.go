package snapshot

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzDecode reads anything as a frame, as it is and with a checksum that is right, applies it to a frame and frames to it. What
// is accepted is written again as the same bytes.
func FuzzDecode(f *testing.F) {
	h := Header{Kind: "state", Version: 3, Pushes: 5}
	a, b := []byte(`{"n":1,"text":"a"}`), []byte(`{"n":2,"text":"b"}`)
	base, patch := Append(nil, h, a), AppendPatch(nil, h, Diff(a, b))
	f.Add(base, patch)
	f.Add(patch, base)
	f.Add(Append(nil, Header{Kind: "s", Encoding: Msgpack}, []byte{0x81, 0xa1, 'a', 0xc0}), AppendPatch(nil, h, Diff(nil, b)))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		for _, data := range [][]byte{one, two} {
			rewrite(t, data)
			if len(data) >= sizeFixed+sizeSum {
				rewrite(t, resum(data))
			}
		}
		if len(one) < sizeFixed+sizeSum || len(two) < sizeFixed+sizeSum {
			return
		}
		one, two = resum(one), resum(two)
		for _, patches := range [][][]byte{{two}, {two, two}, {patch, two}} {
			for _, first := range [][]byte{one, base} {
				value, _, err := Apply(first, patches...)
				if err != nil && value != nil {
					t.Fatal("an error comes with a value")
				}
				size := len(first)
				for _, p := range patches {
					size += len(p)
				}
				if len(value) > size {
					t.Fatalf("%d bytes were made of %d", len(value), size)
				}
			}
		}
	})
}

// rewrite reads a frame and writes it again.
func rewrite(t *testing.T, data []byte) {
	t.Helper()
	f, err := parse(data)
	if err != nil {
		return
	}
	var again []byte
	if f.form == formPatch {
		again = AppendPatch(nil, f.Header, f.patch)
	} else {
		again = Append(nil, f.Header, f.body)
	}
	if !bytes.Equal(again, data) {
		t.Fatalf("%x is written again as %x", data, again)
	}
	if text, _, err := ToJSON(data); err == nil && len(text) > 1000+20*len(data) {
		t.Fatalf("%d bytes are shown as %d", len(data), len(text))
	}
}

// FuzzDiff makes patches between any two values, which lead from one to the other and are hardly longer.
func FuzzDiff(f *testing.F) {
	rows := []byte(`[{"id":1,"text":"hello"},{"id":2,"text":"hello"},{"id":3,"text":"who is there?"}]`)
	f.Add(rows, []byte(`[{"id":2,"text":"hello"},{"id":3,"text":"who is there?"},{"id":4,"text":"all"}]`))
	f.Add(noise(1, 80), append(noise(2, 9), noise(1, 70)...))
	f.Add(make([]byte, 50), make([]byte, 60))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		lead(t, one, two)
		lead(t, append(bytes.Clone(one), two...), append(bytes.Clone(two), one...))
		lead(t, bytes.Repeat(one, 5), append(two, bytes.Repeat(one, 4)...))
	})
}

// FuzzMsgpack reads anything as values of all types of these tests. What is accepted is written, read and written again as the
// same bytes.
func FuzzMsgpack(f *testing.F) {
	for i, typ := range sampleTypes {
		data, err := Msgpack.Marshal(reflect.New(typ).Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, byte(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, which byte) {
		typ := sampleTypes[int(which)%len(sampleTypes)]
		first := reflect.New(typ).Interface()
		if err := Msgpack.Unmarshal(data, first); err != nil {
			return
		}
		once, err := Msgpack.Marshal(first)
		if err != nil {
			return // a value of math/big or net/netip that was read and cannot be written
		}
		second := reflect.New(typ).Interface()
		if err := Msgpack.Unmarshal(once, second); err != nil {
			t.Fatalf("%x was read as %+v, written as %x, and not read again: %v", data, first, once, err)
		}
		if twice, err := Msgpack.Marshal(second); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%x is written as %x, and then as %x, error %v", data, once, twice, err)
		}
	})
}
