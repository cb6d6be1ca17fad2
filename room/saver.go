package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/store"
)

// saver carries the batches of all rooms of a server to its store, many in one call: what is handed in while a call is
// under way goes with the next one. A batch that fails is tried again, with backoff, until the store has said that it is
// done or that the room has another epoch by now.
type saver struct {
	store         store.Store
	system        *actors.System
	log           *slog.Logger
	commitTimeout time.Duration
	released      func(wake time.Time) // a room was released that wants to be woken

	mu      sync.Mutex
	dead    bool // nothing is saved any more
	queue   []*saving
	open    map[*saving]struct{} // handed in and not settled
	workers int
	watched bool // a timer looks for late ones
	failing int  // of open, those that have failed at least once
	since   time.Time
	cause   error // of the last failure
}

const (
	// saveWorkers is how many calls of Save are under way at a time. The second overlaps the preparation and the delivery
	// of one call with the store's work on the other.
	saveWorkers = 2
	// saveTogether and saveTogetherBytes bound what goes with one call.
	saveTogether      = 512
	saveTogetherBytes = 8 << 20

	firstBackoff = 50 * time.Millisecond
	lastBackoff  = 2 * time.Second
	lookForLate  = 250 * time.Millisecond
)

// saving is one batch on its way.
type saving struct {
	batch store.Batch
	to    *actors.PID // told by messages; nil if only done is
	done  chan error  // told once; nil if nobody waits

	known bool      // when the room that it releases wants to be woken is
	wake  time.Time // this; zero: not at all

	bytes    int
	since    time.Time
	attempts int
	over     bool  // given up, or settled; guarded by the saver
	err      error // the store's last word, once over
	waiters  []chan error
}

// saved tells a room that the store has said its last word on a batch: err is nil or of store.ErrFenced.
type saved struct {
	actors.Message
	s   *saving
	err error
}

// saveFails tells a room that a batch has failed and is being tried again; saveLate, that one has been under way for
// CommitTimeout. Both come at most once for a batch.
type (
	saveFails struct {
		actors.Message
		s   *saving
		err error
	}
	saveLate struct {
		actors.Message
		s *saving
	}
)

// submit hands in a batch. Its room has no other one under way, but one it has given up.
func (v *saver) submit(s *saving) {
	s.since = time.Now()
	for _, p := range s.batch.Put {
		s.bytes += len(p.Data)
	}
	for _, a := range s.batch.Append {
		s.bytes += len(a.Data)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == nil {
		v.open = make(map[*saving]struct{})
	}
	v.open[s] = struct{}{}
	v.enqueue(s)
	if !v.watched && s.to != nil {
		v.watched = true
		time.AfterFunc(lookForLate, v.watch)
	}
}

// enqueue is called with mu held.
func (v *saver) enqueue(s *saving) {
	if v.dead {
		return
	}
	v.queue = append(v.queue, s)
	if v.workers < saveWorkers {
		v.workers++
		go v.work()
	}
}

// do saves a batch and waits for the end of it, told by s.done. When ctx ends first the batch is given up: it may have been carried out.
func (v *saver) do(ctx context.Context, s *saving) error {
	v.submit(s)
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s.over {
		return <-s.done
	}
	v.settleLocked(s)
	if v.cause != nil && s.attempts > 0 {
		return fmt.Errorf("%w; given up: %w", v.cause, context.Cause(ctx))
	}
	return context.Cause(ctx)
}

// wait waits for a batch that was handed in before.
func (v *saver) wait(ctx context.Context, s *saving) error {
	v.mu.Lock()
	if s.over {
		v.mu.Unlock()
		return s.err
	}
	done := make(chan error, 1)
	s.waiters = append(s.waiters, done)
	v.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// drain waits until nothing is under way.
func (v *saver) drain(ctx context.Context) {
	for {
		v.mu.Lock()
		var one *saving
		for s := range v.open {
			one = s
			break
		}
		v.mu.Unlock()
		if one == nil || v.wait(ctx, one) != nil && ctx.Err() != nil {
			return
		}
	}
}

// giveUp forgets a batch whose room is not there any more.
func (v *saver) giveUp(s *saving) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settleLocked(s)
}

// kill has nothing saved any more.
func (v *saver) kill() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead, v.queue = true, nil
}

// work carries batches until none waits.
func (v *saver) work() {
	for {
		list := v.take()
		if list == nil {
			return
		}
		batches := make([]store.Batch, len(list))
		for i, s := range list {
			batches[i] = s.batch
		}
		ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
		errs := v.store.Save(ctx, batches)
		cancel()
		for i, s := range list {
			err := error(errShortAnswer)
			if i < len(errs) {
				err = errs[i]
			}
			v.settle(s, err)
		}
	}
}

var errShortAnswer = errors.New("room: the store has not answered for every batch")

// take takes what goes with the next call; nil, and the worker is counted out, if nothing waits.
func (v *saver) take() (list []*saving) {
	v.mu.Lock()
	defer v.mu.Unlock()
	bytes, n := 0, 0
	var later []*saving // of rooms that have one in the list: of an activation before
	rooms := make(map[store.Key]struct{}, min(len(v.queue), saveTogether))
	for _, s := range v.queue {
		if len(list) == saveTogether || len(list) > 0 && bytes+s.bytes > saveTogetherBytes {
			break
		}
		n++
		if _, double := rooms[s.batch.Key]; double {
			later = append(later, s)
		} else if !s.over {
			rooms[s.batch.Key] = struct{}{}
			list, bytes = append(list, s), bytes+s.bytes
		}
	}
	clear(v.queue[:n])
	if v.queue = append(later, v.queue[n:]...); len(v.queue) == 0 {
		v.queue = nil
	}
	if list == nil {
		v.workers--
	}
	return list
}

// settle takes the store's word on a batch.
func (v *saver) settle(s *saving, err error) {
	v.mu.Lock()
	dead := v.dead
	v.mu.Unlock()
	if dead {
		return
	}
	if errors.Is(err, store.ErrStale) { // a later one of the same room was carried out: it has all that this one has
		err = nil
	}
	if err == nil || errors.Is(err, store.ErrFenced) {
		v.mu.Lock()
		if s.over {
			v.mu.Unlock()
			return
		}
		s.err = err
		v.settleLocked(s)
		waiters := s.waiters
		v.mu.Unlock()
		if err == nil && s.batch.Then == store.Release {
			switch {
			case s.known && s.wake.IsZero():
			case s.known:
				v.released(s.wake)
			case s.batch.Keep: // it may want to be woken at whatever time was saved before
				v.released(time.Now())
			case !s.batch.Wake.IsZero():
				v.released(s.batch.Wake)
			}
		}
		for _, w := range waiters {
			w <- err
		}
		if s.done != nil {
			s.done <- err
		}
		if s.to != nil {
			v.system.Send(s.to, &saved{s: s, err: err})
		}
		return
	}
	v.mu.Lock()
	if s.over {
		v.mu.Unlock()
		return
	}
	v.cause = err
	first := s.attempts == 0
	if s.attempts++; first {
		if v.failing++; v.failing == 1 {
			v.since = time.Now()
			v.log.Error("socka: the store fails; rooms that save wait and try again", "error", err)
		}
	}
	backoff := min(firstBackoff<<min(s.attempts-1, 10), lastBackoff)
	time.AfterFunc(backoff/2+rand.N(backoff/2), func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !s.over {
			v.enqueue(s)
		}
	})
	v.mu.Unlock()
	if first && s.to != nil {
		v.system.Send(s.to, &saveFails{s: s, err: err})
	}
}

// settleLocked takes a batch off the list of those that are under way. Called with mu held.
func (v *saver) settleLocked(s *saving) {
	if s.over {
		return
	}
	s.over = true
	delete(v.open, s)
	if s.attempts == 0 {
		return
	}
	if v.failing--; v.failing == 0 {
		v.log.Info("socka: the store works again, or nobody waits for it any more", "failed for", time.Since(v.since))
		v.cause = nil
	}
}

// watch tells rooms of batches that are late.
func (v *saver) watch() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for s := range v.open {
		if s.to != nil && now.Sub(s.since) >= v.commitTimeout {
			v.system.Send(s.to, &saveLate{s: s}) // again and again: it may hold more answers by then
		}
	}
	if v.watched = len(v.open) > 0 && !v.dead; v.watched {
		time.AfterFunc(lookForLate, v.watch)
	}
}

// trouble says why the store is not to be relied on at the moment, or nil.
func (v *saver) trouble() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failing == 0 {
		return nil
	}
	return fmt.Errorf("room: the store has failed for %v, %d rooms wait for it: %w", time.Since(v.since).Round(time.Millisecond), v.failing, v.cause)
}
