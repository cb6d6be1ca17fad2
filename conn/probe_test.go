package conn

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// probe asks for a peer under a label, which comes back.
func (e *env) probe(to *actors.PID, label string, timeout time.Duration) {
	e.sys.Send(to, &actors.Probe{From: e.room.pid, Session: label, Timeout: timeout})
}

// probed waits for the answer to a probe.
func (r *room) probed(t testing.TB, label string) bool {
	t.Helper()
	return r.wait(t, func(m any) bool { p, ok := m.(*actors.Probed); return ok && p.Session == label }).(*actors.Probed).Alive
}

// answers are those that there were so far to a probe.
func (r *room) answers(label string) (list []bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.events {
		if p, ok := m.(*actors.Probed); ok && p.Session == label {
			list = append(list, p.Alive)
		}
	}
	return list
}

// position is where an event stands among those of the room, -1 if it has not come.
func (r *room) position(match func(any) bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.IndexFunc(r.events, match)
}

func isProbed(label string) func(any) bool {
	return func(m any) bool { p, ok := m.(*actors.Probed); return ok && p.Session == label }
}

// finish ends a connection and makes sure that each probe has had one answer.
func (e *env) finish(c *client, labels ...string) {
	e.t.Helper()
	_ = c.nc.Close()
	e.end(c)
	e.room.detach(e.t, c.id)
	e.once(labels...)
}

// once makes sure that each probe has had one answer.
func (e *env) once(labels ...string) {
	e.t.Helper()
	for _, label := range labels {
		e.room.probed(e.t, label)
		if got := e.room.answers(label); len(got) != 1 {
			e.t.Errorf("probe %q was answered %v", label, got)
		}
	}
}

func (c *client) expectPing() {
	c.t.Helper()
	if first, payload, err := c.read(); err != nil || first != pingFrame {
		c.t.Fatalf("%#x %q %v, want a ping", first, payload, err)
	}
}

func TestProbeOfOneWhoAnswers(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		e := start(t, kind, setup{})
		c := e.connect(format)
		pid := e.room.attach(t, c.id).From
		for i := range 3 {
			label := fmt.Sprint("probe ", i)
			e.probe(pid, label, patience)
			c.expectPing()
			if got := e.room.answers(label); got != nil {
				t.Fatalf("answered %v before the pong", got)
			}
			c.write(frame(pongFrame, nil))
			if !e.room.probed(t, label) {
				t.Fatalf("probe %d: not alive", i)
			}
		}
		e.finish(c, "probe 0", "probe 1", "probe 2")
	})
}

// Of one who sends nothing the answer comes when the time is up, whether it reads the ping or not, and what it had sent
// before is no proof. A pong that comes later does no harm.
func TestProbeOfOneWhoIsSilent(t *testing.T) {
	for _, kind := range []transportKind{transports[2], transports[4]} {
		on(t, kind.name, kind, func(t *testing.T) {
			e := start(t, kind, setup{})
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			c.request("a-1", "echo", "{}")
			c.next()

			began := time.Now()
			e.probe(pid, "reads", 3*time.Second)
			c.expectPing()
			if e.room.probed(t, "reads") || time.Since(began) != 3*time.Second {
				t.Fatalf("%v after %v", e.room.answers("reads"), time.Since(began))
			}
			c.write(frame(pongFrame, nil))

			began = time.Now()
			e.probe(pid, "reads nothing", time.Second)
			if e.room.probed(t, "reads nothing") || time.Since(began) != time.Second {
				t.Fatalf("%v after %v", e.room.answers("reads nothing"), time.Since(began))
			}
			e.probe(pid, "no time", 0)
			e.probe(pid, "less than none", -time.Second)
			if e.room.probed(t, "no time") || e.room.probed(t, "less than none") {
				t.Fatal("alive in no time")
			}
			c.expectPing()
			c.request("a-2", "echo", "{}") // it goes on
			for first := byte(pingFrame); first == pingFrame; {
				var err error
				if first, _, err = c.read(); err != nil {
					t.Fatal(err)
				}
			}
			e.finish(c, "reads", "reads nothing", "no time", "less than none")
		})
	}
}

// The same over sockets.
func TestProbeOfOneWhoIsSilentOverSockets(t *testing.T) {
	for _, kind := range []transportKind{transports[0], transports[1], transports[3]} {
		t.Run(kind.name, func(t *testing.T) {
			e := start(t, kind, setup{})
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			c.request("a-1", "echo", "{}")
			c.next()
			e.probe(pid, "silent", time.Millisecond)
			if e.room.probed(t, "silent") {
				t.Fatal("alive without a sign")
			}
			c.expectPing()
			e.finish(c, "silent")
		})
	}
}

// One that answers no pings and sends messages is there. They are at the room before the answer.
func TestProbeOfOneWhoOnlySends(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		e := start(t, kind, setup{})
		c := e.connect(format)
		pid := e.room.attach(t, c.id).From
		e.probe(pid, "sends", patience)
		c.request("a-1", "echo", "{}")
		if !e.room.probed(t, "sends") {
			t.Fatal("not alive")
		}
		call := e.room.position(func(m any) bool { _, ok := m.(*actors.Call); return ok })
		if answer := e.room.position(isProbed("sends")); call < 0 || call > answer {
			t.Fatalf("the call is message %d of the room, the answer %d", call, answer)
		}
		e.finish(c, "sends")
	})
}

// A connection that ends is not alive, at once, even when there was input with the end.
func TestProbeOfOneThatEnds(t *testing.T) {
	for name, end := range map[string]func(e *env, c *client, pid *actors.PID){
		"the room closes":   func(e *env, _ *client, pid *actors.PID) { e.sys.Send(pid, &actors.Close{Code: CloseNormal}) },
		"the peer closes":   func(_ *env, c *client, _ *actors.PID) { c.write(frame(closeFrame, nil)) },
		"the stream breaks": func(_ *env, c *client, _ *actors.PID) { _ = c.nc.Close() },
		"the peer closes after a message": func(_ *env, c *client, _ *actors.PID) {
			c.write(append(c.requestFrame("a-1", "echo", "{}"), frame(closeFrame, nil)...))
		},
		"the peer is at fault": func(_ *env, c *client, _ *actors.PID) { c.write(frame(0x83, nil)) },
	} {
		for _, kind := range transports {
			on(t, name+"/"+kind.name, kind, func(t *testing.T) {
				e := start(t, kind, setup{})
				c := e.connect(wire.JSON)
				pid := e.room.attach(t, c.id).From
				e.probe(pid, "during", patience)
				c.expectPing()
				began := time.Now()
				end(e, c, pid)
				if e.room.probed(t, "during") || kind.pipe && time.Since(began) != 0 {
					t.Fatalf("%v after %v", e.room.answers("during"), time.Since(began))
				}
				e.room.detach(t, c.id)
				detach := e.room.position(func(m any) bool { _, ok := m.(*actors.Detach); return ok })
				if answer := e.room.position(isProbed("during")); answer > detach {
					t.Fatalf("the answer is message %d of the room, the Detach %d", answer, detach)
				}
				e.probe(pid, "after the Detach", patience)
				if e.room.probed(t, "after the Detach") {
					t.Fatal("alive after the Detach")
				}
				e.finish(c, "during", "after the Detach")
			})
		}
	}
}

// A connection that is gone is not alive, whether the room keeps its PID or has only its name.
func TestProbeOfOneThatIsGone(t *testing.T) {
	for _, kind := range transports {
		on(t, kind.name, kind, func(t *testing.T) {
			e := start(t, kind, setup{})
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			e.push(pid, actors.Must, "", "hello")
			c.next()
			_ = c.nc.Close()
			e.end(c)
			e.probe(pid, "kept", patience)
			e.probe(&actors.PID{Address: pid.Address, Id: pid.Id}, "by name", patience)
			if e.room.probed(t, "kept") || e.room.probed(t, "by name") {
				t.Fatal("a connection that is gone is alive")
			}
			e.once("kept", "by name")
		})
	}
}

// Each of several probes has its own answer; so many at once are not waited for.
func TestManyProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		var labels []string
		ask := func(label string, timeout time.Duration) {
			labels = append(labels, label)
			e.probe(pid, label, timeout)
		}
		for i := range maxProbes {
			ask(fmt.Sprint("first ", i), time.Duration(1+i%4)*time.Second)
		}
		for i := range 10 {
			ask(fmt.Sprint("too many ", i), time.Hour)
		}
		synctest.Wait()
		for i := range 10 {
			if got := fmt.Sprint(e.room.answers(fmt.Sprint("too many ", i))); got != "[true]" {
				t.Fatalf("one too many is answered %s", got)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for i := range maxProbes {
			want := "[]"
			if i%4 < 2 {
				want = "[false]"
			}
			if got := fmt.Sprint(e.room.answers(fmt.Sprint("first ", i))); got != want {
				t.Fatalf("after 2 s probe %d is answered %s, want %s", i, got, want)
			}
		}
		for i := range maxProbes / 2 {
			ask(fmt.Sprint("second ", i), time.Hour)
		}
		synctest.Wait()
		if got := e.room.answers("second 7"); got != nil {
			t.Fatalf("places are free, and yet it is answered %v", got)
		}
		c.expectPing()
		go func() { // the ping that was for all that came while the first waited to be read
			_, _, _ = c.read()
		}()
		c.write(frame(pongFrame, nil))
		synctest.Wait()
		for i := range maxProbes / 2 {
			first, second := e.room.answers(fmt.Sprint("first ", 4*(i/2)+2+i%2)), e.room.answers(fmt.Sprint("second ", i))
			if fmt.Sprint(first, second) != "[true] [true]" {
				t.Fatalf("after the pong: %v %v", first, second)
			}
		}
		time.Sleep(2 * time.Hour)
		e.finish(c, labels...)
	})
}

// A probe neither lengthens nor shortens the patience with a silent peer.
func TestProbeAndKeepalive(t *testing.T) {
	lasts := func(t *testing.T, probe bool) (d time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			e := start(t, pipe, setup{})
			c := e.connect(wire.JSON)
			_ = c.nc.SetDeadline(time.Time{})
			pid := e.room.attach(t, c.id).From
			began := time.Now()
			go func() { // reads and says nothing
				for err := error(nil); err == nil; {
					_, _, err = c.read()
				}
			}()
			time.Sleep(11 * time.Second)
			c.request("a-1", "echo", "{}")
			synctest.Wait()
			if probe {
				for i := range 8 {
					e.probe(pid, fmt.Sprint(i), 10*time.Second)
				}
			}
			e.room.detach(t, c.id)
			d = time.Since(began)
			_ = c.nc.Close()
		})
		return d
	}
	if with, without := lasts(t, true), lasts(t, false); with != without || with < defaultIdleTimeout+10*time.Second {
		t.Fatalf("closed after %v with probes, after %v without", with, without)
	}
}

// The sweeper, which looks for input too, takes no probe away from the reader.
func TestProbeAndSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		for i := range 3 {
			c.request("a-1", "echo", "{}") // which the sweeper has not seen when the probe comes
			c.next()
			label := fmt.Sprint("probe ", i)
			e.probe(pid, label, 15*time.Second)
			c.expectPing()
			time.Sleep(10 * time.Second)
			c.write(frame(pongFrame, nil))
			if !e.room.probed(t, label) {
				t.Fatalf("probe %d: not alive", i)
			}
		}
		e.finish(c, "probe 0", "probe 1", "probe 2")
	})
}

// Every probe is answered once while connections work and end.
func TestProbesUnderLoad(t *testing.T) {
	for _, kind := range []transportKind{transports[0], transports[3]} {
		t.Run(kind.name, func(t *testing.T) {
			const clients, probes = 8, 100
			e := start(t, kind, setup{opts: Options{CallsPerSecond: -1}})
			var all sync.WaitGroup
			for i := range clients {
				c := e.connect(wire.JSON)
				pid := e.room.attach(t, c.id).From
				half := make(chan struct{})
				all.Go(func() { // works, and ends halfway through the probes
					for ended := false; !ended; {
						select {
						case <-half:
							ended = true
						default:
						}
						if _, err := c.nc.Write(c.requestFrame("a-1", "echo", "{}")); err != nil {
							t.Errorf("client: %v", err)
							return
						}
						for first := byte(pingFrame); first == pingFrame; {
							var err error
							if first, _, err = c.read(); err != nil {
								t.Errorf("client: %v", err)
								return
							}
						}
					}
					_ = c.nc.Close()
				})
				for k := range 2 {
					all.Go(func() {
						for n := range probes {
							if k == 0 && n == probes/2 {
								close(half)
							}
							e.probe(pid, fmt.Sprint(i, k, n), time.Duration(rand.IntN(1000))*time.Microsecond)
							if n%4 == 0 {
								runtime.Gosched()
							}
						}
					})
				}
			}
			all.Wait()
			for i := range clients {
				for k := range 2 {
					for n := range probes {
						e.room.probed(t, fmt.Sprint(i, k, n))
					}
				}
			}
			e.stop() // no timer is left
			for i := range clients {
				for k := range 2 {
					for n := range probes {
						if got := e.room.answers(fmt.Sprint(i, k, n)); len(got) != 1 {
							t.Fatalf("probe %d of client %d was answered %v", n, i, got)
						}
					}
				}
			}
		})
	}
}

// What nobody can be told, or sent to, is logged.
func TestMessagesWithoutAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		e.sys.Send(pid, &actors.Probe{Session: c.id})
		e.sys.Send(pid, &actors.Move{Session: c.id})
		c.request("a-1", "echo", "{}")
		if f := c.next(); f.ID != "a-1" {
			t.Fatalf("%+v", f)
		}
		for _, want := range []string{"whom to answer", "no address"} {
			if logs := e.logs.String(); !strings.Contains(logs, want) {
				t.Fatalf("%q is not in %s", want, logs)
			}
		}
		_ = c.nc.Close()
	})
}
