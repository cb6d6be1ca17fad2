package conn

import (
	"sync"

	"github.com/gosocka/socka/actors"
)

// outbox holds what one connection has yet to write. It is a plain data structure: its owner locks it, and does the writing.
//
// Invariants:
//
//   - queue[head:] is what waits, oldest first. A removed item is a hole: its frame is nil.
//   - Items leave in the order in which they came, less the holes. A Latest push that replaces an older one stands where
//     it came, at the tail.
//   - waiting is the wire size of all items in the queue, writing that of those taken and not yet settled; with more than
//     one item their sum is at most limit.
//   - latest has the index of the only waiting item of each key.
//   - No DropOldest item stands before droppable.
//   - Holes and taken items never make up more than half of a queue that grows, so that replacing costs no memory.
//   - Of pings and pongs at most one each waits. They go ahead of the queue.
type outbox struct {
	limit int

	queue     []item
	head      int
	holes     int
	latest    map[string]int
	droppable int

	waiting, writing int

	ping    bool
	pong    []byte
	hasPong bool
}

// item is one message that waits.
type item struct {
	frame  []byte         // the envelope, never nil but in a hole
	push   *actors.Push   // whose frame it is,
	answer *actors.Answer // or the same; to be released
}

func (it *item) policy() actors.Policy {
	if it.push == nil {
		return actors.Must
	}
	return it.push.Policy
}

// queueCap is the room for items that an outbox gets from queues. An empty one has none.
const queueCap = 64

// queues are used again: a large room fills and empties the outboxes of all members many times a second.
var queues = sync.Pool{New: func() any { return new([queueCap]item) }}

func (o *outbox) bytes() int { return o.waiting + o.writing }

// add queues an item, dropping what may be dropped to make room. It returns how many items were dropped (the new one
// may be among them), and false if the item may not be dropped and does not fit.
func (o *outbox) add(it item) (dropped int, ok bool) {
	if it.policy() == actors.Latest {
		if i, waits := o.latest[it.push.Key]; waits {
			o.remove(i)
		}
	}
	n := frameSize(len(it.frame))
	for o.bytes() > 0 && o.bytes()+n > o.limit {
		if o.dropOldest() {
			dropped++
			continue
		}
		if it.policy() == actors.DropOldest {
			return dropped + 1, true
		}
		return dropped, false
	}
	if len(o.queue) == cap(o.queue) && o.head+o.holes > len(o.queue)/2 {
		o.compact()
	}
	if it.policy() == actors.Latest {
		if o.latest == nil {
			o.latest = make(map[string]int)
		}
		o.latest[it.push.Key] = len(o.queue)
	}
	if o.queue == nil {
		o.queue = queues.Get().(*[queueCap]item)[:0]
	}
	o.queue = append(o.queue, it)
	o.waiting += n
	return dropped, true
}

// take moves items of about most bytes, at least one if any waits, from the queue to batch. They count as writing until
// settle.
func (o *outbox) take(batch []item, most int) []item {
	taken := 0
	for o.head < len(o.queue) && (taken == 0 || taken < most) {
		it := o.queue[o.head]
		if it.frame == nil {
			o.holes--
		} else {
			n := frameSize(len(it.frame))
			if taken > 0 && taken+n > most {
				break
			}
			taken += n
			batch = append(batch, it)
			if it.policy() == actors.Latest {
				delete(o.latest, it.push.Key)
			}
		}
		o.queue[o.head] = item{}
		o.head++
	}
	o.droppable = max(o.droppable, o.head)
	o.waiting -= taken
	o.writing += taken
	if o.head == len(o.queue) {
		o.reset()
	}
	return batch
}

// settle says that what was taken is written, or given up.
func (o *outbox) settle() { o.writing = 0 }

// clear drops all that waits.
func (o *outbox) clear() {
	clear(o.queue)
	clear(o.latest)
	o.waiting = 0
	o.ping, o.pong, o.hasPong = false, nil, false
	o.reset()
}

// remove makes a hole.
func (o *outbox) remove(i int) {
	it := o.queue[i]
	if it.policy() == actors.Latest {
		delete(o.latest, it.push.Key)
	}
	o.waiting -= frameSize(len(it.frame))
	o.queue[i] = item{}
	o.holes++
}

func (o *outbox) dropOldest() bool {
	for ; o.droppable < len(o.queue); o.droppable++ {
		if it := o.queue[o.droppable]; it.policy() == actors.DropOldest && it.frame != nil {
			o.remove(o.droppable)
			return true
		}
	}
	return false
}

// compact closes the holes.
func (o *outbox) compact() {
	live := o.queue[:0]
	for _, it := range o.queue[o.head:] {
		if it.frame == nil {
			continue
		}
		if it.policy() == actors.Latest {
			o.latest[it.push.Key] = len(live)
		}
		live = append(live, it)
	}
	clear(o.queue[len(live):])
	o.queue, o.head, o.holes, o.droppable = live, 0, 0, 0
}

// reset starts over with an empty queue, whose items are all zero.
func (o *outbox) reset() {
	if cap(o.queue) == queueCap {
		queues.Put((*[queueCap]item)(o.queue[:queueCap]))
	} else {
		o.latest = nil // as large as the queue was
	}
	o.queue, o.head, o.holes, o.droppable = nil, 0, 0, 0
}
