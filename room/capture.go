package room

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/gosocka/socka/contract"
)

// capture takes everything that has changed.
func (r *room) capture() error {
	_, err := r.captureState()
	_, rest := r.captureRest()
	if err = errors.Join(err, rest); err == nil {
		r.keep.broken = false
	}
	return err
}

// captureState encodes the state, and says whether it is another one than the store has or will have.
func (r *room) captureState() (changed bool, err error) {
	k := &r.keep
	last := k.state
	if k.next != nil {
		last = k.next
	}
	now, err := r.kind.encodeState(r.state, make([]byte, 0, len(last)+len(last)/16+64))
	if err != nil {
		return false, err
	}
	if most := r.server.opts.MaxStateBytes; most > 0 && len(now) > most {
		return false, contract.Errorf(contract.ResourceExhausted, "the state of room %s has grown to %d bytes; Options.MaxStateBytes is %d", r.id, len(now), most)
	}
	if bytes.Equal(now, last) && (k.whole || k.next != nil || len(r.members) == 0 && len(r.alarms.list) == 0) {
		return false, nil
	}
	k.next = now
	return true, nil
}

// captureSessions encodes the sessions that may have changed: all, or none if one cannot be encoded.
func (r *room) captureSessions() (changed bool, err error) {
	type record struct {
		s            *session
		data, record []byte
	}
	var list []record
	for _, s := range r.touched {
		data, err := r.kind.encodeData(s.public, r.scratch[:0])
		if r.scratch = data[:0]; err == nil && !s.anew && s.saved != nil && bytes.Equal(data, s.saved) {
			continue
		}
		data = bytes.Clone(data)
		var whole []byte
		if err == nil {
			whole, err = r.kind.encodeSession(s)
		}
		if err != nil {
			return false, fmt.Errorf("room: the data of session %s: %w", s.id, err)
		}
		list = append(list, record{s, data, whole})
	}
	r.clearTouched()
	for _, c := range list {
		c.s.saved, c.s.stored, c.s.anew = c.data, true, false
		r.keep.put(partSession+c.s.id, r.frame(contentSession, c.record))
	}
	return len(list) > 0, nil
}

// captureRest takes what is not the state: sessions that may have changed, who has left, and the alarms if they have changed.
func (r *room) captureRest() (changed bool, err error) {
	k := &r.keep
	changed, err = r.captureSessions()
	for _, id := range r.removed {
		k.put(partSession+id, nil)
		changed = true
	}
	r.removed = nil
	if r.alarms.touched {
		r.alarms.touched = false
		k.put(partAlarms, r.alarmsPart())
		changed = true
	}
	k.wake, k.linger, k.timed = r.wakeAt(), r.linger(), true
	return changed, err
}

// put captures a part; nil data: it is to be deleted.
func (k *keeper) put(name string, data []byte) {
	if k.parts == nil {
		k.parts = make(map[string][]byte)
	}
	k.parts[name] = data
}

// touch notes that a session may be changed in this turn.
func (r *room) touch(s *session) {
	if s.touched == 0 && !s.dropped {
		r.touched = append(r.touched, s)
		s.touched = len(r.touched)
	}
}

// touchAnew notes that a session's record has changed, whatever its data.
func (r *room) touchAnew(s *session) {
	s.anew = true
	r.touch(s)
}

// untouch takes a session off the list.
func (r *room) untouch(s *session) {
	if s.touched == 0 {
		return
	}
	last := len(r.touched) - 1
	moved := r.touched[last]
	r.touched[s.touched-1], moved.touched = moved, s.touched
	r.touched[last], s.touched = nil, 0
	r.touched = r.touched[:last]
}

func (r *room) clearTouched() {
	for i, s := range r.touched {
		r.touched[i], s.touched = nil, 0
	}
	if r.touched = r.touched[:0]; cap(r.touched) > 64 {
		r.touched = nil
	}
}
