package room

import (
	"runtime"
	"sync"
	"time"

	"github.com/gosocka/socka/actors"
)

// recipient is a connection as its room sends to it.
type recipient struct {
	pid    *actors.PID
	holder actors.Holder // behind pid, if it can hold
}

// outlet lets what one run of the mailbox sends leave together: each connection gets it with one write. What a run of one
// message sends leaves at once. In a longer one it waits for the end of the run, but for holdTurns turns at most, and about
// as long as writing it will take, also if a turn takes long.
type outlet struct {
	turns int       // begun since the first that sent what is held
	since time.Time // when the second of these began

	mu      sync.Mutex // the timer flushes too
	holders []actors.Holder
	timer   *time.Timer
	armed   bool // it will fire
}

const (
	holdTurns = 64
	// holdTime and holdEach for each connection is how long something is held, within mostHeld.
	holdTime = time.Millisecond
	holdEach = 5 * time.Microsecond
	mostHeld = 100 * time.Millisecond
	// flushTogether is how many connections one goroutine writes to, if there are processors for more.
	flushTogether = 64
)

// send gives a connection a message that may be held.
func (r *room) send(to recipient, msg any) {
	if to.pid == nil { // its connection was gone when the room woke; the Detach is on its way
		return
	}
	if to.holder == nil {
		r.server.system.Send(to.pid, msg)
		return
	}
	if to.holder.Hold(msg) {
		if r.outlet == nil {
			r.outlet = new(outlet)
		}
		o := r.outlet
		o.mu.Lock()
		o.holders = append(o.holders, to.holder)
		o.mu.Unlock()
	}
}

// begin is called when a turn begins.
func (o *outlet) begin(now time.Time) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.holders) == 0 {
		o.turns = 0
		return
	}
	switch o.turns++; {
	case o.turns == 1:
		o.since = now
		if !o.armed {
			o.arm()
		}
	case o.turns >= holdTurns, now.Sub(o.since) >= o.limit():
		o.flushLocked()
	}
}

// arm sets the timer, for the case that a turn takes long.
func (o *outlet) arm() {
	o.armed = true
	if o.timer == nil {
		o.timer = time.AfterFunc(o.limit(), o.late)
	} else {
		o.timer.Reset(o.limit())
	}
}

func (o *outlet) limit() time.Duration {
	return min(max(holdTime, time.Duration(len(o.holders))*holdEach), mostHeld)
}

func (o *outlet) late() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.armed = false
	o.flushLocked()
}

// flush lets everything go.
func (o *outlet) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flushLocked()
}

func (o *outlet) flushLocked() {
	if shares := min(len(o.holders)/flushTogether, runtime.GOMAXPROCS(0)); shares > 1 {
		flushShared(o.holders, shares)
	} else {
		flushAll(o.holders)
	}
	clear(o.holders)
	o.holders, o.turns = o.holders[:0], 0
}

func flushAll(holders []actors.Holder) {
	for _, h := range holders {
		h.Flush()
	}
}

// flushShared has several goroutines write, each to connections of its own, and waits for them: a push to 1,000 members is
// 1,000 system calls.
func flushShared(holders []actors.Holder, shares int) {
	var others sync.WaitGroup
	share := (len(holders) + shares - 1) / shares
	for len(holders) > share {
		part := holders[:share]
		others.Go(func() { flushAll(part) })
		holders = holders[share:]
	}
	flushAll(holders)
	others.Wait()
}

// Idle implements actors.Idler.
func (r *room) Idle() {
	if r.outlet != nil {
		r.outlet.flush()
	}
}
