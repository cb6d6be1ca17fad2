package client

import "sync"

// item is what waits for the dispatching goroutine: a push, or an error for
// OnError.
type item struct {
	event string
	body  []byte
	size  int // bytes that the item keeps alive
	err   error
}

// queue is a bounded first-in-first-out queue between the reading goroutine, one
// at a time, and the dispatching goroutine.
//
// Invariants: len(items) ≤ maxItems; bytes ≤ maxBytes, or there is one item.
type queue struct {
	maxItems, maxBytes int

	mu     sync.Mutex
	items  []item
	bytes  int
	closed bool

	space chan struct{} // a token: there may be room, or the queue is closed
	ready chan struct{} // a token: there may be an item, or the queue is closed
}

func newQueue(maxItems, maxBytes int) *queue {
	return &queue{
		maxItems: maxItems,
		maxBytes: maxBytes,
		space:    make(chan struct{}, 1),
		ready:    make(chan struct{}, 1),
	}
}

// push adds it, waiting for room until one of the channels is closed. It reports
// whether it was added.
func (q *queue) push(it item, stop1, stop2 <-chan struct{}) bool {
	for {
		q.mu.Lock()
		closed := q.closed
		fits := len(q.items) == 0 || len(q.items) < q.maxItems && q.bytes+it.size <= q.maxBytes
		if fits && !closed {
			q.items = append(q.items, it)
			q.bytes += it.size
		}
		q.mu.Unlock()
		if closed {
			return false
		}
		if fits {
			token(q.ready)
			return true
		}
		select {
		case <-q.space:
		case <-stop1:
			return false
		case <-stop2:
			return false
		}
	}
}

// pop takes the oldest item, waiting for one. It reports false once the queue is
// closed and empty.
func (q *queue) pop() (item, bool) {
	for {
		q.mu.Lock()
		if len(q.items) > 0 {
			it := q.items[0]
			q.items[0] = item{}
			q.items = q.items[1:]
			q.bytes -= it.size
			q.mu.Unlock()
			token(q.space)
			return it, true
		}
		closed := q.closed
		q.items = nil
		q.mu.Unlock()
		if closed {
			return item{}, false
		}
		<-q.ready
	}
}

// close refuses further items, and drops those that wait unless drain is true.
func (q *queue) close(drain bool) {
	q.mu.Lock()
	q.closed = true
	if !drain {
		q.items, q.bytes = nil, 0
	}
	q.mu.Unlock()
	token(q.ready)
	token(q.space)
}

func token(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
