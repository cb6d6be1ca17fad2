package snapshot

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// edit is one step of a patch: so many bytes of the old value are kept, so many behind them dropped, and others put in their
// place. After the last edit of a patch the rest of the old value is kept.
type edit struct {
	keep, drop uint64
	insert     []byte
}

// nextEdit reads the first of the edits of a patch, which checkEdits has passed.
func nextEdit(data []byte) (e edit, rest []byte) {
	var n uint64
	e.keep, data = nextNumber(data)
	e.drop, data = nextNumber(data)
	n, data = nextNumber(data)
	e.insert = data[:n:n]
	return e, data[n:]
}

func nextNumber(data []byte) (uint64, []byte) {
	v, n := binary.Uvarint(data)
	return v, data[n:]
}

// checkEdits says what is wrong with the edits that are to lead from a value of one length to one of another; "": nothing. There
// is one way to write a list of edits, so those that others could be part of are refused.
func checkEdits(data []byte, from, to uint64) (at int, problem string) {
	left, made := from, uint64(0)
	var carried uint64
	for first := true; at < len(data); first = false {
		var v [3]uint64
		start := at
		for i := range v {
			var n int
			if v[i], n = binary.Uvarint(data[at:]); n <= 0 || n != (bits.Len64(v[i]|1)+6)/7 {
				return at, "a number of an edit is cut off, or longer than it has to be"
			}
			at += n
		}
		keep, drop, insert := v[0], v[1], v[2]
		switch {
		case keep > left || drop > left-keep:
			return start, fmt.Sprintf("an edit keeps %d bytes and drops %d, of a value that has %d left of its %d", keep, drop, left, from)
		case insert > uint64(len(data)-at):
			return start, fmt.Sprintf("an edit puts in %d bytes, and %d follow", insert, len(data)-at)
		case drop == 0 && insert == 0 || keep == 0 && !first:
			return start, "an edit does nothing, or is part of the one before it"
		}
		at += int(insert)
		left -= keep + drop
		made += keep
		carried += insert
	}
	// What is kept is at most from, and what is carried at most the data. Only a length that was made up can be near the end of
	// its type.
	if made += left; to < carried || to-carried != made {
		return at, fmt.Sprintf("the edits keep %d bytes and put in %d, and should make %d", made, carried, to)
	}
	return at, ""
}

// editList is edits as they are written.
type editList struct {
	data    []byte
	carried int // bytes that are put in, in all
	keep    int // bytes that the next edit keeps
}

// add appends an edit behind what is kept so far: so many bytes are dropped and others put in, and then so many kept. One that
// does nothing adds to what is kept.
func (l *editList) add(drop int, insert []byte, keep int) {
	if drop > 0 || len(insert) > 0 {
		l.data = binary.AppendUvarint(l.data, uint64(l.keep))
		l.data = binary.AppendUvarint(l.data, uint64(drop))
		l.data = binary.AppendUvarint(l.data, uint64(len(insert)))
		l.data = append(l.data, insert...)
		l.carried += len(insert)
		l.keep = 0
	}
	l.keep += keep
}
