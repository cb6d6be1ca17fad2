package snapshot

import (
	"encoding/binary"
	"fmt"
)

// Patch leads from one value to another: what is between the bytes that both have in common at the beginning and at the end
// gives way to other bytes. The zero Patch leads from the empty value to itself.
type Patch struct {
	base, result   value
	prefix, suffix int
	insert         []byte
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

// Diff makes the patch that leads from old to new. It keeps a part of new, which must not be changed as long as the patch is
// in use. Its cost is one comparison of the two, and a checksum of each.
func Diff(old, new []byte) Patch {
	n := commonPrefix(old, new)
	s := commonSuffix(old[n:], new[n:])
	return Patch{
		base: valueOf(old), result: valueOf(new),
		prefix: n, suffix: s, insert: new[n : len(new)-s],
	}
}

// Len is how many bytes of the new value a patch carries. Its frame is some 70 bytes longer.
func (p Patch) Len() int { return len(p.insert) }

// set puts in what a frame says besides base and result, unless it cannot be.
func (p *Patch) set(common uint64, insert []byte) (problem string) {
	n := uint64(len(insert))
	switch {
	case common > p.base.length:
		return fmt.Sprintf("%d bytes at the beginning are kept of a value of %d", common, p.base.length)
	case p.result.length < n || p.result.length-n < common:
		return fmt.Sprintf("a result of %d bytes begins with %d that are kept and %d that are new", p.result.length, common, n)
	}
	suffix := p.result.length - n - common
	if suffix > p.base.length-common {
		return fmt.Sprintf("%d and %d bytes are kept of a value of %d", common, suffix, p.base.length)
	}
	if int(common) < 0 || int(suffix) < 0 || int(common+suffix) < 0 {
		return "a length is beyond what this machine can have"
	}
	p.prefix, p.suffix, p.insert = int(common), int(suffix), insert
	return ""
}

// AppendPatch appends a patch in its frame to dst. h is the header of the value that the patch leads to. It panics as Append
// does.
func AppendPatch(dst []byte, h Header, p Patch) []byte {
	start := len(dst)
	dst = appendHeader(dst, formPatch, h)
	dst = binary.LittleEndian.AppendUint64(dst, p.base.length)
	dst = binary.LittleEndian.AppendUint32(dst, p.base.sum)
	dst = binary.LittleEndian.AppendUint64(dst, p.result.length)
	dst = binary.LittleEndian.AppendUint32(dst, p.result.sum)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(p.prefix))
	return appendBody(dst, start, p.insert)
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
	list := make([]frame, len(patches))
	size, last := uint64(len(body)), valueOf(body)
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
		list[i], last = f, f.patch.result
		size = max(size, last.length)
		h = f.Header
	}
	// Every result is at most its base and what the patch carries, so size is at most the sum of what was given.
	buf := make([]byte, size)
	n := copy(buf, body)
	for _, f := range list {
		p := f.patch
		copy(buf[p.prefix+len(p.insert):], buf[n-p.suffix:n])
		copy(buf[p.prefix:], p.insert)
		n = p.prefix + len(p.insert) + p.suffix
	}
	// The sums between were compared by name alone; that of the end proves them all.
	if got := valueOf(buf[:n]); got != last {
		return nil, Header{}, fmt.Errorf("snapshot: %w: the %d patches of %s lead to %s, and should to %s", ErrCorrupt, len(patches), h.Kind, got, last)
	}
	return buf[:n:n], h, nil
}
