package conn

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// counted counts the writes to a connection.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) { c.writes.Add(1); return c.Conn.Write(p) }

// Everything that waits while a write is in progress goes out in one; a lone message goes at once.
func TestCoalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes atomic.Int64
		e := start(t, pipe, setup{wrap: func(c net.Conn) net.Conn { return counted{c, &writes} }})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		writes.Store(0)
		const n = 1000
		for i := range n {
			e.push(pid, actors.Must, "", fmt.Sprint(i))
			if i == 0 {
				synctest.Wait() // the first is on its way, alone
			}
		}
		synctest.Wait()
		if w := writes.Load(); w != 1 {
			t.Fatalf("%d writes while nobody reads", w)
		}
		bytes := e.g.Stats().QueuedBytes
		for i := range n {
			if got := text(t, wire.JSON, c.next()); got != fmt.Sprint(i) {
				t.Fatalf("push %s, want %d", got, i)
			}
		}
		synctest.Wait()
		if w := writes.Load(); w > 2+int64(bytes/chunkBytes) {
			t.Fatalf("%d writes for %d bytes", w, bytes)
		}
		if q := e.g.Stats().QueuedBytes; q != 0 {
			t.Fatalf("%d bytes left", q)
		}
	})
}

// A stalled consumer keeps the newest value of each key, loses the oldest droppable pushes, and everything that must come.
func TestPolicies(t *testing.T) {
	for _, kind := range []transportKind{pipe, transports[4]} {
		on(t, kind.name, kind, func(t *testing.T) {
			one := frameSize(len(newPush(actors.Must, "", "00000").Frames[wire.Msgpack]))
			e := start(t, kind, setup{opts: Options{OutboxBytes: 25 * one}})
			c := e.connect(wire.Msgpack)
			pid := e.room.attach(t, c.id).From
			e.push(pid, actors.Must, "", "first")
			synctest.Wait() // it is being written; what follows waits
			for i := range 10 {
				e.push(pid, actors.Must, "", fmt.Sprintf("m%04d", i))
			}
			for i := range 300 {
				e.push(pid, actors.DropOldest, "", fmt.Sprintf("d%04d", i))
				e.push(pid, actors.Latest, fmt.Sprint("k", i%3), fmt.Sprintf("l%04d", i))
			}
			e.push(pid, actors.Must, "", "m0010")
			want := []string{"first"}
			for i := range 10 {
				want = append(want, fmt.Sprintf("m%04d", i))
			}
			// 25 places, of which 1 + 11 are taken by what must come and 3 by the keys.
			for i := 290; i < 300; i++ {
				want = append(want, fmt.Sprintf("d%04d", i))
				if i >= 297 {
					want = append(want, fmt.Sprintf("l%04d", i))
				}
			}
			want = append(want, "m0010")
			for i, w := range want {
				if got := text(t, wire.Msgpack, c.next()); got != w {
					t.Fatalf("push %d is %s, want %s", i, got, w)
				}
			}
			synctest.Wait() // the last write's bytes are let go once it has returned
			if s := e.g.Stats(); s.PushesDropped != 290 || s.QueuedBytes != 0 {
				t.Fatalf("%+v", s)
			}
		})
	}
}

// What a stalled reader may lose is not kept: its memory is bounded by its outbox.
func TestStalledReaderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{opts: Options{WriteTimeout: time.Hour}})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for i := range 1000 { // 120 MB in all
			e.sys.Send(pid, &actors.Push{Policy: actors.DropOldest, Frames: [2][]byte{make([]byte, 60<<10)}})
			e.sys.Send(pid, &actors.Push{Policy: actors.Latest, Key: fmt.Sprint(i % 4), Frames: [2][]byte{make([]byte, 60<<10)}})
		}
		if after := heap(); after > before+8<<20 {
			t.Fatalf("the heap grew by %d bytes", after-before)
		}
		if s := e.g.Stats(); s.QueuedBytes > defaultOutboxBytes {
			t.Fatalf("%+v", s)
		}
		runtime.KeepAlive(c)
	})
}

// Pongs, pings and closes never land inside another frame, and of pongs only the last one waits.
func TestControlFramesUnderLoad(t *testing.T) {
	for _, kind := range transports {
		t.Run(kind.name, func(t *testing.T) {
			e := start(t, kind, setup{opts: Options{CallsPerSecond: -1, MaxInFlight: -1, OutboxBytes: 64 << 20}})
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			const n, pings = 2000, 2000
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := range n {
					e.push(pid, actors.Must, "", fmt.Sprint(i, " ", strings.Repeat("payload ", i%500)))
				}
			})
			wg.Go(func() {
				for i := range pings {
					_, _ = c.nc.Write(frame(pingFrame, fmt.Append(nil, i)))
				}
			})
			wg.Go(func() {
				e.g.each(func(c *connection) {
					for range 100 {
						c.ping()
						runtime.Gosched()
					}
				})
			})
			pushes, lastPong := 0, -1
			for pushes < n || lastPong < pings-1 {
				first, payload, err := c.read()
				if err != nil {
					t.Fatalf("after %d pushes, pong %d: %v", pushes, lastPong, err)
				}
				switch first {
				case textFrame:
					f, err := wire.Decode(wire.JSON, payload)
					if err != nil {
						t.Fatal(err)
					}
					if got := text(t, wire.JSON, f); !strings.HasPrefix(got, fmt.Sprint(pushes, " ")) {
						t.Fatalf("push %d is %.20q", pushes, got)
					}
					pushes++
				case pongFrame:
					var i int
					if _, err := fmt.Sscan(string(payload), &i); err != nil || i <= lastPong {
						t.Fatalf("pong %q after %d", payload, lastPong)
					}
					lastPong = i
				case pingFrame:
				default:
					t.Fatalf("frame %#x", first)
				}
			}
			wg.Wait()
			// A close in the middle of a load: whole frames, then the close frame, then nothing.
			stop := make(chan struct{})
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						e.push(pid, actors.DropOldest, "", strings.Repeat("payload ", i%500))
						runtime.Gosched()
					}
				}
			})
			for range 50 {
				if _, _, err := c.read(); err != nil {
					t.Fatal(err)
				}
			}
			e.sys.Send(pid, &actors.Close{Code: CloseRoomClosed})
			c.expectClose(CloseRoomClosed)
			close(stop)
			wg.Wait()
		})
	}
}

// Large messages go out whole, on both sides of every size of header.
func TestSizes(t *testing.T) {
	for _, kind := range transports {
		for _, format := range []wire.Format{wire.JSON, wire.Msgpack} {
			on(t, kind.name+"/"+format.String(), kind, func(t *testing.T) {
				e := start(t, kind, setup{opts: Options{MaxMessageBytes: 4 << 20}})
				c := e.connect(format)
				for _, n := range []int{0, 1, 60, 61, 62, 100, 125, 126, 127, 400, 512, 4095, 4096, 32 << 10, 65400, 65450, 65535, 65536, 200_000, 3 << 20} {
					body := `{"s":"` + strings.Repeat("x", n) + `"}`
					go func() { _, _ = c.nc.Write(c.requestFrame("a-1", "echo", body)) }()
					f := c.next()
					v, err := wire.Parse(format, f.Body)
					if err != nil {
						t.Fatal(err)
					}
					if got := len(v.(map[string]any)["s"].(string)); got != n {
						t.Fatalf("%d bytes came back as %d", n, got)
					}
				}
			})
		}
	}
}

// One stalled reader among many: the others get everything.
func TestStalledReaderHarmsNobody(t *testing.T) {
	for _, kind := range transports {
		on(t, kind.name, kind, func(t *testing.T) {
			e := start(t, kind, setup{opts: Options{OutboxBytes: 64 << 10, WriteTimeout: patience, PingInterval: -1, IdleTimeout: -1}})
			const members, pushes = 20, 200
			var pids []*actors.PID
			stalled := e.connect(wire.JSON)
			pids = append(pids, e.room.attach(t, stalled.id).From)
			var wg sync.WaitGroup
			var slots = make(chan struct{}, 8) // the room stays 8 pushes ahead of the slowest of the others
			failed := make(chan struct{}, members)
			var reads [pushes]atomic.Int64
			for range members {
				c := e.connect(wire.JSON)
				pids = append(pids, e.room.attach(t, c.id).From)
				wg.Go(func() {
					for i := range pushes {
						_, payload, err := c.read()
						if err != nil || !strings.Contains(string(payload), fmt.Sprintf(`"%05d `, i)) {
							t.Errorf("push %d: %v, %.100q", i, err, payload)
							failed <- struct{}{}
							return
						}
						if reads[i].Add(1) == members {
							<-slots
						}
					}
				})
			}
			noise := strings.Repeat("0123456789", 400)
			for i := range pushes {
				select {
				case slots <- struct{}{}:
				case <-failed:
					return
				}
				p := newPush(actors.Must, "", fmt.Sprintf("%05d %d %s", i, i*i*7919, noise))
				for _, pid := range pids {
					e.sys.Send(pid, p)
				}
			}
			wg.Wait()
			if kind.deflate || !kind.pipe { // the kernel, or compression, may have taken all
				return
			}
			if d := e.room.detach(t, stalled.id); d.Code != CloseSlowConsumer {
				t.Fatalf("%+v", d)
			}
		})
	}
}

// Input that came with the handshake is not lost.
func TestEarlyInput(t *testing.T) {
	for _, kind := range transports[:2] {
		e := start(t, kind, setup{})
		c := &client{t: t, nc: e.dial(), id: "early"}
		t.Cleanup(func() { _ = c.nc.Close() })
		_ = c.nc.SetDeadline(time.Now().Add(patience))
		req := "GET /?id=early HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		c.write(append([]byte(req), append(c.requestFrame("a-1", "echo", "{}"), c.requestFrame("a-2", "echo", "{}")...)...))
		c.br = bufio.NewReader(c.nc)
		skipResponse(t, c)
		for _, id := range []string{"a-1", "a-2"} {
			if f := c.next(); f.ID != id {
				t.Fatalf("%s: %+v", kind.name, f)
			}
		}
	}
}

func skipResponse(t *testing.T, c *client) {
	t.Helper()
	for {
		line, err := c.br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "\r\n" {
			return
		}
	}
}

func TestFrameHeaders(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536, 1 << 20} {
		h := appendHeader(nil, textFrame, n)
		if len(h)+n != frameSize(n) {
			t.Errorf("%d: header of %d bytes", n, len(h))
		}
	}
	code, reason := parseCloseFrame(newCloseFrame(4403, "out"))
	if code != 4403 || reason != "out" {
		t.Error(code, reason)
	}
	if binary.BigEndian.Uint16(newCloseFrame(1000, "")[2:]) != 1000 || len(newCloseFrame(0, "x")) != 2 {
		t.Error("close frames")
	}
}
