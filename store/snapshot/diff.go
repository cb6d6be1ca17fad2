package snapshot

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"sync"
)

// How edits are looked for, in bytes where it says nothing else. BenchmarkDiff measures what comes of it.
const (
	worth  = 12      // as many that are the same end an edit in place
	nearby = 64      // behind the place of an edit in which its end is looked for first
	sure   = 1 << 10 // as many are the same by no accident
	ahead  = 2 << 10 // are searched for a better match than the one at hand

	slotBits = 14
	slots    = 1 << slotBits // of the index
	blocks   = slots / 2     // in the index, at most
	block    = 32            // length of one
	minStep  = 16            // from one to the next, at least
)

// differ looks for what the new value has of the old one, in the same order. It goes through both once: everything before i and
// j is in edits, and at i and j they differ. There are three ways to go on:
//
//   - In place: to bytes close by that are the same and have not moved, as after a number that was changed.
//   - Near: to bytes close by that are the same and have moved, as after a word that was changed.
//   - By the index: blocks of the old value, one at every step-th place, by their hash. As the hashes at all places of the new
//     value are looked up, whatever it has of the old one is found, if that is longer than a block and a step. A block that is
//     found is extended to both sides.
//
// The first two are cheaper, and lead astray where what has moved looks like what stands in its place: the rows of a list of
// which the first is gone. So unless a match is beyond doubt a longer one is looked for by the index, as often as that costs
// little by what was gone through.
//
// All that is done is linear in the length of both, whatever they are. Where nothing matches, most of the new value is passed
// over; what there was in it is found as the next match is extended backwards.
type differ struct {
	old, new []byte
	i, j     int
	edits    editList

	index   *[slots]uint32 // the lower half of a hash, its end replaced by the number of the block, from 1; nil: not made yet
	origin  int            // of the first block
	step    int            // from one block to the next
	spent   int            // places of the new value looked up, and what was done for matches, in as much
	checked int            // places of the new value searched for better matches
}

// match is a run of bytes that both have, at o in the old value and at n in the new one. If len is 0 there is none.
type match struct{ o, n, len int }

var indexes = sync.Pool{New: func() any { return new([slots]uint32) }}

// run finds the edits.
func (d *differ) run() {
	for d.i < len(d.old) && d.j < len(d.new) && d.edits.carried <= len(d.new)/2 { // no patch is worth more
		m := d.next()
		if m.len == 0 {
			break
		}
		d.edits.add(m.o-d.i, d.new[d.j:m.n], m.len)
		d.i, d.j = m.o+m.len, m.n+m.len
	}
	d.edits.add(len(d.old)-d.i, d.new[d.j:], 0)
	if d.index != nil {
		indexes.Put(d.index)
		d.index = nil
	}
}

// next finds where both go on with the same bytes.
func (d *differ) next() match {
	m := d.inPlace()
	if m.len == 0 {
		m = d.near()
	}
	if m.len >= sure || m.len > 0 && !d.careful() || len(d.old)-d.i < block || len(d.new)-d.j < block {
		return m
	}
	return d.search(m)
}

// inPlace finds bytes close by that are the same and have not moved.
func (d *differ) inPlace() match {
	a, b := d.old[d.i:], d.new[d.j:]
	n := min(len(a), len(b))
	for k := 0; k+word <= n && k <= nearby; {
		if x := binary.LittleEndian.Uint64(a[k:]) ^ binary.LittleEndian.Uint64(b[k:]); x != 0 {
			k += word - bits.LeadingZeros64(x)/8 // behind the last that differs
			continue
		}
		common := commonPrefix(a[k:], b[k:])
		if common >= worth {
			return match{d.i + k, d.j + k, common}
		}
		k += common
	}
	return match{}
}

// near finds bytes close by that are the same and have moved.
func (d *differ) near() (best match) {
	const size = 2 * word
	a, b := d.old[d.i:], d.new[d.j:]
	window := a[:min(len(a), 2*nearby)]
	gain := 0
	for k := 0; k+size <= len(b) && k <= nearby && gain <= nearby/2; k += word {
		at := bytes.Index(window, b[k:k+size])
		if at < 0 {
			continue
		}
		back := commonSuffix(a[:at], b[:k])
		m := match{d.i + at - back, d.j + k - back, back + commonPrefix(a[at:], b[k:])}
		if g := m.len - (m.n - d.j) - (m.o-d.i)/2; g > gain {
			best, gain = m, g
		}
	}
	return best
}

// careful says whether a better match than the one at hand may be looked for.
func (d *differ) careful() bool { return d.checked <= d.j/8+4*ahead }

// lookAhead is how far it is looked for from p on.
func (d *differ) lookAhead(p int) int {
	until := min(len(d.new)-block, p+max(ahead, 2*d.step))
	d.checked += until - p
	return until
}

// search finds a better match than best by the index, if there is one not far away, and any if best is none.
func (d *differ) search(best match) match {
	if d.index == nil {
		d.makeIndex()
	}
	until := len(d.new) - block
	if best.len > 0 {
		until = d.lookAhead(d.j)
	}
	index, skip := d.index, 2*d.step
	for p := d.j; p <= until; {
		if d.spent > 4*len(d.new) { // too much of it looks alike
			return best
		}
		end := min(p+2*d.step, until+1)
		d.spent += end - p
		for ; p < end; p++ {
			h := hash(d.new[p:])
			e := index[h>>(64-slotBits)]
			if uint32(h)>>16 != e>>16 || e == 0 {
				continue
			}
			m := d.extend(d.origin+(int(e&0xffff)-1)*d.step, p, best)
			if m.len >= sure {
				return m
			}
			if m.len == 0 {
				continue
			}
			if best.len == 0 {
				until, end = p, p
				if d.careful() {
					until = d.lookAhead(p)
				}
			}
			best = m
		}
		if best.len == 0 {
			p += skip
			skip = min(2*skip, 16*d.step)
		}
	}
	return best
}

// extend makes a match of a block at o and the bytes at n, if they are the same and the match is better than best.
func (d *differ) extend(o, n int, best match) match {
	switch {
	case o < d.i:
		return match{}
	case best.len > 0 && n < best.n+best.len && o-n == best.o-best.n: // it is within best
		return match{}
	case best.len > 0 && n >= best.n+best.len && o >= best.o+best.len: // it can follow best
		return match{}
	case !bytes.Equal(d.old[o:o+block], d.new[n:n+block]):
		return match{}
	}
	back := commonSuffix(d.old[d.i:o], d.new[d.j:n])
	m := match{o - back, n - back, back + block}
	m.len += commonPrefix(d.old[o+block:], d.new[n+block:])
	d.spent += nearby + m.len/64
	// What is passed over of the old value is lost for what follows. A few words that occur there too are not worth it.
	if m.o-d.i > m.n-d.j+4*m.len && m.len < (len(d.new)-d.j)/4 {
		return match{}
	}
	if best.len > 0 && m.len-m.n <= best.len-best.n {
		return match{}
	}
	return m
}

// makeIndex indexes what is left of the old value.
func (d *differ) makeIndex() {
	d.index = indexes.Get().(*[slots]uint32)
	clear(d.index[:])
	left := d.old[d.i:]
	d.origin, d.step = d.i, max(minStep, (len(left)+blocks-1)/blocks)
	for k, at := uint32(1), 0; at+block <= len(left); k, at = k+1, at+d.step {
		h := hash(left[at:])
		if e := &d.index[h>>(64-slotBits)]; *e == 0 { // the first of those that are the same
			*e = uint32(h)>>16<<16 | k
		}
	}
}

// hash is that of the first block of data. Its upper half depends on all of it.
func hash(data []byte) uint64 {
	_ = data[block-1]
	return binary.LittleEndian.Uint64(data)*0x9e3779b97f4a7c15 +
		binary.LittleEndian.Uint64(data[8:])*0xc2b2ae3d27d4eb4f +
		binary.LittleEndian.Uint64(data[16:])*0xff51afd7ed558ccd +
		binary.LittleEndian.Uint64(data[24:])*0x94d049bb133111eb
}
