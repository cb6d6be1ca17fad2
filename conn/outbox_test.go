package conn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gosocka/socka/actors"
)

// plainOutbox is the outbox as its documentation has it, without any of its haste.
type plainOutbox struct {
	limit   int
	items   []item
	writing int
}

func (o *plainOutbox) bytes() int {
	n := o.writing
	for _, it := range o.items {
		n += frameSize(len(it.frame))
	}
	return n
}

func (o *plainOutbox) add(it item) (dropped int, ok bool) {
	if it.policy() == actors.Latest {
		o.items = slices.DeleteFunc(o.items, func(x item) bool { return x.policy() == actors.Latest && x.push.Key == it.push.Key })
	}
	for o.bytes() > 0 && o.bytes()+frameSize(len(it.frame)) > o.limit {
		i := slices.IndexFunc(o.items, func(x item) bool { return x.policy() == actors.DropOldest })
		if i < 0 {
			if it.policy() == actors.DropOldest {
				return dropped + 1, true
			}
			return dropped, false
		}
		o.items = slices.Delete(o.items, i, i+1)
		dropped++
	}
	o.items = append(o.items, it)
	return dropped, true
}

func (o *plainOutbox) take(most int) (batch []item) {
	n := 0
	for len(o.items) > 0 {
		size := frameSize(len(o.items[0].frame))
		if len(batch) > 0 && n+size > most {
			break
		}
		n += size
		batch = append(batch, o.items[0])
		o.items = o.items[1:]
	}
	o.writing += n
	return batch
}

func TestOutboxAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limit := 50 + rnd.IntN(2000)
		o, model := outbox{limit: limit}, plainOutbox{limit: limit}
		for step := range 2000 {
			switch rnd.IntN(12) {
			case 0:
				most := 1 + rnd.IntN(200)
				got, want := o.take(nil, most), model.take(most)
				if !slices.EqualFunc(got, want, func(a, b item) bool { return string(a.frame) == string(b.frame) }) {
					t.Fatalf("seed %d step %d: took %d items, want %d", seed, step, len(got), len(want))
				}
				if rnd.IntN(2) == 0 {
					o.settle()
					model.writing = 0
				}
			case 1:
				if rnd.IntN(20) == 0 {
					o.clear()
					model.items = nil
				}
			default:
				it := item{frame: fmt.Appendf(make([]byte, 0, 40), "%0*d", 1+rnd.IntN(30), step), push: &actors.Push{Policy: actors.Policy(rnd.IntN(3))}}
				if it.policy() == actors.Latest {
					it.push.Key = string(rune('a' + rnd.IntN(5)))
				}
				d1, ok1 := o.add(it)
				d2, ok2 := model.add(it)
				if d1 != d2 || ok1 != ok2 {
					t.Fatalf("seed %d step %d: add gave %d %v, want %d %v", seed, step, d1, ok1, d2, ok2)
				}
			}
			if o.bytes() != model.bytes() {
				t.Fatalf("seed %d step %d: %d bytes, want %d", seed, step, o.bytes(), model.bytes())
			}
			if len(o.queue) > 64 && cap(o.queue) > 8*(len(model.items)+64) {
				t.Fatalf("seed %d step %d: a queue of %d for %d items", seed, step, cap(o.queue), len(model.items))
			}
		}
	}
}

// Replacing one value for ever costs no memory.
func TestOutboxLatestIsBounded(t *testing.T) {
	o := outbox{limit: 1 << 20}
	o.add(item{frame: []byte("first")})
	for i := range 100_000 {
		if dropped, ok := o.add(item{frame: []byte("value"), push: &actors.Push{Policy: actors.Latest, Key: string(rune('a' + i%3))}}); dropped != 0 || !ok {
			t.Fatal(dropped, ok)
		}
	}
	if cap(o.queue) > 64 || o.bytes() != 4*7 {
		t.Fatalf("capacity %d, %d bytes", cap(o.queue), o.bytes())
	}
}

// One frame larger than the limit is taken when nothing else waits.
func TestOutboxTakesOneLargeFrame(t *testing.T) {
	o := outbox{limit: 100}
	if _, ok := o.add(item{frame: make([]byte, 1000)}); !ok {
		t.Fatal("refused")
	}
	if _, ok := o.add(item{frame: []byte("x")}); ok {
		t.Fatal("a second one was taken")
	}
}

func TestOutboxAllocatesNothingWhenWarm(t *testing.T) {
	o := outbox{limit: 1 << 20}
	it := item{frame: make([]byte, 64)}
	batch := make([]item, 0, 8)
	if n := testing.AllocsPerRun(100, func() {
		for range 5 {
			o.add(it)
		}
		batch = o.take(batch[:0], chunkBytes)
		o.settle()
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
