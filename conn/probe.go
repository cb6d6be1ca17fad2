package conn

import (
	"time"

	"github.com/gosocka/socka/actors"
)

// probe is one actors.Probe that waits. It is in connection.probes until the reader has input for it or ends, or until its
// time is up: whoever takes it out of there answers it.
type probe struct {
	msg   *actors.Probe
	timer *time.Timer
	next  *probe
}

// maxProbes is how many probes of one connection wait. One more is answered at once, as if the peer had been heard: it is
// not to lose its session because many ask for it.
const maxProbes = 16

// Bits of connection.heard. A reader looks whether it is heardInput, as it is on a busy connection that nobody probes.
const (
	heardInput = 1 << iota // input came since the sweeper looked
	heardAsked             // probes wait for input
)

// hear notes that n bytes were read, before they are parsed.
func (c *connection) hear(n int) {
	if n > 0 && c.heard.Load() != heardInput {
		c.hearAnew()
	}
}

// hearAnew takes the probes that wait for input. They are answered when it is parsed, for it may be a close frame.
func (c *connection) hearAnew() {
	if c.heard.Swap(heardInput)&heardAsked == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reader.proof = c.takeProbesLocked() // what input before this was proof for has been answered
}

// prove answers the probes that there was input for.
func (c *connection) prove() {
	list := c.reader.proof
	c.reader.proof = nil
	c.mu.Lock()
	alive := !c.closing
	c.mu.Unlock()
	c.answerProbes(list, alive)
}

// probe takes a message that asks for the peer.
func (c *connection) probe(m *actors.Probe) {
	if m.From == nil {
		c.g.opts.Logger.Error("a probe that says not whom to answer was dropped", "session", c.info.Session)
		return
	}
	if waits, alive := c.ask(m); !waits {
		c.answerProbes(&probe{msg: m}, alive)
	}
}

// ask pings for a probe and returns true, or says what the answer is already.
func (c *connection) ask(m *actors.Probe) (waits, alive bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false, false
	}
	at := &c.probes
	for n := 0; *at != nil; n++ {
		if n == maxProbes-1 {
			return false, true
		}
		at = &(*at).next
	}
	p := &probe{msg: m}
	c.g.running.Add(1) // the timer; the connection itself counts yet
	p.timer = time.AfterFunc(m.Timeout, func() { c.expire(p) })
	*at = p
	c.heard.Or(heardAsked)
	c.out.ping = true
	c.wakeLocked()
	return true, false
}

// expire answers a probe whose time is up.
func (c *connection) expire(p *probe) {
	defer c.g.running.Done()
	c.mu.Lock()
	at := &c.probes
	for *at != nil && *at != p {
		at = &(*at).next
	}
	mine := *at == p
	if mine {
		*at = p.next
	}
	c.mu.Unlock()
	if mine {
		p.next = nil
		c.answerProbes(p, false)
	}
}

// takeProbesLocked takes all that wait.
func (c *connection) takeProbesLocked() *probe {
	list := c.probes
	c.probes = nil
	for p := list; p != nil; p = p.next {
		if p.timer.Stop() {
			c.g.running.Done()
		}
	}
	return list
}

// answerProbes answers a list of probes that nobody else has any more. mu must not be held: a PID may be anybody's.
func (c *connection) answerProbes(list *probe, alive bool) {
	for p := list; p != nil; p = p.next {
		c.g.sys.Send(p.msg.From, &actors.Probed{Session: p.msg.Session, Alive: alive})
	}
}
