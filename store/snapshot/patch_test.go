package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
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

// edit changes some bytes in the middle of a value.
func edit(r *rand.Rand, value []byte) []byte {
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

func TestDiffFindsWhatIsCommon(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 7, 8, 9, 63, 4095, 4096, 4097, 8192, 12300} {
		for range 50 {
			old := randomValue(r, n)
			changed := edit(r, old)
			p := Diff(old, changed)
			prefix := naivePrefix(old, changed)
			if suffix := naiveSuffix(old[prefix:], changed[prefix:]); p.prefix != prefix || p.suffix != suffix {
				t.Fatalf("of %d and %d bytes %d and %d are common, want %d and %d", len(old), len(changed), p.prefix, p.suffix, prefix, suffix)
			}
			if p.Len() != len(changed)-p.prefix-p.suffix {
				t.Fatalf("Len is %d, want %d", p.Len(), len(changed)-p.prefix-p.suffix)
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
			changed := edit(r, value)
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
	long := Diff(a, b)
	long.prefix = len(a) + 1
	short := Diff(a, b)
	short.result.length = 1
	tail := Diff(a, b)
	tail.result.length += 9
	huge := Diff(a, b)
	huge.base.length, huge.result.length = 1<<63, 1<<63

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
		{"a prefix beyond the end", base, [][]byte{AppendPatch(nil, h, long)}, ErrCorrupt, "14 bytes at the beginning are kept of a value of 13"},
		{"a result less than its parts", base, [][]byte{AppendPatch(nil, h, short)}, ErrCorrupt, "a result of 1 bytes"},
		{"a suffix beyond the beginning", base, [][]byte{AppendPatch(nil, h, tail)}, ErrCorrupt, "are kept of a value of 13"},
		{"lengths beyond memory", base, [][]byte{AppendPatch(nil, h, huge)}, ErrCorrupt, ""},
	} {
		value, gotHeader, err := Apply(test.base, test.patches...)
		if !errors.Is(err, test.want) || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: error %v; want one that is %q and says %q", test.name, err, test.want, test.says)
		}
		if value != nil || gotHeader != (Header{}) {
			t.Errorf("%s: an error comes with %q and %+v", test.name, value, gotHeader)
		}
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

func BenchmarkDiff(b *testing.B) {
	for _, size := range []int{10 << 10, 1 << 20} {
		old := randomValue(rand.New(rand.NewPCG(1, 1)), size)
		changed := bytes.Clone(old)
		changed[size/2] ^= 1
		b.Run(fmt.Sprintf("compare/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				n := commonPrefix(old, changed)
				commonSuffix(old[n:], changed[n:])
			}
		})
		b.Run(fmt.Sprintf("all/%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				Diff(old, changed)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	value := randomValue(rand.New(rand.NewPCG(1, 1)), 1<<20)
	h := Header{Kind: "state"}
	base := Append(nil, h, value)
	var patches [][]byte
	for i := range MaxPatches {
		changed := bytes.Clone(value)
		changed[i*4000] ^= 1
		patches = append(patches, AppendPatch(nil, h, Diff(value, changed)))
		value = changed
	}
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, _, err := Apply(base, patches...); err != nil {
			b.Fatal(err)
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
