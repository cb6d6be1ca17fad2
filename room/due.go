package room

import (
	"time"

	"github.com/gosocka/socka/store"
)

// wakeTimer wakes a room that has an actor. For others the store's index does it.
type wakeTimer struct {
	timer *time.Timer
	at    time.Time // zero: it is not set
}

func (w *wakeTimer) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer, w.at = nil, time.Time{}
	}
}

func (w *wakeTimer) set(r *room, at time.Time) {
	if at.IsZero() {
		w.stop()
		return
	}
	if w.timer != nil && w.at.Equal(at) {
		return
	}
	w.at = at
	wait := max(time.Until(at), 0)
	if w.timer == nil {
		self, system := r.self, r.server.system
		w.timer = time.AfterFunc(wait, func() { system.Send(self, wakeDue{}) })
	} else {
		w.timer.Reset(wait)
	}
}

// wakeAt is when something is due in the room: an alarm, the end of an absence, the end of an empty room; zero: nothing.
func (r *room) wakeAt() (at time.Time) {
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for i := range r.alarms.list {
		if r.kind.onAlarm != nil {
			sooner(r.alarms.list[i].due())
		}
	}
	for _, s := range r.members {
		if !s.away.IsZero() {
			sooner(s.away.Add(r.kind.resumeFor))
		}
	}
	if len(r.members) == 0 && len(r.alarms.list) == 0 && r.kind.keepEmpty > 0 && !r.emptySince.IsZero() {
		sooner(r.emptySince.Add(r.kind.keepEmpty))
	}
	return at
}

// setWake sets the timer of an awake room. What empty rooms wait for is seen to when they sleep.
func (r *room) setWake() {
	if r.active {
		if at := r.wakeAt(); len(r.members) > 0 || len(r.alarms.list) > 0 {
			r.wakeTimer.set(r, at)
		} else {
			r.wakeTimer.stop()
		}
	}
}

// due does what is due.
func (r *room) due() {
	r.wakeTimer.at = time.Time{}
	now := time.Now()
	for _, s := range r.members {
		if !s.away.IsZero() && !now.Before(s.away.Add(r.kind.resumeFor)) {
			r.leave(s)
		}
	}
	if r.active && !r.stalled() {
		r.fire()
	}
	if r.active && r.overdue() && !r.working() {
		_ = r.forget() // if it cannot now, it can when it would sleep
		return
	}
	r.setWake()
}

// wakeUp is for a room whose timer says that something is due.
func (r *room) wakeUp() {
	if !r.active && !r.asleep {
		return
	}
	if err := r.open(nil); err != nil {
		r.wakeTimer.at = time.Time{}
		r.wakeTimer.set(r, time.Now().Add(time.Second))
		return
	}
	r.due()
}

// woken opens a room of which the store says that something is due.
func (r *room) woken() error {
	if !r.active && !r.asleep {
		if err := r.hold(nil); err != nil {
			return err
		}
		if r.kept.Empty() { // whoever made it was gone before anything was saved
			r.letGo()
			return nil
		}
		r.woke = true
	}
	if err := r.open(nil); err != nil {
		r.postpone()
		return err
	}
	return nil
}

// postpone has the store not say again and again that a room is due that cannot be read.
func (r *room) postpone() {
	k := &r.keep
	if r.kept == nil || k.epoch == 0 {
		return
	}
	k.number++
	r.server.saver.submit(&saving{batch: store.Batch{Key: store.Key(r.id), Epoch: k.epoch, Number: k.number, Wake: time.Now().Add(wakePause), Linger: -1, Then: store.Release}})
	k.epoch, r.kept = 0, nil
}
