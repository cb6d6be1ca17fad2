package snapshot

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Patch leads from one value to another: some of the bytes of the old one are kept, in their order, and others are put in
// between. The zero Patch leads from the empty value to itself.
type Patch struct {
	base, result value
	edits        []byte
}

// value is what a patch knows of a value.
type value struct {
	length uint64
	sum    uint32
}

func valueOf(data []byte) value { return value{uint64(len(data)), sum(data)} }

func (v value) String() string {
	return fmt.Sprintf("%d bytes with the checksum %08x", v.length, v.sum)
}

// Diff makes the patch that leads from old to new. It keeps nothing of either.
//
// It finds what both have in common at the beginning, at the end and between, also where that has moved because something was put
// in or taken out before it. Two edits are apart if some 16 bytes between them are the same; behind one that puts in or takes out
// more than about 64 bytes it has to be 48, or 32 and a part in 8192 of old if that is more. Of what has changed places only some
// is kept.
//
// What it takes is linear in the length of both: a comparison and two checksums, and some microseconds for each of a few edits. If
// thousands of places have changed, or hardly anything is the same, it is several times that. The edits have at most 16 bytes more
// than new; once they carry more than half of it, the rest is not looked at.
func Diff(old, new []byte) Patch {
	n := commonPrefix(old, new)
	s := commonSuffix(old[n:], new[n:])
	d := differ{old: old[n : len(old)-s], new: new[n : len(new)-s], edits: editList{keep: n}}
	d.run()
	return Patch{base: valueOf(old), result: valueOf(new), edits: d.edits.data}
}

// Len is the size of a patch in bytes without its frame, which has some 60 more.
func (p Patch) Len() int { return len(p.edits) }

// AppendPatch appends a patch in its frame to dst. h is the header of the value that the patch leads to. It panics as Append
// does.
func AppendPatch(dst []byte, h Header, p Patch) []byte {
	start := len(dst)
	dst = slices.Grow(dst, sizeFixed+len(h.Kind)+sizeAfter+sizePatch+sizeBody+len(p.edits)+sizeSum)
	dst = appendHeader(dst, formPatch, h)
	dst = binary.LittleEndian.AppendUint64(dst, p.base.length)
	dst = binary.LittleEndian.AppendUint32(dst, p.base.sum)
	dst = binary.LittleEndian.AppendUint64(dst, p.result.length)
	dst = binary.LittleEndian.AppendUint32(dst, p.result.sum)
	return appendBody(dst, start, p.edits)
}

// Apply takes the frame of a whole value and those of the patches that followed it, in order, and returns the value that they
// lead to with the last header. Without patches the value aliases base.
//
// The error is ErrCorrupt also if a patch is not of the value before it, or of another kind or encoding.
func Apply(base []byte, patches ...[]byte) ([]byte, Header, error) {
	h, body, err := Decode(base)
	if err != nil || len(patches) == 0 {
		return body, h, err
	}
	last := valueOf(body)
	list := make([]Patch, len(patches))
	for i, data := range patches {
		f, err := parse(data)
		switch {
		case err != nil:
			return nil, Header{}, fmt.Errorf("snapshot: patch %d of %d: %w", i+1, len(patches), err)
		case f.form != formPatch:
			return nil, Header{}, fmt.Errorf("snapshot: patch %d of %d: %w: it is a whole value", i+1, len(patches), ErrNotSnapshot)
		case f.Kind != h.Kind || f.Encoding != h.Encoding:
			return nil, Header{}, fmt.Errorf("snapshot: patch %d of %d: %w: it is one of %s in %s, the value is %s in %s",
				i+1, len(patches), ErrCorrupt, f.Kind, f.Encoding, h.Kind, h.Encoding)
		case f.patch.base != last:
			return nil, Header{}, fmt.Errorf("snapshot: patch %d of %d: %w: it is one of %s, and follows %s",
				i+1, len(patches), ErrCorrupt, f.patch.base, last)
		}
		list[i], last, h = f.patch, f.patch.result, f.Header
	}
	// Every result is at most its base and what the patch carries, so the last is at most the sum of what was given.
	result := make([]byte, 0, last.length)
	for _, piece := range pieces(body, list) {
		result = append(result, piece...)
	}
	// The sums between were compared by name alone; that of the end proves them all.
	if got := valueOf(result); got != last {
		return nil, Header{}, fmt.Errorf("snapshot: %w: the %d patches of %s lead to %s, and should to %s", ErrCorrupt, len(patches), h.Kind, got, last)
	}
	return result, h, nil
}

// pieces are those of a value and of patches to it that make up what they lead to, so that what each patch has moved is copied
// but once. If they were so many that their list could be larger than the value, it is copied before.
func pieces(body []byte, patches []Patch) [][]byte {
	const size = 24 // of an entry of the list
	now, next := [][]byte{body}, [][]byte(nil)
	for _, p := range patches {
		edits := 0
		for data := p.edits; len(data) > 0; edits++ {
			_, data = nextEdit(data)
		}
		if most := len(now) + 2*edits; uint64(most) <= p.result.length/size {
			next = slices.Grow(next, most)
			p.over(now, func(piece []byte) { next = append(next, piece) })
		} else {
			whole := make([]byte, 0, p.result.length)
			p.over(now, func(piece []byte) { whole = append(whole, piece...) })
			next = append(next, whole)
		}
		now, next = next, now[:0]
	}
	return now
}

// over calls f with the pieces of the value to which p leads, one after the other. Those of the one it leads from are base.
func (p Patch) over(base [][]byte, f func(piece []byte)) {
	from, at := 0, uint64(0) // the next byte is base[from][at]
	pass := func(n uint64, keep bool) {
		for n > 0 {
			piece := base[from][at:]
			if uint64(len(piece)) > n {
				piece = piece[:n]
				at += n
			} else {
				from, at = from+1, 0
			}
			if n -= uint64(len(piece)); keep {
				f(piece)
			}
		}
	}
	left := p.base.length
	for data := p.edits; len(data) > 0; {
		var e edit
		e, data = nextEdit(data)
		pass(e.keep, true)
		pass(e.drop, false)
		if len(e.insert) > 0 {
			f(e.insert)
		}
		left -= e.keep + e.drop
	}
	pass(left, true)
}
