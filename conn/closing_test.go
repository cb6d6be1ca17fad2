package conn

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// open returns the connections in the gateway's table.
func (e *env) open() []*connection {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	return append([]*connection(nil), e.g.conns...)
}

// emptied waits until the gateway has no connections.
func (e *env) emptied(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); len(e.open()) > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d connections are still there", len(e.open()))
		}
		<-time.After(time.Millisecond)
	}
}

// A connection that breaks while its reader is at work ends: neither waits for the other.
func TestBreakWhileReading(t *testing.T) {
	in, goOn := make(chan struct{}), make(chan struct{})
	e := start(t, transports[0], setup{opts: Options{Hooks: Hooks{Malformed: func(Info, error) { close(in); <-goOn }}}})
	c := e.connect(wire.JSON)
	e.room.attach(t, c.id)
	c.write(append(frame(textFrame, []byte("{")), frame(pingFrame, nil)...))
	<-in
	cut := make(chan struct{})
	go func() { e.open()[0].cut(); close(cut) }()
	<-cut
	close(goOn)
	e.room.detach(t, c.id)
	e.emptied(t)
}

// The same with nothing but what a client does: it sends pings, reads nothing and resets.
func TestResetWhilePinging(t *testing.T) {
	e := start(t, transports[0], setup{on: func(r *room, msg any) {
		if a, ok := msg.(*actors.Attach); ok {
			go func() {
				for push := newPush(actors.Must, "", strings.Repeat("x", 2000)); r.detaches(a.Session) == 0; {
					r.sys.Send(a.From, push)
				}
			}()
		}
	}})
	pings := []byte(strings.Repeat(string(frame(pingFrame, []byte("1"))), 5000))
	for i := range 100 {
		c := e.connect(wire.JSON)
		e.room.attach(t, c.id)
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for n := 0; n < i%5; n++ {
				if _, err := c.nc.Write(pings); err != nil {
					return
				}
			}
		}()
		<-wrote
		_ = c.nc.(*net.TCPConn).SetLinger(0)
		_ = c.nc.Close()
		e.room.detach(t, c.id)
		e.emptied(t)
	}
}

// A connection that is closed while its peer goes on sending is detached at once and ends when its time is up.
func TestCloseOfAPeerThatGoesOnSending(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		if kind.pipe { // a peer that never rests keeps virtual time from passing
			return
		}
		e := start(t, kind, setup{opts: Options{WriteTimeout: time.Second, CloseTimeout: time.Second}})
		data := []byte(strings.Repeat(string(frame(binaryFrame, []byte(strings.Repeat("x", 50000)))), 20))
		var stop atomic.Bool
		defer stop.Store(true)
		for range 3 {
			c := e.connect(format)
			a := e.room.attach(t, c.id)
			go func() {
				for !stop.Load() {
					if _, err := c.nc.Write(data); err != nil {
						return
					}
				}
			}()
			go func() {
				for {
					if _, _, err := c.read(); err != nil {
						return
					}
				}
			}()
			e.sys.Send(a.From, &actors.Close{Code: CloseKicked})
			e.room.detach(t, c.id)
		}
		e.emptied(t)
	})
}

// A deadline that the sweeper sets when the write it means has just ended harms no later write.
func TestLateDeadlineOfTheSweeper(t *testing.T) {
	e := start(t, transports[0], setup{})
	c := e.connect(wire.JSON)
	e.room.attach(t, c.id)
	cc := e.open()[0]
	write := cc.writes.Add(1) // the system call is over, which is not counted yet
	cc.wakeWriter(write)
	cc.writes.Add(1)
	for _, text := range []string{"first", "second"} {
		if p := (*process)(cc); p.Hold(newPush(actors.Must, "", text)) {
			p.Flush()
		}
		if f := c.next(); !strings.Contains(string(f.Body), text) {
			t.Fatalf("%q", f.Body)
		}
	}
}

// A nudge and a close at the same time lose nothing, though the peer is slow to read.
func TestNudgeAndClose(t *testing.T) {
	e := start(t, transports[0], setup{opts: Options{OutboxBytes: 64 << 20}})
	push := newPush(actors.Must, "", strings.Repeat("x", 10000))
	for range 50 {
		c := e.connect(wire.JSON)
		a := e.room.attach(t, c.id)
		cc := e.open()[0]
		for range 800 { // more than sockets take
			e.sys.Send(a.From, push)
		}
		go cc.close(CloseKicked, "out", keepQueue)
		cc.nudge()
		if code, _, before := c.closing(); code != CloseKicked || before != 800 {
			t.Fatalf("%d after %d pushes", code, before)
		}
		_ = c.nc.Close()
		e.emptied(t)
	}
}

// What is held is no reason to call a peer slow.
func TestHeldMessagesAreNoSlowness(t *testing.T) {
	e := start(t, transports[0], setup{opts: Options{OutboxBytes: 64 << 10}})
	c := e.connect(wire.JSON)
	e.room.attach(t, c.id)
	p := (*process)(e.open()[0])
	for _, n := range []int{20 << 10, 50 << 10, 10, 63 << 10} {
		p.Hold(newPush(actors.Must, "", strings.Repeat("x", n)))
	}
	p.Flush()
	for range 4 {
		if f := c.next(); f.Kind != wire.ServerEvent {
			t.Fatalf("%+v", f)
		}
	}
}
