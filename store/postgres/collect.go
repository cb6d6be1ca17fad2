package postgres

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/gosocka/socka/store"
	"github.com/jackc/pgx/v5/pgtype"
)

// The parameters of save, in order. The i-th elements of those up to states belong to the i-th room.
const (
	kinds = iota
	names
	epochs
	numbers
	flags
	wakes
	lingers
	states

	deleteRoom
	deletePart

	putRoom
	putPart
	putData

	trimRoom
	trimLog
	trimTo

	appendRoom
	appendLog
	appendSeq
	appendData

	parameterCount
)

// Flags of a batch, as save has them.
const (
	flagRelease = 1 << iota
	flagRemove
	flagKeep
	flagDeleteState
)

var elementTypes = [parameterCount]uint32{
	kinds: pgtype.ByteaOID, names: pgtype.ByteaOID, epochs: pgtype.Int8OID, numbers: pgtype.Int8OID, flags: pgtype.Int4OID,
	wakes: pgtype.Int8OID, lingers: pgtype.Int8OID, states: pgtype.ByteaOID,
	deleteRoom: pgtype.Int4OID, deletePart: pgtype.ByteaOID,
	putRoom: pgtype.Int4OID, putPart: pgtype.ByteaOID, putData: pgtype.ByteaOID,
	trimRoom: pgtype.Int4OID, trimLog: pgtype.ByteaOID, trimTo: pgtype.Int8OID,
	appendRoom: pgtype.Int4OID, appendLog: pgtype.ByteaOID, appendSeq: pgtype.Int8OID, appendData: pgtype.ByteaOID,
}

// collector gathers batches as the parameters of save. It copies their bytes.
type collector struct {
	bytes      int   // of the batches
	index      []int // of the batches, in the order in which they were added
	arrays     [parameterCount]array
	values     [parameterCount][]byte
	duplicates duplicates
}

var collectors = sync.Pool{New: func() any {
	c := new(collector)
	c.reset()
	return c
}}

// reset empties the collector, and lets go of what is unusually large.
func (c *collector) reset() {
	const large = 1 << 20
	c.bytes, c.index = 0, c.index[:0]
	for k := range c.arrays {
		c.arrays[k].reset(elementTypes[k], large)
	}
}

// parameters returns the values of the parameters. They are good until reset.
func (c *collector) parameters() [][]byte {
	for k := range c.arrays {
		c.values[k] = c.arrays[k].encoded()
	}
	return c.values[:]
}

// add adds a batch that was checked.
func (c *collector) add(b *store.Batch, index int) {
	c.bytes += sizeOf(b)
	c.index = append(c.index, index)
	room := int32(len(c.index))
	flag, wake := int32(0), never
	switch {
	case b.Then == store.Remove:
		flag = flagRemove | flagKeep
	case b.Then == store.Release:
		flag = flagRelease
	}
	if b.Keep {
		flag |= flagKeep
	} else if !b.Wake.IsZero() {
		wake = b.Wake.UnixMicro()
	}
	var state []byte
	if b.Then != store.Remove { // else there is no use in what it saves
		state, flag = c.addParts(b, room, flag)
		c.addRecords(b, room)
	}
	c.arrays[kinds].addString(b.Key.Kind)
	c.arrays[names].addString(b.Key.Name)
	c.arrays[epochs].addInt8(int64(b.Epoch))
	c.arrays[numbers].addInt8(int64(b.Number))
	c.arrays[flags].addInt4(flag)
	c.arrays[wakes].addInt8(wake)
	c.arrays[lingers].addInt8(int64(b.Linger))
	if state != nil {
		c.arrays[states].addBytes(state)
	} else {
		c.arrays[states].addNull()
	}
}

// addParts returns the state, if there is a new one, and the flags with one for a state that is deleted. Of two puts of a
// part the last counts: the database must not meet it twice.
func (c *collector) addParts(b *store.Batch, room, flag int32) ([]byte, int32) {
	var state []byte
	for _, name := range b.Delete {
		if name == inRow {
			flag |= flagDeleteState
			continue
		}
		c.arrays[deleteRoom].addInt4(room)
		c.arrays[deletePart].addString(name)
	}
	c.duplicates.start(len(b.Put))
	for i := len(b.Put) - 1; i >= 0; i-- {
		p := &b.Put[i]
		if !c.duplicates.first(p.Name, 0) {
			continue
		}
		if p.Name == inRow {
			if state = p.Data; state == nil {
				state = []byte{}
			}
			continue
		}
		c.arrays[putRoom].addInt4(room)
		c.arrays[putPart].addString(p.Name)
		c.arrays[putData].addBytes(p.Data)
	}
	return state, flag
}

func (c *collector) addRecords(b *store.Batch, room int32) {
	for _, t := range b.Trim {
		if t.Before == 0 {
			continue
		}
		c.arrays[trimRoom].addInt4(room)
		c.arrays[trimLog].addString(t.Log)
		c.arrays[trimTo].addInt8(int64(min(t.Before-1, math.MaxInt64)))
	}
	c.duplicates.start(len(b.Append))
	for i := len(b.Append) - 1; i >= 0; i-- {
		a := &b.Append[i]
		if !c.duplicates.first(a.Log, a.Seq) {
			continue
		}
		c.arrays[appendRoom].addInt4(room)
		c.arrays[appendLog].addString(a.Log)
		c.arrays[appendSeq].addInt8(int64(a.Seq))
		c.arrays[appendData].addBytes(a.Data)
	}
}

// duplicates finds out whether a name and number was seen before.
type duplicates struct {
	list []seen
	set  map[seen]struct{} // instead of list where many are to come
}

type seen struct {
	name   string
	number uint64
}

func (d *duplicates) start(n int) {
	const few = 16
	clear(d.list)
	d.list, d.set = d.list[:0], nil
	if n > few {
		d.set = make(map[seen]struct{}, n)
	}
}

func (d *duplicates) first(name string, number uint64) bool {
	s := seen{name, number}
	if d.set != nil {
		n := len(d.set)
		d.set[s] = struct{}{}
		return len(d.set) > n
	}
	for i := range d.list {
		if d.list[i] == s {
			return false
		}
	}
	d.list = append(d.list, s)
	return true
}

// array is an array as Postgres takes it in binary: a header (dimensions, whether there are nulls, the type of the elements,
// how many there are, the index of the first), then each element after its length.
type array struct {
	buf  []byte
	n    uint32
	null bool
}

const headerBytes = 20

func (a *array) reset(elementType uint32, large int) {
	if cap(a.buf) > large || a.buf == nil {
		a.buf = make([]byte, headerBytes, 64)
	}
	a.buf, a.n, a.null = a.buf[:headerBytes], 0, false
	binary.BigEndian.PutUint32(a.buf[8:], elementType)
	binary.BigEndian.PutUint32(a.buf[16:], 1)
}

func (a *array) encoded() []byte {
	var dimensions, nulls uint32
	buf := a.buf[:12] // an array without elements has no dimensions
	if a.n > 0 {
		dimensions, buf = 1, a.buf
	}
	if a.null {
		nulls = 1
	}
	binary.BigEndian.PutUint32(a.buf, dimensions)
	binary.BigEndian.PutUint32(a.buf[4:], nulls)
	binary.BigEndian.PutUint32(a.buf[12:], a.n)
	return buf
}

func (a *array) addNull() {
	a.n++
	a.null = true
	a.buf = binary.BigEndian.AppendUint32(a.buf, math.MaxUint32) // a length of -1
}

func (a *array) addBytes(data []byte) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(len(data)))
	a.buf = append(a.buf, data...)
}

func (a *array) addString(data string) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(len(data)))
	a.buf = append(a.buf, data...)
}

func (a *array) addInt4(v int32) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(a.buf, 4)
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(v))
}

func (a *array) addInt8(v int64) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(a.buf, 8)
	a.buf = binary.BigEndian.AppendUint64(a.buf, uint64(v))
}
