package conn

import (
	"bufio"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// another is a second room of the same kind.
func (e *env) another(name string) *room {
	e.t.Helper()
	r := &room{sys: e.sys}
	r.cond = sync.NewCond(&r.mu)
	var err error
	if r.pid, err = e.sys.Spawn(name, r); err != nil {
		e.t.Fatal(err)
	}
	return r
}

// numbers are those of the calls that a room got of a session.
func (r *room) numbers(session string) (list []uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.events {
		if c, ok := m.(*actors.Call); ok && c.Session == session {
			list = append(list, c.Number)
		}
	}
	return list
}

func TestLookup(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		e := start(t, kind, setup{})
		other, err := NewGateway(e.sys, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := e.connect(format)
		attach := e.room.attach(t, c.id)
		m, ok := e.g.Lookup(c.id)
		want := Member{Info{Session: c.id, Kind: "test", Room: "r", Format: format, Addr: attach.Addr}, attach.From}
		if !ok || m != want {
			t.Fatalf("%+v %v, want %+v", m, ok, want)
		}
		if m, ok := other.Lookup(c.id); ok {
			t.Fatalf("another gateway has %+v", m)
		}
		if m, ok := e.g.Lookup("nobody"); ok {
			t.Fatalf("%+v", m)
		}
		e.push(m.PID, actors.Must, "", "hello")
		if got := text(t, format, c.next()); got != "hello" {
			t.Fatalf("%q", got)
		}
		e.sys.Send(m.PID, &actors.Close{Code: CloseNormal})
		if m, ok := e.g.Lookup(c.id); ok || m != (Member{}) {
			t.Fatalf("%+v while it closes", m)
		}
		c.expectClose(CloseNormal)
		e.end(c)
		if m, ok := e.g.Lookup(c.id); ok {
			t.Fatalf("%+v after its end", m)
		}
	})
}

// Neither an actor nor a process that is no connection is taken for one.
func TestLookupOfSomethingElse(t *testing.T) {
	e := start(t, transports[0], setup{})
	if _, err := e.sys.Register(processName("process"), releaser{}); err != nil {
		t.Fatal(err)
	}
	e.another(processName("actor"))
	for _, name := range []string{"process", "actor"} {
		if m, ok := e.g.Lookup(name); ok {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// Until the handshake is over nobody finds the connection, for nothing may be sent to it yet.
func TestLookupDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := &client{t: t, nc: e.dial(), id: "late"}
		c.write([]byte("GET /?id=late HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		synctest.Wait() // the server writes its 101
		if e.sys.Lookup(processName("late")) == nil {
			t.Fatal("the test comes too early")
		}
		if m, ok := e.g.Lookup("late"); ok {
			t.Fatalf("%+v", m)
		}
		c.br = bufio.NewReader(c.nc)
		skipResponse(t, c)
		e.room.attach(t, "late")
		if _, ok := e.g.Lookup("late"); !ok {
			t.Fatal("it is open and not found")
		}
		_ = c.nc.Close()
	})
}

// After a Move the new room gets the calls, numbered on, and the Detach; the old one gets nothing more.
func TestMove(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		e := start(t, kind, setup{})
		next := e.another("next")
		c := e.connect(format)
		pid := e.room.attach(t, c.id).From
		call := func(id string) {
			t.Helper()
			c.request(id, "echo", "{}")
			if f := c.next(); f.ID != id || f.Kind != wire.ServerResponse {
				t.Fatalf("%+v", f)
			}
		}
		call("a-1")
		call("a-2")
		e.sys.Send(pid, &actors.Move{Session: c.id, To: next.pid})
		e.sys.Send(pid, &actors.Move{Session: c.id, To: &actors.PID{Address: next.pid.Address, Id: next.pid.Id}}) // there already
		e.sys.Stop(e.room.pid)
		call("a-3")
		call("a-4")
		c.write(frame(closeFrame, nil))
		c.expectClose(0)
		if d := next.detach(t, c.id); d.Code != closeNoStatus || d.From != pid {
			t.Fatalf("%+v", d)
		}
		e.end(c)
		if got := fmt.Sprint(e.room.numbers(c.id), next.numbers(c.id)); got != "[1 2] [3 4]" {
			t.Fatalf("calls %s", got)
		}
		if a, b := e.room.detaches(c.id), next.detaches(c.id); a != 0 || b != 1 {
			t.Fatalf("%d detaches of the old room, %d of the new one", a, b)
		}
	})
}

// Who moves a connection that has ended learns of it, with the code if that is still known.
func TestMoveAfterDetach(t *testing.T) {
	for _, kind := range transports {
		on(t, kind.name, kind, func(t *testing.T) {
			e := start(t, kind, setup{})
			closing, gone, forgotten := e.another("closing"), e.another("gone"), e.another("forgotten")
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			e.sys.Send(pid, &actors.Close{Code: CloseKicked, Reason: "out"})
			e.room.detach(t, c.id)
			for range 2 { // the second finds it there
				e.sys.Send(pid, &actors.Move{Session: c.id, To: closing.pid})
			}
			if d := closing.detach(t, c.id); d.Code != CloseKicked || d.Reason != "out" || d.From != pid {
				t.Fatalf("%+v", d)
			}
			c.expectClose(CloseKicked)
			e.end(c)
			e.sys.Send(pid, &actors.Move{Session: c.id, To: gone.pid})
			if d := gone.detach(t, c.id); d.Code != CloseKicked {
				t.Fatalf("%+v", d)
			}
			e.sys.Send(&actors.PID{Address: pid.Address, Id: pid.Id}, &actors.Move{Session: c.id, To: forgotten.pid})
			if d := forgotten.detach(t, c.id); d.Code != closeAbnormal || d.From != nil {
				t.Fatalf("%+v", d)
			}
			if err := e.sys.Close(context.Background()); err != nil { // all that was sent is there
				t.Fatal(err)
			}
			for _, r := range []*room{e.room, closing, gone, forgotten} {
				if n := r.detaches(c.id); n != 1 {
					t.Errorf("%d detaches", n)
				}
			}
		})
	}
}

// place is an address at which calls are answered on the goroutine that sends them, so that it shows when they come.
type place struct {
	sys *actors.System
	pid *actors.PID

	mu       sync.Mutex
	left     map[string]bool // the sessions that were moved away
	numbers  map[string][]uint64
	detached map[string]int
	late     atomic.Int64 // messages of sessions that were moved away
}

func newPlace(e *env, name string) *place {
	p := &place{sys: e.sys, left: map[string]bool{}, numbers: map[string][]uint64{}, detached: map[string]int{}}
	var err error
	if p.pid, err = e.sys.Register(name, p); err != nil {
		e.t.Fatal(err)
	}
	return p
}

func (p *place) Deliver(msg any) {
	switch m := msg.(type) {
	case *actors.Call:
		p.mu.Lock()
		if p.left[m.Session] {
			p.late.Add(1)
		}
		p.numbers[m.Session] = append(p.numbers[m.Session], m.Number)
		p.mu.Unlock()
		p.sys.Send(m.From, &actors.Answer{Number: m.Number, Frame: wire.AppendResponse(nil, m.Format, m.ID, m.RPC, m.Body)})
	case *actors.Detach:
		p.mu.Lock()
		if p.left[m.Session] {
			p.late.Add(1)
		}
		p.detached[m.Session]++
		p.mu.Unlock()
	}
}

// is says whether a session is here, as whoever moves it sees it.
func (p *place) is(session string, here bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[session] = !here
}

// While connections call without pause they are moved back and forth: nothing comes to an address after the Move away from
// it has returned, and nothing is lost or out of order.
func TestMoveUnderLoad(t *testing.T) {
	for _, kind := range transports {
		t.Run(kind.name, func(t *testing.T) {
			const clients, calls = 4, 60
			e := start(t, kind, setup{opts: Options{CallsPerSecond: -1}})
			places := []*place{newPlace(e, "place 0"), newPlace(e, "place 1")}
			var all sync.WaitGroup
			var ids []string
			for range clients {
				c := e.connect(wire.JSON)
				ids = append(ids, c.id)
				e.room.attach(t, c.id)
				m, ok := e.g.Lookup(c.id)
				if !ok {
					t.Fatal("not found")
				}
				var called atomic.Bool
				moved := make(chan struct{})
				all.Go(func() {
					defer close(moved)
					for i := 0; !called.Load(); i++ {
						from, to := places[i%2], places[(i+1)%2]
						to.is(c.id, true)
						e.sys.Send(m.PID, &actors.Move{Session: c.id, To: to.pid})
						from.is(c.id, false)
						if _, ok := e.g.Lookup(c.id); !ok {
							t.Error("not found any more")
						}
						runtime.Gosched()
					}
				})
				all.Go(func() {
					defer func() {
						called.Store(true)
						<-moved
						_ = c.nc.Close()
					}()
					for i := range calls {
						id := fmt.Sprint("a-", i)
						if _, err := c.nc.Write(c.requestFrame(id, "echo", "{}")); err != nil {
							t.Error(err)
							return
						}
						if _, payload, err := c.read(); err != nil {
							t.Error(err)
							return
						} else if f, err := wire.Decode(wire.JSON, payload); err != nil || f.ID != id {
							t.Errorf("%+v %v, want %s", f, err, id)
							return
						}
					}
				})
			}
			all.Wait()
			e.stop()
			for _, id := range ids {
				got := append(e.room.numbers(id), append(places[0].numbers[id], places[1].numbers[id]...)...)
				slices.Sort(got)
				if len(got) != calls || got[0] != 1 || got[calls-1] != calls {
					t.Errorf("%d calls from %v", len(got), got)
				}
				if n := e.room.detaches(id) + places[0].detached[id] + places[1].detached[id]; n != 1 {
					t.Errorf("%d detaches", n)
				}
			}
			if n := places[0].late.Load() + places[1].late.Load(); n > 0 {
				t.Errorf("%d messages came to an address after the Move away from it", n)
			}
		})
	}
}

// Who moves a connection that ends at the same moment gets one Detach, be it first or second to know.
func TestMoveRacesWithTheEnd(t *testing.T) {
	for _, kind := range []transportKind{transports[0], transports[3]} {
		t.Run(kind.name, func(t *testing.T) {
			e := start(t, kind, setup{})
			next := e.another("next")
			for i := range 60 {
				c := e.connect(wire.JSON)
				pid := e.room.attach(t, c.id).From
				if i%2 == 0 {
					pid = &actors.PID{Address: pid.Address, Id: pid.Id}
				}
				_ = c.nc.Close()
				for range i % 7 {
					runtime.Gosched()
				}
				e.sys.Send(pid, &actors.Move{Session: c.id, To: next.pid})
				next.detach(t, c.id)
				e.end(c)
				if a, b := e.room.detaches(c.id), next.detaches(c.id); a > 1 || b != 1 {
					t.Fatalf("%d detaches of the old room, %d of the new one", a, b)
				}
			}
		})
	}
}
