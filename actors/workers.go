package actors

import (
	"sync/atomic"
	"time"
)

// workers run the mailboxes of actors on goroutines that are kept for the next one. A goroutine that has grown its stack
// for a handler is worth keeping: growing a new one took a tenth of the CPU of a call.
//
// Work that finds no goroutine waiting gets a new one, so that an actor that blocks holds up no other. At most maxIdle
// wait, and when nothing has come for maxWait they end.
type workers struct {
	jobs  chan *mailbox
	leave chan struct{} // ends one that waits
	quit  chan struct{}

	idle     atomic.Int32
	used     atomic.Bool // a job has come since the sweep looked
	sweeping atomic.Bool // the timer of the sweep is set
}

const (
	maxIdle = 64
	maxWait = time.Second
)

func newWorkers() *workers {
	return &workers{jobs: make(chan *mailbox), leave: make(chan struct{}), quit: make(chan struct{})}
}

// schedule has a mailbox run soon.
func (w *workers) schedule(m *mailbox) {
	select {
	case w.jobs <- m: // somebody waits
		if !w.used.Load() {
			w.used.Store(true)
		}
	default:
		go w.work(m)
	}
}

func (w *workers) work(m *mailbox) {
	for {
		m.run()
		m = nil // not to be kept while waiting
		if w.idle.Add(1) > maxIdle {
			w.idle.Add(-1)
			return
		}
		w.watch()
		select {
		case m = <-w.jobs:
			w.idle.Add(-1)
		case <-w.leave:
			w.idle.Add(-1)
			return
		case <-w.quit:
			w.idle.Add(-1)
			return
		}
	}
}

// watch sets the timer of the sweep. Whoever is going to wait counts as idle before.
func (w *workers) watch() {
	if !w.sweeping.Load() && w.sweeping.CompareAndSwap(false, true) {
		time.AfterFunc(maxWait, w.sweep)
	}
}

// sweep ends those that wait if there was nothing to do since the last time.
func (w *workers) sweep() {
	if w.used.Swap(false) {
		time.AfterFunc(maxWait, w.sweep)
		return
	}
	for waiting := true; waiting; {
		select {
		case w.leave <- struct{}{}:
		default:
			waiting = false
		}
	}
	w.sweeping.Store(false)
	if w.idle.Load() > 0 { // about to wait, and trusting in this sweep
		w.watch()
	}
}

// close ends the goroutines that wait, and every other one when its work is done.
func (w *workers) close() { close(w.quit) }
