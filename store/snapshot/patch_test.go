package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

func naivePrefix(a, b []byte) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}

func naiveSuffix(a, b []byte) int {
	i := 0
	for i < len(a) && i < len(b) && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

// edited changes some bytes in the middle of a value.
func edited(r *rand.Rand, value []byte) []byte {
	at := r.IntN(len(value) + 1)
	drop := r.IntN(min(len(value)-at, 20) + 1)
	insert := make([]byte, r.IntN(20))
	for i := range insert {
		insert[i] = byte(r.IntN(4))
	}
	return append(append(bytes.Clone(value[:at]), insert...), value[at+drop:]...)
}

func randomValue(r *rand.Rand, n int) []byte {
	value := make([]byte, n)
	for i := range value {
		value[i] = byte(r.IntN(4)) // few letters, so that ends look alike by chance
	}
	return value
}

func TestCommon(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 7, 8, 9, 63, 4095, 4096, 4097, 8192, 12300} {
		for range 50 {
			old := randomValue(r, n)
			changed := edited(r, old)
			if got, want := commonPrefix(old, changed), naivePrefix(old, changed); got != want {
				t.Fatalf("%d and %d bytes begin with %d that are common, want %d", len(old), len(changed), got, want)
			}
			if got, want := commonSuffix(old, changed), naiveSuffix(old, changed); got != want {
				t.Fatalf("%d and %d bytes end with %d that are common, want %d", len(old), len(changed), got, want)
			}
		}
	}
}

func TestApply(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 100, 5000} {
		value := randomValue(r, n)
		h := Header{Kind: "state", Encoding: Msgpack}
		base := Append(nil, h, value)
		var patches [][]byte
		for i := range 60 {
			changed := edited(r, value)
			switch i % 20 {
			case 7:
				changed = nil
			case 8:
				changed = randomValue(r, n)
			case 9:
				changed = bytes.Clone(value) // nothing has changed but the header
			}
			h.Version, h.Pushes = uint32(i), uint64(i*i)
			patches = append(patches, AppendPatch(nil, h, Diff(value, changed)))
			value = changed
			got, gotHeader, err := Apply(base, patches...)
			want := h
			want.Layout = Layout
			if err != nil || !bytes.Equal(got, value) || gotHeader != want {
				t.Fatalf("after %d patches of a value of %d bytes: header %+v, error %v, equal %t", i+1, n, gotHeader, err, bytes.Equal(got, value))
			}
		}
		if _, body, err := Decode(base); err != nil || !bytes.Equal(body, base[len(base)-sizeSum-n:len(base)-sizeSum]) {
			t.Fatalf("the base was changed: %v", err)
		}
	}
}

func TestApplyWithoutPatches(t *testing.T) {
	base := Append(nil, Header{Kind: "state", Pushes: 5}, []byte("x"))
	value, h, err := Apply(base)
	if err != nil || string(value) != "x" || h.Pushes != 5 {
		t.Fatalf("%q, %+v, %v", value, h, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	h := Header{Kind: "state"}
	a, b, c := []byte("one two three"), []byte("one 2 three"), []byte("one 2 3")
	base := Append(nil, h, a)
	ab, bc := AppendPatch(nil, h, Diff(a, b)), AppendPatch(nil, h, Diff(b, c))
	other := AppendPatch(nil, Header{Kind: "session"}, Diff(a, b))
	packed := AppendPatch(nil, Header{Kind: "state", Encoding: Msgpack}, Diff(a, b))

	// A patch whose result is not what it says.
	lies := Diff(a, b)
	lies.result.sum++
	lie := AppendPatch(nil, h, lies)
	// Patches whose lengths cannot be.
	short := Diff(a, b)
	short.result.length = 1
	tail := Diff(a, b)
	tail.result.length += 9
	huge := Diff(a, b)
	huge.base.length, huge.result.length = 1<<63, 1<<63-2
	// with has these edits in place of those that there should be.
	with := func(edits ...byte) [][]byte {
		p := Diff(a, b)
		p.edits = edits
		return [][]byte{AppendPatch(nil, h, p)}
	}

	for _, test := range []struct {
		name    string
		base    []byte
		patches [][]byte
		want    error
		says    string
	}{
		{"out of order", base, [][]byte{bc, ab}, ErrCorrupt, "patch 1 of 2"},
		{"one missing", base, [][]byte{bc}, ErrCorrupt, "patch 1 of 1"},
		{"twice", base, [][]byte{ab, ab}, ErrCorrupt, "patch 2 of 2"},
		{"of another kind", base, [][]byte{other}, ErrCorrupt, "it is one of session in json, the value is state in json"},
		{"of another encoding", base, [][]byte{packed}, ErrCorrupt, "it is one of state in msgpack"},
		{"a value among them", base, [][]byte{ab, base}, ErrNotSnapshot, "patch 2 of 2"},
		{"a patch for a base", ab, [][]byte{bc}, ErrNotSnapshot, "patch of state"},
		{"damaged", base, [][]byte{ab[:len(ab)-2]}, ErrCorrupt, "patch 1 of 1"},
		{"another result", base, [][]byte{lie}, ErrCorrupt, "lead to 11 bytes"},
		{"a result less than its parts", base, [][]byte{AppendPatch(nil, h, short)}, ErrCorrupt, "the edits keep 10 bytes and put in 1, and should make 1"},
		{"a result more than its parts", base, [][]byte{AppendPatch(nil, h, tail)}, ErrCorrupt, "should make 20"},
		{"the right edits", base, with(4, 3, 1, '2'), nil, ""},
		{"edits that end early", base, with(4, 3), ErrCorrupt, "a number of an edit is cut off"},
		{"a number without an end", base, with(4, 3, 0x81), ErrCorrupt, "a number of an edit is cut off"},
		{"a number with a zero at its end", base, with(0x84, 0, 3, 1, '2'), ErrCorrupt, "longer than it has to be"},
		{"a number beyond its type", base, with(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 3, 1, '2'), ErrCorrupt, "longer than it has to be"},
		{"more kept than there is", base, with(14, 0, 1, '2'), ErrCorrupt, "an edit keeps 14 bytes and drops 0, of a value that has 13 left of its 13"},
		{"more dropped than there is", base, with(4, 3, 0, 5, 2, 0), ErrCorrupt, "keeps 5 bytes and drops 2, of a value that has 6 left of its 13"},
		{"more put in than there is", base, with(4, 3, 2, '2'), ErrCorrupt, "puts in 2 bytes, and 1 follow"},
		{"an edit that does nothing", base, with(4, 0, 0), ErrCorrupt, "does nothing"},
		{"an edit in two", base, with(4, 3, 0, 0, 0, 1, '2'), ErrCorrupt, "part of the one before"},
		{"edits that make less", base, with(4, 4, 1, '2'), ErrCorrupt, "the edits keep 9 bytes and put in 1, and should make 11"},
		{"another result of the same length", base, with(4, 3, 1, '3'), ErrCorrupt, "lead to 11 bytes"},
		{"lengths beyond memory", base, [][]byte{AppendPatch(nil, h, huge)}, ErrCorrupt, ""},
	} {
		value, gotHeader, err := Apply(test.base, test.patches...)
		if test.want == nil {
			if err != nil || !bytes.Equal(value, b) {
				t.Errorf("%s: %q, error %v", test.name, value, err)
			}
			continue
		}
		if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: error %v; want one that is %q and says %q", test.name, err, test.want, test.says)
		}
		if value != nil || gotHeader != (Header{}) {
			t.Errorf("%s: an error comes with %q and %+v", test.name, value, gotHeader)
		}
	}
}

// What Apply needs is bounded by what it is given, whatever the patches are.
func TestApplyNeedsBoundedMemory(t *testing.T) {
	h := Header{Kind: "state"}
	value := make([]byte, 100<<10)
	var list editList
	for range len(value) / 2 {
		list.add(1, []byte{0}, 1)
	}
	p := Patch{base: valueOf(value), result: valueOf(value), edits: list.data}
	base, patch := Append(nil, h, value), AppendPatch(nil, h, p)
	patches := [][]byte{patch, patch, patch}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, _, err := Apply(base, patches...)
	runtime.ReadMemStats(&after)
	if err != nil || !bytes.Equal(got, value) {
		t.Fatalf("%d bytes, error %v", len(got), err)
	}
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(10*len(value)); used > most {
		t.Errorf("%d bytes were allocated for three patches of a value of %d; want %d at most", used, len(value), most)
	}
}

func TestCompact(t *testing.T) {
	for _, c := range []struct {
		base, patches, count int
		want                 bool
	}{
		{SmallValue, 10, 1, true},
		{SmallValue + 1, 10, 1, false},
		{SmallValue + 1, MaxPatchBytes, MaxPatches, false},
		{SmallValue + 1, MaxPatchBytes + 1, MaxPatches, true},
		{SmallValue + 1, MaxPatchBytes, MaxPatches + 1, true},
		{1 << 20, 1 << 20, 2, false},
		{1 << 20, 1<<20 + 1, 2, true},
	} {
		if got := Compact(c.base, c.patches, c.count); got != c.want {
			t.Errorf("Compact(%d, %d, %d) is %t", c.base, c.patches, c.count, got)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	body := make([]byte, 1<<10)
	var buf []byte
	b.SetBytes(1 << 10)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], Header{Kind: "state"}, body)
	}
}
