package conn

import (
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

func BenchmarkOutbox(b *testing.B) {
	for _, policy := range []actors.Policy{actors.Must, actors.DropOldest, actors.Latest} {
		b.Run([]string{"must", "drop oldest", "latest"}[policy], func(b *testing.B) {
			o := outbox{limit: 1 << 20}
			it := item{frame: make([]byte, 100), push: &actors.Push{Policy: policy, Key: "key"}}
			var batch []item
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o.add(it)
				if i%4 == 3 {
					batch = o.take(batch[:0], chunkBytes)
					o.settle()
				}
			}
		})
	}
}

// BenchmarkCall is one call after the other over loopback TCP, the room a bare actor.
func BenchmarkCall(b *testing.B) {
	for _, n := range []int{64, 1024} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			e := start(b, transports[0], setup{opts: Options{CallsPerSecond: -1}, on: answerOnly})
			c := e.connect(wire.JSON)
			f := c.requestFrame("a-1", "echo", `{"text":"`+strings.Repeat("x", n)+`"}`)
			b.ReportAllocs()
			for b.Loop() {
				c.write(f)
				if _, _, err := c.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func answerOnly(r *room, msg any) {
	echo(r, msg)
	r.mu.Lock()
	r.events = r.events[:0]
	r.mu.Unlock()
}

// BenchmarkFanOut sends one push to 1,000 connections over loopback TCP; one operation is one push to all of them. deliver
// is what the room spends.
func BenchmarkFanOut(b *testing.B) {
	const members = 1000
	e := start(b, transports[0], setup{opts: Options{MaxConnectionsPerAddr: -1, OutboxBytes: 1 << 30, PingInterval: -1, IdleTimeout: -1}})
	var pids []*actors.PID
	var got atomic.Int64
	for range members {
		c := e.connect(wire.JSON)
		pids = append(pids, e.room.attach(b, c.id).From)
		go func(nc net.Conn) {
			buf := make([]byte, 64<<10)
			for {
				n, err := nc.Read(buf)
				got.Add(int64(n))
				if err != nil {
					return
				}
			}
		}(c.nc)
	}
	p := newPush(actors.Must, "", strings.Repeat("x", 64))
	size := int64(frameSize(len(p.Frames[0])))
	b.ReportAllocs()
	sent := int64(0)
	for b.Loop() {
		for _, pid := range pids {
			e.sys.Send(pid, p)
		}
		sent += members
	}
	for got.Load() < sent*size {
		runtime.Gosched()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent), "ns/delivery")
}

// BenchmarkReceive is what a reader does with one call per read, without the socket and the room.
func BenchmarkReceive(b *testing.B) {
	sys := actors.NewSystem(nil)
	to, err := sys.Register("room", releaser{})
	if err != nil {
		b.Fatal(err)
	}
	g, err := NewGateway(sys, &Options{CallsPerSecond: -1, MaxInFlight: -1})
	if err != nil {
		b.Fatal(err)
	}
	c := newConnection(g, netip.Addr{}, Session{ID: "s", To: to})
	f := (&client{t: b}).requestFrame("a-1", "echo", `{"text":"`+strings.Repeat("x", 64)+`"}`)
	in := &c.reader.input
	b.ReportAllocs()
	for b.Loop() {
		n := copy(in.space(), f)
		c.hear(n)
		in.n += n
		c.parse()
		in.rest()
	}
}

type releaser struct{}

func (releaser) Deliver(msg any) { msg.(*actors.Call).Release() }
