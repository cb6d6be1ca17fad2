package integration

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// What a call, a delivery and an idle connection may cost is counted here: unlike time, allocations and bytes are exact.
// Everything counts that the process allocates, through a real socket, the room and back.

type budgetBody struct {
	TS   int64  `json:"ts" jsonschema:"minimum=0"`
	N    int    `json:"n" jsonschema:"minimum=0,maximum=1000"`
	OK   bool   `json:"ok"`
	Tag  string `json:"tag" jsonschema:"minLength=1,maxLength=16"`
	Text string `json:"text" jsonschema:"maxLength=4096"`
}

var (
	thrift  = contract.New("thrift")
	repeat  = contract.NewCall[budgetBody, budgetBody](thrift, "echo")
	publish = contract.NewCall[budgetBody, contract.None](thrift, "publish")
	notice  = contract.NewPush[budgetBody](thrift, "notice")
)

func newThrift() *room.Definition[struct{}, contract.None] {
	def := &room.Definition[struct{}, contract.None]{Contract: thrift, MaxSessions: -1}
	type turn = room.Turn[struct{}, contract.None]
	room.Handle(def, repeat, func(_ context.Context, _ *turn, in budgetBody) (budgetBody, error) { return in, nil })
	room.Handle(def, publish, func(_ context.Context, t *turn, in budgetBody) (contract.None, error) {
		room.Broadcast(t, notice, in)
		return contract.None{}, nil
	})
	return def
}

// miser is a WebSocket client that allocates nothing once it is connected.
type miser struct {
	t   testing.TB
	nc  net.Conn
	in  [64 << 10]byte
	out []byte
}

func (s *server) miser(path string, f wire.Format) *miser {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.http.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	_, err = fmt.Fprintf(nc, "GET /ws/%s?wire=%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, f)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(nc, 129), 256), nil) // the 101 is that long, and nothing follows by itself
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("%v %+v", err, res)
	}
	return &miser{t: s.t, nc: nc}
}

// request has call make a request with a body of size bytes as JSON.
func (m *miser) request(f wire.Format, rpc string, size int) {
	m.t.Helper()
	body := budgetBody{TS: 1_700_000_000_000, N: 7, OK: true, Tag: "mark", Text: strings.Repeat("x", size-59)}
	packed, err := wire.Marshal(f, body)
	if err != nil {
		m.t.Fatal(err)
	}
	payload := wire.AppendRequest(nil, f, rpc+"-1", rpc, packed)
	first := byte(0x81)
	if f == wire.Msgpack {
		first = 0x82
	}
	// The mask is zero, so that the payload stands as it is.
	m.out = append(m.out, first, 0x80|126, byte(len(payload)>>8), byte(len(payload)), 0, 0, 0, 0)
	m.out = append(m.out, payload...)
}

// call writes the requests and reads until n messages have come.
func (m *miser) call(n int) {
	if _, err := m.nc.Write(m.out); err != nil {
		m.t.Fatal(err)
	}
	m.receive(n)
}

func (m *miser) receive(n int) {
	for have := 0; n > 0; {
		k, err := m.nc.Read(m.in[have:])
		if err != nil {
			m.t.Fatal(err)
		}
		have += k
		at := 0
		for ; n > 0 && have-at >= 4; n-- {
			size := 2 + int(m.in[at+1])
			if m.in[at+1] == 126 {
				size = 4 + int(m.in[at+2])<<8 + int(m.in[at+3])
			}
			if have-at < size {
				break
			}
			if bytes.Contains(m.in[at:at+size], []byte("serverError")) {
				m.t.Fatalf("%s", m.in[at:at+size])
			}
			at += size
		}
		have = copy(m.in[:], m.in[at:have])
	}
}

// allocations counts what the process allocates in one run of f, once warm, as the least of several averages: what the
// runtime does by itself now and then is not f's.
func allocations(f func()) float64 {
	least := math.Inf(1)
	for range 5 {
		least = min(least, testing.AllocsPerRun(200, f))
	}
	return least
}

func TestAllocationsOfACall(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates by itself")
	}
	// The two strings of the input, the handler's Turn and its context.
	const budget = 4
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		for _, size := range []int{64, 1024} {
			for _, depth := range []int{1, 16} {
				t.Run(fmt.Sprintf("%v/%d/depth %d", f, size, depth), func(t *testing.T) {
					s := serve(t, setup{opts: room.Options{Conn: conn.Options{CallsPerSecond: -1}}}, newThrift())
					m := s.miser("thrift/one", f)
					for range depth {
						m.request(f, "echo", size)
					}
					if n := allocations(func() { m.call(depth) }) / float64(depth); n > budget {
						t.Errorf("%.2f allocations a call, want at most %d", n, budget)
					}
				})
			}
		}
	}
}

func TestAllocationsOfADelivery(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates by itself")
	}
	const members = 200
	cost := make(map[int]float64)
	for _, n := range []int{1, members} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := serve(t, setup{opts: room.Options{Conn: conn.Options{CallsPerSecond: -1}}}, newThrift())
			all := make([]*miser, n)
			for i := range all {
				all[i] = s.miser("thrift/one", wire.JSON)
			}
			eventually(t, "all are in the room", func() bool { return sessions(s, "thrift", "one") == n })
			all[0].request(wire.JSON, "publish", 64)
			cost[n] = allocations(func() {
				all[0].call(2) // the push and the answer
				for _, m := range all[1:] {
					m.receive(1)
				}
			})
		})
	}
	if each := (cost[members] - cost[1]) / (members - 1); each > 0.02 {
		t.Errorf("%.3f allocations a delivery, want none (%.1f for 1 member, %.1f for %d)", each, cost[1], cost[members], members)
	}
	if cost[1] > 12 {
		t.Errorf("%.1f allocations for a call that broadcasts, want at most 12", cost[1])
	}
}

func TestBytesOfAnIdleConnection(t *testing.T) {
	if raced {
		t.Skip("the race detector needs memory of its own")
	}
	const (
		n      = 1000
		budget = 3 << 10 // of heap; a goroutine's stack of 2 or 4 KiB comes on top
	)
	s := serve(t, setup{}, newThrift())
	open := func(connect func(i int)) int64 {
		before := heap()
		for i := range n {
			connect(i)
		}
		return (heap() - before) / n
	}
	// What both ends of a bare connection take is not ours.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var ends sync.Map
	bare := open(func(i int) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ends.Store(i, [2]net.Conn{c, a})
	})
	ends.Range(func(_, v any) bool {
		pair := v.([2]net.Conn)
		return pair[0].Close() == nil && pair[1].Close() == nil
	})
	var idle []net.Conn
	whole := open(func(int) { idle = append(idle, s.miser("thrift/one", wire.JSON).nc) })
	eventually(t, "all are in the room", func() bool { return sessions(s, "thrift", "one") == n })
	t.Logf("%d bytes of heap for a connection and its session, beside %d for both ends of the socket", whole-bare, bare)
	if whole-bare > budget {
		t.Errorf("%d bytes of heap for an idle connection, want at most %d", whole-bare, budget)
	}
	runtime.KeepAlive(idle)
}
