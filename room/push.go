package room

import (
	"reflect"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// Audience narrows who gets a broadcast; several must all agree.
type Audience func(s *session) bool

// Except leaves sessions out; nil ones are ignored, so that room.Except(t.Session) is always right.
func Except[Data any](sessions ...*Session[Data]) Audience {
	return func(s *session) bool {
		for _, other := range sessions {
			if other != nil && other.s == s {
				return false
			}
		}
		return true
	}
}

// To keeps to the sessions given.
func To[Data any](sessions ...*Session[Data]) Audience {
	out := Except(sessions...)
	return func(s *session) bool { return !out(s) }
}

// Where keeps to the sessions of which match says yes; it runs within the turn, once per session.
func Where[Data any](match func(*Session[Data]) bool) Audience {
	return func(s *session) bool {
		s.exposed = true // it may be changed
		return match(s.public.(*Session[Data]))
	}
}

// Emit sends a push to one session. Like everything a turn sends it leaves only if the turn succeeds, in turn order,
// ahead of the call's own answer. A payload that does not pass the push's schema fails the turn with invalid_output.
// For a session that has left, or is of another room, nothing happens.
func Emit[State, Data, T any](t *Turn[State, Data], to *Session[Data], push *contract.Push[T], v T) {
	in := t.writing("Emit")
	if to == nil || !in.room.has(to.s) {
		return
	}
	in.push(push.Def(), &v, []*session{to.s})
}

// Broadcast sends a push to all sessions of the room, the caller's own included, or to those that every audience agrees
// on. All members see a room's broadcasts in the same order. It is validated and encoded once per wire format, now:
// changing v afterwards changes nothing. A payload that does not pass the push's schema fails the turn with
// invalid_output.
func Broadcast[State, Data, T any](t *Turn[State, Data], push *contract.Push[T], v T, audience ...Audience) {
	in := t.writing("Broadcast")
	to := in.room.members // never changed in place, so it may be kept
	if audience != nil {
		to = filter(to, audience)
		for _, s := range in.room.members {
			if s.exposed {
				s.exposed = false
				in.room.touch(s)
				in.shown = true
			}
		}
	}
	in.push(push.Def(), &v, to)
}

func filter(members []*session, audience []Audience) []*session {
	to := make([]*session, 0, len(members))
next:
	for _, s := range members {
		for _, in := range audience {
			if !in(s) {
				continue next
			}
		}
		to = append(to, s)
	}
	return to
}

func (t *turn) push(def *contract.PushDef, v any, to []*session) {
	if def.Contract() != t.room.kind.contract {
		panic("room: push " + def.Name() + " (defined at " + def.DefinedAt() + ") belongs to contract " + def.Contract().Name() + ", not to " + t.room.kind.contract.Name())
	}
	msg, err := encodePush(def, v, to)
	if err != nil {
		if t.invalid == nil {
			t.invalid = err
		}
		return
	}
	if len(to) > 0 {
		t.out = append(t.out, release{push: msg, name: def.Name(), to: to})
	}
}

// encodePush encodes what v points to once for each format that is spoken among to. With nobody there it still validates.
func encodePush(def *contract.PushDef, v any, to []*session) (*actors.Push, error) {
	msg := &actors.Push{Policy: policyOf(def.Delivery())}
	if msg.Policy == actors.Latest {
		key, err := def.Key(reflect.ValueOf(v).Elem().Interface())
		if err != nil {
			return nil, err
		}
		msg.Key = def.Name() + "\x00" + key
	}
	encode := func(f wire.Format) error {
		frame, err := def.AppendBody(wire.OpenEvent(make([]byte, 0, 256), f, def.Name()), f, v)
		if err == nil {
			msg.Frames[f] = wire.CloseFrame(frame, f)
		}
		return err
	}
	for _, s := range to {
		if msg.Frames[s.format] == nil && s.away.IsZero() {
			if err := encode(s.format); err != nil {
				return nil, err
			}
		}
	}
	if msg.Frames[wire.JSON] == nil && msg.Frames[wire.Msgpack] == nil {
		return msg, encode(wire.JSON)
	}
	return msg, nil
}
