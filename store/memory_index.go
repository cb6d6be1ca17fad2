package store

import (
	"iter"
	"slices"
	"sort"
)

// indexChunk is how many rooms a chunk of an index holds at most.
const indexChunk = 256

// memoryIndex keeps rooms in order: a sorted slice of sorted chunks, none of them empty. Insert and delete move one chunk's
// pointers and look at O(log n) rooms; a room costs its index a pointer or two.
type memoryIndex struct {
	compare func(a, b *memoryRoom) int
	chunks  [][]*memoryRoom
}

// find says where r is, or belongs: a chunk, which may be one behind the last, and a place in it.
func (x *memoryIndex) find(r *memoryRoom) (chunk, at int, found bool) {
	chunk = sort.Search(len(x.chunks), func(i int) bool {
		c := x.chunks[i]
		return x.compare(c[len(c)-1], r) >= 0
	})
	if chunk == len(x.chunks) {
		return chunk, 0, false
	}
	at, found = slices.BinarySearchFunc(x.chunks[chunk], r, x.compare)
	return chunk, at, found
}

// insert puts in a room that is not in the index.
func (x *memoryIndex) insert(r *memoryRoom) {
	chunk, at, _ := x.find(r)
	if last := len(x.chunks) - 1; chunk > last {
		// What comes in order fills its chunks.
		if last < 0 || len(x.chunks[last]) == indexChunk {
			x.chunks = append(x.chunks, []*memoryRoom{r})
			return
		}
		x.chunks[last] = append(x.chunks[last], r)
		return
	}
	c := slices.Insert(x.chunks[chunk], at, r)
	x.chunks[chunk] = c
	if len(c) > indexChunk {
		half := len(c) / 2
		x.chunks = slices.Insert(x.chunks, chunk+1, slices.Clone(c[half:]))
		clear(c[half:])
		x.chunks[chunk] = c[:half]
	}
}

// delete takes out a room that is in the index.
func (x *memoryIndex) delete(r *memoryRoom) {
	chunk, at, found := x.find(r)
	if !found {
		panic("store: a room is not where its index says it is")
	}
	c := slices.Delete(x.chunks[chunk], at, at+1)
	x.chunks[chunk] = c
	if len(c) == 0 {
		x.chunks = slices.Delete(x.chunks, chunk, chunk+1)
		return
	}
	if next := chunk + 1; len(c) < indexChunk/4 && next < len(x.chunks) && len(c)+len(x.chunks[next]) <= indexChunk/2 {
		x.chunks[chunk] = append(c, x.chunks[next]...)
		x.chunks = slices.Delete(x.chunks, next, next+1)
	}
}

// from yields the rooms from the first that is not before r; all of them for nil.
func (x *memoryIndex) from(r *memoryRoom) iter.Seq[*memoryRoom] {
	return func(yield func(*memoryRoom) bool) {
		var chunk, at int
		if r != nil {
			chunk, at, _ = x.find(r)
		}
		for ; chunk < len(x.chunks); chunk, at = chunk+1, 0 {
			for _, r := range x.chunks[chunk][at:] {
				if !yield(r) {
					return
				}
			}
		}
	}
}
