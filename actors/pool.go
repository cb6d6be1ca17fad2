package actors

import "sync"

// Calls and answers are made once per request, so they and the bytes in them are used again. Whoever does not release one
// leaves it to the garbage collector; whoever releases one must not touch it any more.

var (
	calls   = sync.Pool{New: func() any { return &Call{pooled: true} }}
	answers = sync.Pool{New: func() any { return &Answer{Frame: make([]byte, 0, 256), pooled: true} }}
)

// keepBytes is the memory that a released message holds on to.
const keepBytes = 8 << 10

// NewCall returns an empty call.
func NewCall() *Call { return calls.Get().(*Call) }

// Copy copies an envelope into the call's own memory and returns the copy.
func (m *Call) Copy(envelope []byte) []byte {
	m.memory = append(m.memory[:0], envelope...)
	return m.memory
}

// Follow has next sent together with m, as one message; the actor receives them one after the other.
func (m *Call) Follow(next *Call) { m.next = next }

// Release ends the use of a call from [NewCall]. Of any other it does nothing.
func (m *Call) Release() {
	if !m.pooled {
		return
	}
	memory := m.memory[:0]
	if cap(memory) > keepBytes {
		memory = nil
	}
	*m = Call{memory: memory, pooled: true}
	calls.Put(m)
}

// NewAnswer returns an answer with an empty frame to append to.
func NewAnswer(number uint64) *Answer {
	m := answers.Get().(*Answer)
	m.Number = number
	return m
}

// Release ends the use of an answer from [NewAnswer]. Of any other it does nothing.
func (m *Answer) Release() {
	if !m.pooled {
		return
	}
	if m.Frame = m.Frame[:0]; cap(m.Frame) > keepBytes {
		m.Frame = nil
	}
	answers.Put(m)
}
