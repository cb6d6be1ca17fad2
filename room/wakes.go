package room

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/store"
)

// waker wakes rooms that want to be woken and that nobody has: those with an alarm, with a session that may not come back,
// with an end. The store knows when; the waker asks it when the next one is due, when somebody tells of a change, and, of
// a store that cannot tell what other processes change, every pollEvery. Between that it is a timer.
type waker struct {
	store store.Store
	log   *slog.Logger
	wake  func(ctx context.Context, key store.Key) error
	poll  time.Duration // zero: changes are told
	own   bool

	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	asking  bool      // a goroutine asks the store
	again   bool      // and is to ask once more
	next    time.Time // when it will ask anyhow; zero: it does not know of any
	timer   *time.Timer
	failing bool
	left    map[store.Key]alone // rooms that could not be woken
}

// alone is for how long a room is left alone: longer each time that it cannot be woken.
type alone struct {
	until time.Time
	pause time.Duration
}

const (
	pollEvery = time.Second
	wakeBatch = 256
	// wakeTogether is how many rooms are woken at a time.
	wakeTogether = 32
	wakeWait     = time.Second
	// wakePause is how long a room is left alone, at most, that could not be woken.
	wakePause = time.Minute
)

// newWaker makes a waker. own says that nobody else changes what the store has.
func newWaker(st store.Store, own bool, log *slog.Logger, wake func(context.Context, store.Key) error) *waker {
	w := &waker{store: st, log: log, wake: wake, own: own, left: make(map[store.Key]alone)}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

func (w *waker) start() {
	if w.own {
		return // there is nothing in it yet
	}
	if n, ok := w.store.(store.Notifier); ok {
		w.done.Go(func() { w.listen(n) })
	} else {
		w.poll = pollEvery
	}
	w.look()
}

// close ends the waker and waits for it.
func (w *waker) close() {
	w.stop()
	w.mu.Lock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.done.Wait()
}

// listen passes on what the store tells.
func (w *waker) listen(n store.Notifier) {
	for w.ctx.Err() == nil {
		err := n.Notify(w.ctx, w.look)
		if errors.Is(err, store.ErrClosed) || !pause(w.ctx, pollEvery) {
			return
		}
	}
}

// look makes the waker ask the store now.
func (w *waker) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ctx.Err() != nil:
	case w.asking:
		w.again = true
	default:
		w.asking = true
		w.done.Go(w.ask)
	}
}

// sooner says that a room wants to be woken at a time.
func (w *waker) sooner(at time.Time) {
	w.mu.Lock()
	soon := w.asking || w.next.IsZero() || at.Before(w.next)
	w.mu.Unlock()
	if soon {
		w.look()
	}
}

// ask wakes what is due, and sets the timer.
func (w *waker) ask() {
	for {
		now := time.Now()
		next := w.wakeDue(now)
		if w.poll > 0 && (next.IsZero() || next.After(now.Add(w.poll))) {
			next = now.Add(w.poll)
		}
		w.mu.Lock()
		if !w.again && (next.IsZero() || next.After(now)) || w.ctx.Err() != nil {
			w.asking, w.next = false, next
			if !next.IsZero() && w.ctx.Err() == nil {
				if w.timer == nil {
					w.timer = time.AfterFunc(time.Until(next), w.look)
				} else {
					w.timer.Reset(time.Until(next))
				}
			}
			w.mu.Unlock()
			return
		}
		w.again = false
		w.mu.Unlock()
	}
}

// wakeDue wakes what is due at a time, and says when to ask again.
func (w *waker) wakeDue(now time.Time) (next time.Time) {
	limit := wakeBatch + len(w.left)
	ctx, cancel := context.WithTimeout(w.ctx, storeTimeout)
	due, next, err := w.store.Due(ctx, now, limit)
	cancel()
	if err != nil {
		if !w.failing && w.ctx.Err() == nil {
			w.log.Error("socka: the store does not say which rooms to wake; trying again", "error", err)
		}
		w.failing = true
		return now.Add(pollEvery)
	}
	w.failing = false
	for key, a := range w.left {
		if now.After(a.until.Add(wakePause)) {
			delete(w.left, key)
		}
	}
	if woken := w.wakeAll(due, now); woken && len(due) == limit {
		return now // there may be more
	}
	for _, key := range due {
		if a, ok := w.left[key]; ok && now.Before(a.until) && (next.IsZero() || a.until.Before(next)) {
			next = a.until
		}
	}
	if len(due) > 0 && !next.IsZero() && !next.After(now) { // what is due is left alone
		next = now.Add(pollEvery)
	}
	return next
}

// wakeAll wakes rooms, several at a time, but those that are left alone, to which it adds those that could not be woken.
func (w *waker) wakeAll(due []store.Key, now time.Time) (woken bool) {
	var mu sync.Mutex
	var running sync.WaitGroup
	places := make(chan struct{}, wakeTogether)
	for _, key := range due {
		mu.Lock()
		left := now.Before(w.left[key].until)
		mu.Unlock()
		if left {
			continue
		}
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			err := w.wake(w.ctx, key)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				w.log.Debug("socka: a room could not be woken; trying again later", "room", key, "error", err)
				pause := min(max(2*w.left[key].pause, pollEvery), wakePause)
				w.left[key] = alone{now.Add(pause), pause}
			} else {
				delete(w.left, key)
				woken = true
			}
		})
	}
	running.Wait()
	return woken
}

// pause waits, and says whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wakeKey starts a room that the store says is due, and waits until it has its snapshot or cannot have it; for wakeWait at
// most.
func (s *Server) wakeKey(ctx context.Context, key store.Key) error {
	id := ID{key.Kind, key.Name}
	if s.kinds[id.Kind] == nil {
		return errors.New("room: no definition of its kind")
	}
	e, err := s.acquire(id, true)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	s.system.Send(e.pid, &visit{
		run: func(r *room) {
			err := r.woken()
			if r.elsewhere { // who has it wakes it
				done <- nil
				return
			}
			done <- err
			if err == nil && r.active {
				r.due()
			}
		},
		lost: func() { done <- errors.New("room: it failed") },
	})
	timer := time.NewTimer(wakeWait)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errStillWaking
	case <-ctx.Done():
		return nil
	}
}

// errStillWaking is of a room that takes its time. Whether it has come to anything the store knows when it is asked next.
var errStillWaking = errors.New("room: it is being woken")

// wakeDue comes when something is due in a room that has an actor: an alarm, the end of an absence.
type wakeDue struct{ actors.Message }
