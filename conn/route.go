package conn

import "github.com/gosocka/socka/actors"

// Member is an open connection as [Gateway.Lookup] finds it.
type Member struct {
	Info
	PID *actors.PID // for actors.Push, Answer, Close, Probe and Move
}

// Lookup finds a connection by its [Session].ID. It returns false if there is none, or if it is closing: then its room gets,
// or has got, an actors.Detach. Whether the peer of one that is found is still there is known to nobody; an actors.Probe
// asks. Lookup costs the same however many connections there are, and may be called from any goroutine.
func (g *Gateway) Lookup(session string) (Member, bool) {
	p, ok := g.sys.Lookup(processName(session)).(*process)
	c := (*connection)(p)
	if !ok || c.g != g {
		return Member{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open || c.closing {
		return Member{}, false
	}
	return Member{Info: c.info, PID: c.pid}, true
}

// processName is the name under which a connection is a process of the system.
func processName(session string) string { return "conn/" + session }

// attach opens the connection to others and tells the room of it. A Move that comes meanwhile waits, and the Attach is before
// it.
func (c *connection) attach(data any) {
	c.routing.Lock()
	defer c.routing.Unlock()
	c.mu.Lock()
	c.open = true
	c.mu.Unlock()
	c.g.sys.Send(c.to, &actors.Attach{From: c.pid, Session: c.info.Session, Format: c.info.Format, Addr: c.info.Addr, Data: data})
}

// send gives the room what was received, in one message, and answers probes that this is proof for. It comes before each
// read, so that no call waits for another.
func (c *connection) send() {
	if first := c.reader.first; first != nil {
		c.reader.first, c.reader.last = nil, nil
		c.forward(first)
	}
	if c.reader.proof != nil {
		c.prove()
	}
}

func (c *connection) forward(calls *actors.Call) {
	c.routing.Lock()
	defer c.routing.Unlock()
	c.g.sys.Send(c.to, calls)
}

// detach tells the room, once, that there is no connection any more, and before that all who probe it.
func (c *connection) detach() {
	if c.detached {
		return
	}
	c.send()
	c.mu.Lock()
	probes := c.takeProbesLocked()
	c.mu.Unlock()
	c.answerProbes(probes, false)
	c.routing.Lock()
	defer c.routing.Unlock()
	c.detached = true
	c.sendDetach()
}

// move has the room at another address. A Detach that the old one has got is sent again.
func (c *connection) move(to *actors.PID) {
	if to == nil {
		c.g.opts.Logger.Error("a move to no address was ignored", "session", c.info.Session, "room", c.info.Room)
		return
	}
	c.routing.Lock()
	defer c.routing.Unlock()
	if to.Equal(c.to) {
		return
	}
	c.to = to
	if c.detached {
		c.sendDetach()
	}
}

// sendDetach is called with routing held.
func (c *connection) sendDetach() {
	c.mu.Lock()
	end := c.end
	c.mu.Unlock()
	c.g.sys.Send(c.to, &actors.Detach{From: c.pid, Session: c.info.Session, Code: end.Code, Reason: end.Reason})
}
