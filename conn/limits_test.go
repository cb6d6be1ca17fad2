package conn

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

var pipe = transportKind{name: "pipe", pipe: true}

// malformed collects what the hook is told.
type malformed struct {
	mu   sync.Mutex
	errs []string
}

func (m *malformed) hook(_ Info, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.errs = append(m.errs, err.Error())
}

func (m *malformed) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	errs := m.errs
	m.errs = nil
	return errs
}

// Every malformed input of the socka v1 vectors is reported; those with an id are answered in their place, the others are
// not; the connection goes on.
func TestMalformed(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Malformed []struct{ Name, JSON string }
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors.Malformed) == 0 {
		t.Fatal(err, len(vectors.Malformed))
	}
	answered := map[string]bool{"rpc missing": true, "body missing": true, "body null": true, "body array": true}
	seen := 0
	for _, v := range vectors.Malformed {
		for _, mode := range []string{"text", "binary", "msgpack"} {
			payload, format, first := []byte(v.JSON), wire.JSON, byte(textFrame)
			switch mode {
			case "binary":
				first = binaryFrame
			case "msgpack":
				mp, err := wire.Transcode(nil, wire.Msgpack, wire.JSON, payload)
				if err != nil {
					continue // no value of any kind
				}
				payload, format, first = mp, wire.Msgpack, binaryFrame
			}
			on(t, v.Name+"/"+mode, pipe, func(t *testing.T) {
				var told malformed
				e := start(t, pipe, setup{opts: Options{Hooks: Hooks{Malformed: told.hook}}})
				c := e.connect(format)
				c.write(frame(first, payload))
				c.request("after-1", "echo", "{}")
				f := c.next()
				if answered[v.Name] {
					seen++
					if f.Kind != wire.ServerError || f.ID != "a" || f.Code != "invalid_input" || f.Error == "" {
						t.Fatalf("answer %+v", f)
					}
					f = c.next()
				}
				if f.Kind != wire.ServerResponse || f.ID != "after-1" {
					t.Fatalf("then %+v", f)
				}
				if errs := told.take(); len(errs) != 1 || !strings.HasPrefix(errs[0], "socka: ") {
					t.Fatalf("reported %q", errs)
				}
				_ = c.nc.Close()
			})
		}
	}
	if seen != 3*len(answered) {
		t.Fatalf("%d answered, want %d", seen, 3*len(answered))
	}
}

// Encodings belong to the connection: a JSON connection reads binary messages as JSON and answers in text; a msgpack one
// takes no text.
func TestMessageTypes(t *testing.T) {
	on(t, "json", pipe, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := e.connect(wire.JSON)
		c.write(frame(binaryFrame, wire.AppendRequest(nil, wire.JSON, "a-1", "echo", nil)))
		if f := c.next(); f.ID != "a-1" {
			t.Fatalf("%+v", f)
		}
		_ = c.nc.Close()
	})
	on(t, "msgpack", pipe, func(t *testing.T) {
		var told malformed
		e := start(t, pipe, setup{opts: Options{Hooks: Hooks{Malformed: told.hook}}})
		c := e.connect(wire.Msgpack)
		c.write(frame(textFrame, wire.AppendRequest(nil, wire.JSON, "a-1", "echo", nil)))
		c.request("a-2", "echo", "{}")
		if f := c.next(); f.ID != "a-2" {
			t.Fatalf("%+v", f)
		}
		if errs := told.take(); len(errs) != 1 || errs[0] != "socka: unexpected JSON frame in msgpack mode" {
			t.Fatalf("%q", errs)
		}
		_ = c.nc.Close()
	})
}

// A fragmented message is one message.
func TestFragments(t *testing.T) {
	for _, kind := range transports {
		e := start(t, kind, setup{})
		c := e.connect(wire.JSON)
		whole := wire.AppendRequest(nil, wire.JSON, "a-1", "echo", []byte(`{"s":"é"}`))
		var all []byte
		for i, b := range whole {
			first := byte(0)
			if i == 0 {
				first = 0x01
			}
			if i == len(whole)-1 {
				first |= 0x80
			}
			all = append(all, frame(first, []byte{b})...)
			if i == 7 {
				all = append(all, frame(pongFrame, []byte("unasked"))...)
			}
		}
		c.write(all)
		if f := c.next(); f.ID != "a-1" || string(f.Body) != `{"s":"é"}` {
			t.Fatalf("%+v", f)
		}
	}
}

// Malformed messages are reported 10 at once and one a second later on; a hundred in a row end the connection.
func TestMalformedFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told malformed
		e := start(t, pipe, setup{opts: Options{Hooks: Hooks{Malformed: told.hook}}})
		c := e.connect(wire.JSON)
		bad := frame(textFrame, []byte("x"))
		for range 50 {
			c.write(bad)
		}
		synctest.Wait()
		if n := len(told.take()); n != 10 {
			t.Fatalf("%d reports of the first 50", n)
		}
		time.Sleep(3 * time.Second)
		for range 49 {
			c.write(bad)
		}
		c.request("a-1", "echo", "{}") // a good one: the count begins anew
		c.next()
		if n := len(told.take()); n != 3 {
			t.Fatalf("%d reports after 3 s", n)
		}
		for range 100 {
			c.write(bad)
		}
		c.expectClose(CloseFlood)
		if d := e.room.detach(t, c.id); d.Code != CloseFlood {
			t.Fatalf("%+v", d)
		}
		if s := e.g.Stats(); s.Malformed != 199 {
			t.Fatalf("%+v", s)
		}
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{opts: Options{CallsPerSecond: 4, CallBurst: 3, PingInterval: -1, IdleTimeout: -1}})
		c := e.connect(wire.Msgpack)
		_ = c.nc.SetDeadline(time.Time{})
		call := func(want string, retry int64) {
			t.Helper()
			c.request("a-1", "echo", "{}")
			f := c.next()
			if f.Code != want || f.ID != "a-1" || f.RetryAfter != retry || want != "" && (f.RPC != "echo" || f.Error == "") {
				t.Fatalf("%+v, want code %q, retry after %d", f, want, retry)
			}
		}
		for range 3 {
			call("", 0)
		}
		call("rate_limited", 250)
		time.Sleep(100 * time.Millisecond)
		call("rate_limited", 150)
		time.Sleep(150 * time.Millisecond)
		call("", 0)
		call("rate_limited", 250)
		time.Sleep(time.Hour)
		for range 3 {
			call("", 0)
		}
		call("rate_limited", 250)
		if s := e.g.Stats(); s.CallsLimited != 4 {
			t.Fatalf("%+v", s)
		}
		for i := range 10 * 3 {
			c.request("f-1", "echo", "{}")
			if i < 10*3-1 {
				if f := c.next(); f.Code != "rate_limited" {
					t.Fatalf("%d: %+v", i, f)
				}
			}
		}
		c.expectClose(CloseFlood)
	})
}

// silent takes calls and answers none until it is told to.
type silent struct {
	mu    sync.Mutex
	calls []*actors.Call
}

func (s *silent) on(_ *room, msg any) {
	if c, ok := msg.(*actors.Call); ok {
		s.mu.Lock()
		s.calls = append(s.calls, c)
		s.mu.Unlock()
	}
}

func (s *silent) release(r *room, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls[:n] {
		echo(r, c)
	}
	s.calls = s.calls[n:]
}

func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s silent
		e := start(t, pipe, setup{opts: Options{MaxInFlight: 5}, on: s.on})
		c := e.connect(wire.JSON)
		for i := range 8 {
			c.request(fmt.Sprintf("a-%d", i+1), "echo", "{}")
		}
		synctest.Wait()
		s.release(e.room, 8)
		for i := range 8 {
			f := c.next()
			want := ""
			if i >= 5 {
				want = "resource_exhausted"
			}
			if f.ID != fmt.Sprintf("a-%d", i+1) || f.Code != want {
				t.Fatalf("%d: %+v", i, f)
			}
		}
		c.request("b-1", "echo", "{}")
		synctest.Wait()
		s.release(e.room, 1)
		if f := c.next(); f.ID != "b-1" || f.HasCode {
			t.Fatalf("%+v", f)
		}
		_ = c.nc.Close()
	})
}

// A room that answers nothing does not make calls pile up without end.
func TestUnansweredIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s silent
		e := start(t, pipe, setup{opts: Options{MaxInFlight: 5, CallBurst: 2, CallsPerSecond: 1e9}, on: s.on})
		c := e.connect(wire.JSON)
		go func() {
			for {
				if _, err := c.nc.Write(c.requestFrame("a-1", "echo", "{}")); err != nil {
					return
				}
			}
		}()
		c.expectClose(CloseFlood)
		e.room.detach(t, c.id)
		if n := len(s.calls); n > 5+10*2+1 {
			t.Fatalf("%d calls", n)
		}
	})
}

func TestAnswersOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s silent
		e := start(t, pipe, setup{on: s.on})
		c := e.connect(wire.JSON)
		c.request("a-1", "echo", "{}")
		c.request("a-2", "echo", "{}")
		synctest.Wait()
		echo(e.room, s.calls[0])
		echo(e.room, s.calls[0])
		echo(e.room, s.calls[1])
		if a, b := c.next(), c.next(); a.ID != "a-1" || b.ID != "a-2" {
			t.Fatal(a, b)
		}
		if logs := e.logs.String(); strings.Count(logs, "out of order") != 1 {
			t.Fatal(logs)
		}
		_ = c.nc.Close()
	})
}

// A room that is gone closes the connection of the next call with a code that says: reconnect.
func TestRoomIsGone(t *testing.T) {
	for _, kind := range transports {
		on(t, kind.name, kind, func(t *testing.T) {
			e := start(t, kind, setup{})
			c := e.connect(wire.JSON)
			e.room.attach(t, c.id)
			e.sys.Stop(e.room.pid)
			for e.sys.Count() > 0 {
				runtime.Gosched()
			}
			c.request("a-1", "echo", "{}")
			c.expectClose(CloseUnavailable)
			e.end(c)
		})
	}
}

// Quiet clients are pinged, those that answer live for ever, and the room hears nothing of it.
func TestKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := e.connect(wire.JSON)
		_ = c.nc.SetDeadline(time.Time{})
		began, last := time.Now(), time.Now()
		for time.Since(began) < time.Hour {
			first, payload, err := c.read()
			if err != nil || first != pingFrame || len(payload) > 0 {
				t.Fatalf("%#x %q %v", first, payload, err)
			}
			if silent := time.Since(last); silent < defaultPingInterval || silent > defaultPingInterval+4*time.Second {
				t.Fatalf("pinged after %v", silent)
			}
			c.write(frame(pongFrame, payload))
			last = time.Now()
		}
		e.room.mu.Lock()
		n := len(e.room.events)
		e.room.mu.Unlock()
		if n != 1 {
			t.Fatalf("the room got %d messages", n)
		}
		_ = c.nc.Close()
	})
}

// A client whose other end has vanished is closed as idle. One that is busy is never pinged.
func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := e.connect(wire.JSON)
		_ = c.nc.SetDeadline(time.Time{})
		for range 20 {
			time.Sleep(20 * time.Second)
			c.request("a-1", "echo", "{}")
			c.next()
		}
		began := time.Now()
		pings := 0
		for {
			first, payload, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			if first == pingFrame {
				pings++
				continue
			}
			if first != closeFrame || binary.BigEndian.Uint16(payload) != CloseIdle {
				t.Fatalf("%#x %q", first, payload)
			}
			break
		}
		if silent := time.Since(began); pings != 2 || silent < defaultIdleTimeout || silent > defaultIdleTimeout+4*time.Second {
			t.Fatalf("%d pings, closed after %v", pings, silent)
		}
		if d := e.room.detach(t, c.id); d.Code != CloseIdle {
			t.Fatalf("%+v", d)
		}
		if end := e.end(c); end.Code != CloseIdle {
			t.Fatalf("%+v", end)
		}
	})
}

// The sweeper runs only while there are connections.
func TestSweeperEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		running := func() bool { e.g.mu.Lock(); defer e.g.mu.Unlock(); return e.g.sweeping }
		for range 3 {
			c := e.connect(wire.JSON)
			e.room.attach(t, c.id)
			if !running() {
				t.Fatal("no sweeper")
			}
			_ = c.nc.Close()
			e.end(c)
			time.Sleep(10 * time.Second)
			if running() {
				t.Fatal("a sweeper of nothing")
			}
		}
	})
}

// Too many connections from one address are refused over the wire, and places come back when connections end.
func TestConnectionLimits(t *testing.T) {
	e := start(t, transports[0], setup{opts: Options{MaxConnectionsPerAddr: 3}})
	var cs []*client
	for range 3 {
		cs = append(cs, e.connect(wire.JSON))
	}
	if c := e.handshake(wire.JSON); c.res.StatusCode != 429 {
		t.Fatal(c.res.Status)
	}
	_ = cs[0].nc.Close()
	e.end(cs[0])
	e.connect(wire.JSON)
	for _, h := range [][]string{{"Origin", "https://evil.example"}} {
		if c := e.handshake(wire.JSON, h...); c.res.StatusCode != 403 {
			t.Fatal(c.res.Status)
		}
	}
}

// A session id in use is refused before anything is upgraded.
func TestDuplicateSession(t *testing.T) {
	e := start(t, transports[0], setup{})
	c := e.connect(wire.JSON)
	e.ids.Add(-1)
	if d := e.handshake(wire.JSON); d.res.StatusCode != 500 {
		t.Fatal(d.res.Status)
	}
	c.request("a-1", "echo", "{}")
	if f := c.next(); f.ID != "a-1" {
		t.Fatal(f)
	}
	if s := e.g.Stats(); s.Reserved != 1 {
		t.Fatalf("%+v", s)
	}
}
