package room

import (
	"sync"
	"time"

	"github.com/gosocka/socka/actors"
)

// vacant is the rooms of one kind in which nobody is, in the order in which their time is up. They share one timer: there
// may be very many of them.
type vacant struct {
	system *actors.System
	keep   time.Duration // how long a room stays, the same for all

	mu          sync.Mutex
	first, last *room
	armed       bool // a timer will look at first
}

// vacancy is a room's place in the list.
type vacancy struct {
	listed     bool
	until      time.Time
	prev, next *room
}

// put lists a room anew: its time starts now.
func (v *vacant) put(r *room) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.removeLocked(r)
	r.vacancy = vacancy{listed: true, until: time.Now().Add(v.keep), prev: v.last}
	if v.last == nil {
		v.first = r
	} else {
		v.last.vacancy.next = r
	}
	v.last = r
	if !v.armed {
		v.armed = true
		time.AfterFunc(v.keep, v.due)
	}
}

// remove takes a room off the list.
func (v *vacant) remove(r *room) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.removeLocked(r)
}

func (v *vacant) removeLocked(r *room) {
	at := &r.vacancy
	if !at.listed {
		return
	}
	if at.prev == nil {
		v.first = at.next
	} else {
		at.prev.vacancy.next = at.next
	}
	if at.next == nil {
		v.last = at.prev
	} else {
		at.next.vacancy.prev = at.prev
	}
	at.listed, at.prev, at.next = false, nil, nil
}

// due tells the rooms whose time is up.
func (v *vacant) due() {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for r := v.first; r != nil && !now.Before(r.vacancy.until); r = v.first {
		v.removeLocked(r)
		v.system.Send(r.self, emptyDue{})
	}
	if v.armed = v.first != nil; v.armed {
		time.AfterFunc(v.first.vacancy.until.Sub(now), v.due)
	}
}

// over reports whether a room's time is up. Only the room itself, which nobody else lists, may ask.
func (a *vacancy) over() bool { return !a.until.IsZero() && !time.Now().Before(a.until) }
