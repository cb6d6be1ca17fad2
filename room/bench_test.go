package room

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

type benchBody struct {
	TS   int64  `json:"ts" jsonschema:"minimum=0"`
	N    int    `json:"n" jsonschema:"minimum=0,maximum=1000"`
	OK   bool   `json:"ok"`
	Tag  string `json:"tag" jsonschema:"minLength=1,maxLength=16"`
	Text string `json:"text" jsonschema:"maxLength=4096"`
}

// sink is a connection in memory: it counts what it is sent.
type sink struct {
	b        *testing.B
	pushes   int
	answers  int
	answered chan struct{} // told of every answer, if not nil
}

func (c *sink) Deliver(msg any) {
	switch m := msg.(type) {
	case *actors.Push:
		c.pushes++
	case *actors.Answer:
		c.answers++
		if bytes.Contains(m.Frame, []byte("serverError")) {
			c.b.Errorf("answered %s", m.Frame)
		}
		if c.answered != nil {
			c.answered <- struct{}{}
		}
	case *actors.Close:
		if m.Code != conn.CloseGoingAway {
			c.b.Errorf("closed with %d %s", m.Code, m.Reason)
		}
	}
}

// benchRoom is a room with sessions whose connections are in memory.
type benchRoom struct {
	b      *testing.B
	server *Server
	sinks  []*sink
	pids   []*actors.PID
}

var benchID = ID{"bench", "1"}

// newBenchRoom makes a room with members, who speak the formats by turns.
func newBenchRoom(b *testing.B, members int, formats ...wire.Format) *benchRoom {
	type turn = Turn[int, struct{}]
	c := contract.New("bench")
	echo := contract.NewCall[benchBody, benchBody](c, "echo")
	publish := contract.NewOneWay[benchBody](c, "publish")
	message := contract.NewPush[benchBody](c, "message")
	def := &Definition[int, struct{}]{Contract: c}
	Handle(def, echo, func(_ context.Context, _ *turn, in benchBody) (benchBody, error) { return in, nil })
	HandleOneWay(def, publish, func(_ context.Context, t *turn, in benchBody) error {
		Broadcast(t, message, in)
		return nil
	})
	s, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)}, def)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	})
	r := &benchRoom{b: b, server: s}
	for i := range members {
		sink := &sink{b: b}
		pid, err := s.system.Register(fmt.Sprintf("conn/%d", i), sink)
		if err != nil {
			b.Fatal(err)
		}
		r.sinks, r.pids = append(r.sinks, sink), append(r.pids, pid)
		s.system.Send(r.acquire(), &actors.Attach{
			From: pid, Session: strconv.Itoa(i), Format: formats[i%len(formats)], Data: entrant{data: struct{}{}, create: true},
		})
	}
	return r
}

// acquire gives the room's PID, with one message counted as on its way.
func (r *benchRoom) acquire() *actors.PID {
	e, err := r.server.acquire(benchID, true)
	if err != nil {
		r.b.Fatal(err)
	}
	return e.pid
}

// within runs f in the room's mailbox, behind what was sent to it before.
func (r *benchRoom) within(f func(*room)) {
	done := make(chan struct{})
	r.server.system.Send(r.acquire(), &visit{run: func(room *room) {
		defer close(done)
		f(room)
	}})
	<-done
}

// call makes a request of the first member, with a body of size bytes as JSON.
func (r *benchRoom) call(f wire.Format, rpc string, size int) *actors.Call {
	body := fmt.Sprintf(`{"ts":1700000000000,"n":7,"ok":true,"tag":"mark","text":"%s"}`, strings.Repeat("x", size-59))
	packed, err := wire.Transcode(nil, f, wire.JSON, []byte(body))
	if err != nil || len(body) != size {
		r.b.Fatalf("a body of %d bytes, want %d; %v", len(body), size, err)
	}
	return &actors.Call{From: r.pids[0], Session: "0", Number: 1, Format: f, ID: "call-1", RPC: rpc, Body: packed}
}

// BenchmarkTurn is one call within its room: body decoded and validated, handler, output validated and encoded, answer
// released to a connection in memory.
func BenchmarkTurn(b *testing.B) {
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		for _, size := range []int{64, 1024} {
			b.Run(fmt.Sprintf("%s/%d", f, size), func(b *testing.B) {
				r := newBenchRoom(b, 1, f)
				call := r.call(f, "echo", size)
				n := 0
				r.within(func(room *room) {
					b.ReportAllocs()
					for b.Loop() {
						room.Receive(call)
						n++
					}
				})
				if r.sinks[0].answers != n {
					b.Fatalf("%d answers to %d calls", r.sinks[0].answers, n)
				}
			})
		}
	}
}

// BenchmarkMailbox is the same call sent to the room from outside and waited for.
func BenchmarkMailbox(b *testing.B) {
	r := newBenchRoom(b, 1, wire.JSON)
	pid, call := r.acquire(), r.call(wire.JSON, "echo", 64)
	r.sinks[0].answered = make(chan struct{}, 1)
	b.ReportAllocs()
	for b.Loop() {
		r.server.system.Send(pid, call)
		<-r.sinks[0].answered
	}
	b.StopTimer()
	r.server.system.Send(pid, &visit{run: func(*room) {}}) // the message that acquire has announced
}

// BenchmarkBroadcast is one turn that sends a push to all members, each of them a connection in memory; one operation is
// one push to all.
func BenchmarkBroadcast(b *testing.B) {
	for _, mixed := range []bool{false, true} {
		for _, members := range []int{10, 1000} {
			name, formats := "json", []wire.Format{wire.JSON}
			if mixed {
				name, formats = "mixed", []wire.Format{wire.JSON, wire.Msgpack}
			}
			b.Run(fmt.Sprintf("%s/%d", name, members), func(b *testing.B) {
				r := newBenchRoom(b, members, formats...)
				call := r.call(wire.JSON, "publish", 64)
				n := 0
				r.within(func(room *room) {
					b.ReportAllocs()
					for b.Loop() {
						room.Receive(call)
						n++
					}
				})
				for i, s := range r.sinks {
					if s.pushes != n {
						b.Fatalf("member %d got %d of %d pushes", i, s.pushes, n)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(members), "ns/delivery")
			})
		}
	}
}
