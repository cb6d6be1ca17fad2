package room

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gosocka/socka/store/snapshot"
)

// Kinds of content in the frames of a room's parts.
const (
	contentState   = "state"
	contentSession = "session"
	contentAlarms  = "alarms"
	contentRoom    = "room"
)

// header describes what a part of this room holds.
func (r *room) header(content string) snapshot.Header {
	return snapshot.Header{Kind: content, Version: uint32(r.kind.version), Encoding: r.kind.encoding, Pushes: r.keep.pushes}
}

func (r *room) frame(content string, body []byte) []byte {
	return snapshot.Append(make([]byte, 0, len(body)+64), r.header(content), body)
}

// sessionRecord is how a session is kept.
type sessionRecord[Data any] struct {
	ID        string     `json:"id"`
	Link      string     `json:"link,omitempty"` // what its connection is called, if not as the session
	Order     uint64     `json:"order"`          // of joining
	Attached  time.Time  `json:"attached"`
	Addr      netip.Addr `json:"addr,omitzero"`
	Key       []byte     `json:"key,omitempty"`       // hash of its resume key
	Principal []byte     `json:"principal,omitempty"` // hash of whose it is
	Away      time.Time  `json:"away,omitzero"`       // since when it has no connection
	Data      Data       `json:"data"`
}

func recordOf[Data any](s *session) sessionRecord[Data] {
	rec := sessionRecord[Data]{
		ID: s.id, Order: s.order, Attached: s.attachedAt, Addr: s.addr, Key: s.key, Principal: s.principal, Away: s.away,
		Data: s.public.(*Session[Data]).Data,
	}
	if s.link != s.id {
		rec.Link = s.link
	}
	return rec
}

// session makes a session of its record, without its connection.
func (rec *sessionRecord[Data]) session() *session {
	s := &session{
		id: rec.ID, link: rec.Link, order: rec.Order, attachedAt: rec.Attached, addr: rec.Addr, key: rec.Key, principal: rec.Principal, away: rec.Away,
		lost: !rec.Away.IsZero(),
	}
	if s.link == "" {
		s.link = s.id
	}
	s.public = &Session[Data]{Data: rec.Data, s: s}
	return s
}

// roomRecord is what is kept of a room beside its state.
type roomRecord struct {
	Created time.Time `json:"created"`
	Blank   []byte    `json:"blank"`          // hash of the state as New made it
	Empty   time.Time `json:"empty,omitzero"` // since when nobody has been in it
}

func (r *room) roomPart() []byte {
	rec := roomRecord{Created: r.keep.created, Blank: r.keep.blank[:]}
	if len(r.members) == 0 {
		rec.Empty = r.emptySince
	}
	data, err := snapshot.JSON.Marshal(&rec)
	if err != nil {
		panic(fmt.Sprintf("room: a record of our own cannot be encoded: %v", err)) // it is made of plain values
	}
	h := r.header(contentRoom)
	h.Encoding = snapshot.JSON
	return snapshot.Append(nil, h, data)
}

// unframe checks a frame and gives its body.
func (r *room) unframe(content string, data []byte) (snapshot.Header, []byte, error) {
	h, body, err := snapshot.Decode(data)
	if err != nil {
		return h, nil, err
	}
	if h.Kind != content {
		return h, nil, fmt.Errorf("%w: it holds %q, not %q", snapshot.ErrCorrupt, h.Kind, content)
	}
	return h, body, nil
}
