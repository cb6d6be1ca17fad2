package snapshot

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// noise is bytes of which no two runs are the same.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// lead makes the frame of the patch from old to new, which must lead there.
func lead(t *testing.T, old, new []byte) []byte {
	t.Helper()
	h := Header{Kind: "state", Encoding: Msgpack}
	p := Diff(old, new)
	patch := AppendPatch(nil, h, p)
	got, _, err := Apply(Append(nil, h, old), patch)
	if err != nil || !bytes.Equal(got, new) {
		t.Fatalf("a patch of %d bytes leads from %d bytes to %d, error %v; want %d", p.Len(), len(old), len(got), err, len(new))
	}
	if p.Len() > len(new)+16 {
		t.Fatalf("a patch to %d bytes has %d", len(new), p.Len())
	}
	return patch
}

// The changes that turns make lead to patches about as large as they are.
func TestPatchesOfChanges(t *testing.T) {
	for _, c := range changes {
		for _, e := range []Encoding{JSON, Msgpack} {
			for _, size := range []int{6 << 10, 50 << 10, 1 << 20} {
				old, new := c.values(t, e, size)
				if n, most := len(lead(t, old, new)), c.most(len(new)); n > most {
					t.Errorf("%s, in %s of %d bytes: the patch has %d; want %d at most", c.name, e, len(old), n, most)
				}
			}
		}
	}
}

// Edits that are far from one another are found exactly, wherever they are.
func TestPatchesAreAsLargeAsTheirEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 100 {
		old := noise(r.Uint64(), 20<<10+r.IntN(100<<10))
		var new []byte
		at, carried, edits := 0, 0, 1+r.IntN(8)
		for k := range edits {
			place := len(old)/edits*k + r.IntN(1000)
			drop, insert := r.IntN(150), noise(r.Uint64(), r.IntN(150))
			new = append(append(new, old[at:place]...), insert...)
			at = place + drop
			carried += len(insert)
		}
		new = append(new, old[at:]...)
		lead(t, old, new)
		// The numbers of an edit have at most 3 and 2 and 2 bytes.
		if n := Diff(old, new).Len(); n > carried+7*edits {
			t.Errorf("%d edits that put %d bytes in %d have a patch of %d", edits, carried, len(old), n)
		}
	}
}

// Of what changes places, something has to be put in anew.
func TestPatchOfAMove(t *testing.T) {
	large, small := noise(1, 40<<10), noise(2, 5<<10)
	one, other := append(bytes.Clone(large), small...), append(bytes.Clone(small), large...)
	for _, n := range []int{len(lead(t, one, other)), len(lead(t, other, one))} {
		if n > len(small)+100 {
			t.Errorf("%d and %d bytes that change places have a patch of %d", len(large), len(small), n)
		}
	}
}

// Whatever the values are, the patch leads from one to the other.
func TestPatchesOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 4000 {
		old := randomValue(r, r.IntN(1<<r.IntN(13)))
		new := bytes.Clone(old)
		for range r.IntN(5) {
			switch r.IntN(4) {
			case 0: // something moves, or is there twice
				from := r.IntN(len(new) + 1)
				part := bytes.Clone(new[from:min(len(new), from+r.IntN(300))])
				at := r.IntN(len(new) + 1)
				new = append(new[:at:at], append(part, new[at:]...)...)
			case 1: // a part is dropped
				from := r.IntN(len(new) + 1)
				new = append(new[:from:from], new[min(len(new), from+r.IntN(300)):]...)
			default:
				new = edited(r, new)
			}
		}
		lead(t, old, new)
	}
}

func flipped(r *rand.Rand, value []byte, every int) []byte {
	value = bytes.Clone(value)
	for i := r.IntN(every); i < len(value); i += 1 + r.IntN(2*every) {
		value[i] = byte(r.Uint32())
	}
	return value
}

// What is done for a patch is bounded, also if everything looks alike and nothing is the same.
func TestDiffIsBounded(t *testing.T) {
	const size = 128 << 10
	r := rand.New(rand.NewPCG(15, 16))
	check := func(name string, old, new []byte) {
		d := differ{old: old, new: new}
		d.run()
		step := max(minStep, d.step)
		if most := 4*len(new) + 2*step*(nearby+len(new)/64); d.spent > most {
			t.Errorf("%s: as much was done as for %d places of %d; want %d at most", name, d.spent, len(new), most)
		}
		if most := len(new)/8 + 4*ahead + 2*max(ahead, 2*step); d.checked > most {
			t.Errorf("%s: %d places of %d were searched for better matches; want %d at most", name, d.checked, len(new), most)
		}
	}
	for _, period := range []int{1, 2, 7, 33, 100, 1000} {
		base := bytes.Repeat(noise(9, period), size/period+1)[:size]
		for _, every := range []int{10, 20, 40, 100, 400} {
			name := fmt.Sprintf("a period of %d, every %d different", period, every)
			lead(t, base, flipped(r, base, every))
			check(name, base, flipped(r, base, every))
			check(name+" in both", flipped(r, base, every), flipped(r, base, every))
		}
	}
	check("noise", noise(1, size), noise(2, size))
	check("few letters", randomValue(r, size), randomValue(r, size))
	kept := noise(3, size/8)
	zeros := make([]byte, size)
	check("zeros that are not worth what is before them", append(noise(6, 8*size), zeros...), append(bytes.Clone(zeros), noise(7, 8*size)...))
	check("much that is dropped", append(noise(4, size), kept...), append(bytes.Clone(kept), noise(5, size)...))
}

// Where nothing is the same most is passed over, and what is the same behind it is found all the same.
func TestDiffPassesOver(t *testing.T) {
	old, new := noise(1, 256<<10), noise(2, 256<<10)
	d := differ{old: old, new: new}
	d.run()
	if d.spent > len(new)/5 {
		t.Errorf("%d places of %d were looked up", d.spent, len(new))
	}
	tail := old[200<<10 : 250<<10]
	new = append(noise(3, 40<<10), tail...)
	if n := len(lead(t, old, append(new, 'x'))); n > 40<<10+100 {
		t.Errorf("the patch has %d bytes", n)
	}
}
