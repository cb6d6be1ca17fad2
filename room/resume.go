package room

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"strconv"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
)

// Resume keys. A client that wants its session to outlive its connection sends a secret of its own making, the resume key,
// as sid in the URL of the upgrade. Only a hash of it is kept.
const (
	minResumeKey = 22 // characters of base64url: 128 bits and more
	maxResumeKey = 128

	// probeTimeout is how long the connection of a session has to show that somebody is there, when its key comes a second
	// time.
	probeTimeout = 3 * time.Second
)

// resumeKey checks a sid.
func resumeKey(sid string) error {
	ok := len(sid) >= minResumeKey && len(sid) <= maxResumeKey
	for i := 0; ok && i < len(sid); i++ {
		c := sid[i]
		ok = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
	}
	if !ok { // its text is a secret
		return &conn.Refusal{Status: http.StatusBadRequest, Message: "sid: want " + strconv.Itoa(minResumeKey) + " to " + strconv.Itoa(maxResumeKey) + " characters of base64url, made by a random generator"}
	}
	return nil
}

// keyHash is what is kept of a resume key. It is good for one room only.
func keyHash(id ID, sid string) []byte {
	sum := sha256.Sum256([]byte(id.Kind + "\x00" + id.Name + "\x00" + sid))
	return sum[:]
}

// probe is a newcomer with the key of a session that has a connection: it waits until that connection was heard of or not.
// What it sends meanwhile waits with it.
type probe struct {
	old     *session
	link    string // of the old connection
	attach  *actors.Attach
	waiting []any // *actors.Call, *actors.Detach
}

// byKey finds the session with a resume key.
func (r *room) byKey(key []byte) *session {
	if key == nil {
		return nil
	}
	for _, s := range r.members {
		if !s.gone && bytes.Equal(s.key, key) {
			return s
		}
	}
	return nil
}

// resume sees whether a newcomer is one who returns. It says whether the newcomer was taken care of.
func (r *room) resume(m *actors.Attach, in *entrant) bool {
	if r.kind.resumeFor <= 0 {
		in.key = nil
		return false
	}
	s := r.byKey(in.key)
	switch {
	case s == nil:
		return false
	case !bytes.Equal(s.principal, in.principal): // somebody else now has what keeps the key, a browser's tab perhaps
		s.key = nil
		r.touchAnew(s)
		if !s.away.IsZero() {
			r.leave(s)
		}
		return false
	case !s.away.IsZero():
		r.returned(s, m, in)
		return true
	}
	if r.probes == nil {
		r.probes = make(map[string]*probe)
	}
	r.probes[m.Session] = &probe{old: s, link: s.link, attach: m}
	if s.recipient.pid == nil {
		r.probed(&actors.Probed{Session: s.link})
		return true
	}
	r.server.system.Send(s.recipient.pid, &actors.Probe{From: r.self, Session: s.link, Timeout: probeTimeout})
	return true
}

// probed hears of a connection whose session's key came a second time: the newcomer is another session without a key if
// somebody is there, and takes the session over if not.
func (r *room) probed(m *actors.Probed) {
	for id, p := range r.probes {
		if p.link != m.Session {
			continue
		}
		delete(r.probes, id)
		in := p.attach.Data.(entrant)
		old := p.old
		switch there := r.has(old) && old.link == p.link; {
		case there && m.Alive:
			in.key = nil
			r.enter(p.attach, in)
		case there:
			r.release(release{at: old.recipient, msg: &actors.Close{Code: conn.CloseUnavailable, Reason: "the session goes on with another connection"}})
			r.goAway(old)
			r.returned(old, p.attach, &in)
		default: // it has left, or went on, meanwhile
			r.enterOrResume(p.attach, in)
		}
		for _, msg := range p.waiting {
			r.receive(msg)
		}
	}
}

// returned gives a session that was away its new connection. OnResume may refuse it; then it is away as before.
func (r *room) returned(s *session, m *actors.Attach, in *entrant) {
	since := s.away
	delete(r.sessions, s.link)
	oldLink, oldRecipient, oldFormat, oldAddr := s.link, s.recipient, s.format, s.addr
	s.link, s.recipient, s.format, s.addr = m.Session, recipient{m.From, r.server.system.Holder(m.From)}, m.Format, m.Addr
	s.away, s.lost, s.since = time.Time{}, false, r.turns+1
	r.sessions[s.link] = s
	r.touchAnew(s)
	var failed error
	if r.kind.onResume != nil {
		t := &turn{room: r, name: "OnResume", session: s, format: s.format}
		t.run(func(t *turn) error { return r.kind.onResume(t, in.data) }, func(err error) release {
			if failed = err; err != nil {
				delete(r.sessions, s.link)
				s.link, s.recipient, s.format, s.addr, s.away, s.lost = oldLink, oldRecipient, oldFormat, oldAddr, since, true
				r.sessions[s.link] = s
				r.touchAnew(s)
			}
			return release{}
		})
	} else {
		r.commit()
	}
	if failed != nil {
		r.refuse(m, failed)
		return
	}
	if !r.has(s) { // it was closed by its OnResume
		return
	}
	r.ticks.start(r)
	r.setWake()
	r.server.hooks.resume(SessionEvent{ID: r.id, Session: s.id, Addr: s.addr, Sessions: len(r.members)})
}

// goAway keeps a session whose connection is gone, for ResumeFor. No turn runs.
func (r *room) goAway(s *session) {
	s.lost, s.away = true, time.Now()
	r.touchAnew(s)
	r.commit()
	r.setWake()
	if r.connected() == 0 && !r.kind.tickAlways {
		r.ticks.stop()
	}
	r.server.hooks.away(SessionEvent{ID: r.id, Session: s.id, Addr: s.addr, Sessions: len(r.members)})
}

// connected counts the sessions that have a connection.
func (r *room) connected() int {
	n := 0
	for _, s := range r.members {
		if s.away.IsZero() && !s.lost {
			n++
		}
	}
	return n
}

// newcomerLeft hears that a newcomer has gone while it waited.
func (r *room) newcomerLeft(m *actors.Detach) {
	if p := r.probes[m.Session]; p != nil {
		p.waiting = append(p.waiting, m)
	}
}
