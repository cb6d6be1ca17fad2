package room

import (
	"time"

	"github.com/gosocka/socka/actors"
)

// ticker is the fixed-rate clock of a room. One timer is out at a time, so that ticks cannot pile up; due times are
// multiples of the interval from the start, so that they do not drift.
type ticker struct {
	timer *time.Timer
	due   time.Time
	run   uint64 // counts starts and stops: a tick of an earlier run is ignored
}

// tickDue comes when a tick is due.
type tickDue struct {
	actors.Message
	run uint64
}

// start starts the clock unless it runs or the kind has none.
func (k *ticker) start(r *room) {
	if r.kind.onTick == nil || k.timer != nil {
		return
	}
	k.run++
	k.due = time.Now().Add(r.kind.tickEvery)
	self, system, msg := r.self, r.server.system, tickDue{run: k.run}
	k.timer = time.AfterFunc(r.kind.tickEvery, func() { system.Send(self, msg) })
}

func (k *ticker) stop() {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
		k.run++
	}
}

// tick runs OnTick and sets the clock to the next multiple that is still to come.
func (r *room) tick(m tickDue) {
	if !r.active || r.ticks.timer == nil || m.run != r.ticks.run {
		return
	}
	t := &turn{room: r, name: "OnTick"}
	t.run(r.kind.onTick, nil)
	if r.ticks.timer == nil || m.run != r.ticks.run { // the tick ended the room
		return
	}
	r.ticks.next(r.kind.tickEvery)
}

// next sets the clock to the next tick.
func (k *ticker) next(every time.Duration) {
	now := time.Now()
	k.due = k.due.Add(every)
	if late := now.Sub(k.due); late >= 0 {
		k.due = k.due.Add((late/every + 1) * every)
	}
	k.timer.Reset(k.due.Sub(now))
}
