package conn

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// What was queued before a close goes out before it.
func TestRoomCloses(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		e := start(t, kind, setup{on: func(r *room, msg any) {
			if a, ok := msg.(*actors.Attach); ok {
				for i := range 200 {
					r.sys.Send(a.From, newPush(actors.Must, "", fmt.Sprint(i, strings.Repeat(" padding", i))))
				}
				r.sys.Send(a.From, &actors.Close{Code: CloseKicked, Reason: "forbidden: " + strings.Repeat("é", 200)})
				r.sys.Send(a.From, &actors.Close{Code: CloseNormal, Reason: "second"})
				r.sys.Send(a.From, newPush(actors.Must, "", "too late"))
			}
		}})
		c := e.connect(format)
		code, reason, before := c.closing()
		if code != CloseKicked || before != 200 || reason != "forbidden: "+strings.Repeat("é", 56) {
			t.Fatalf("%d %q after %d pushes", code, reason, before)
		}
		if d := e.room.detach(t, c.id); d.Code != CloseKicked || d.Reason != reason {
			t.Fatalf("%+v", d)
		}
		if end := e.end(c); end.ByPeer || end.Code != CloseKicked || end.Err != nil || end.OutboxBytes != 0 {
			t.Fatalf("%+v", end)
		}
		if n := e.room.detaches(c.id); n != 1 {
			t.Fatalf("%d detaches", n)
		}
	})
}

// A client that breaks the protocol is told so with a close frame, which is not lost although the client goes on sending.
func TestPeerFaults(t *testing.T) {
	deflated := func(p []byte) []byte {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, flate.BestSpeed)
		_, _ = w.Write(p)
		_ = w.Flush()
		return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
	}
	huge := func(length uint64) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{textFrame, 0x80 | 127}, length), 1, 2, 3, 4)
	}
	for name, c := range map[string]struct {
		send    []byte
		code    uint16
		deflate bool
	}{
		"too big":                       {frame(textFrame, make([]byte, 5000)), CloseMessageTooBig, false},
		"too big in fragments":          {append(frame(0x01, make([]byte, 3000)), frame(0x80, make([]byte, 3000))...), CloseMessageTooBig, false},
		"announced only":                {huge(1 << 40), CloseMessageTooBig, false},
		"impossible length":             {huge(1<<63 + 5), CloseProtocolError, false},
		"most impossible length":        {huge(1<<64 - 1), CloseProtocolError, false},
		"not masked":                    {[]byte{textFrame, 2, '{', '}'}, CloseProtocolError, false},
		"reserved bit":                  {frame(textFrame|0x40, []byte("{}")), CloseProtocolError, false},
		"unknown opcode":                {frame(0x83, []byte("{}")), CloseProtocolError, false},
		"continuation of nothing":       {frame(0x80, []byte("{}")), CloseProtocolError, false},
		"long ping":                     {frame(pingFrame, make([]byte, 126)), CloseProtocolError, false},
		"fragmented ping":               {frame(0x09, []byte("x")), CloseProtocolError, false},
		"close with one byte":           {frame(closeFrame, []byte{3}), CloseProtocolError, false},
		"close with a forbidden code":   {frame(closeFrame, []byte{0x03, 0xed}), CloseProtocolError, false},
		"close with a reason not UTF-8": {frame(closeFrame, []byte{0x03, 0xe8, 0xff}), CloseInvalidData, false},
		"text not UTF-8":                {frame(textFrame, []byte{'"', 0xff, '"'}), CloseInvalidData, false},
		"too big inflated":              {frame(textFrame|0x40, deflated(make([]byte, 1<<20))), CloseMessageTooBig, true},
		"cannot be inflated":            {frame(textFrame|0x40, []byte{0xff, 0xff, 0xff}), CloseInvalidData, true},
	} {
		for _, kind := range transports {
			if c.deflate && !kind.deflate || name == "reserved bit" && kind.deflate {
				continue
			}
			on(t, name+"/"+kind.name, kind, func(t *testing.T) {
				e := start(t, kind, setup{opts: Options{MaxMessageBytes: 4096}})
				cl := e.connect(wire.JSON)
				cl.request("a-1", "echo", "{}")
				if f := cl.next(); f.ID != "a-1" {
					t.Fatalf("%+v", f)
				}
				go func() { // what follows is not read as frames, and does not reset the connection either
					_, _ = cl.nc.Write(append(c.send, make([]byte, 200_000)...))
				}()
				reason := cl.expectClose(c.code)
				if reason == "" || strings.Contains(reason, "gws") {
					t.Fatalf("reason %q", reason)
				}
				if d := e.room.detach(t, cl.id); d.Code != c.code {
					t.Fatalf("%+v", d)
				}
				if end := e.end(cl); end.Code != c.code || end.Err == nil || end.ByPeer {
					t.Fatalf("%+v", end)
				}
				if n := e.room.detaches(cl.id); n != 1 {
					t.Fatalf("%d detaches", n)
				}
			})
		}
	}
}

// The codes of a peer's close frame come back, and reach the room.
func TestPeerCloses(t *testing.T) {
	for _, c := range []struct {
		payload      string
		code, answer uint16
		reason       string
	}{
		{"", 1005, 0, ""},
		{"\x03\xe8", 1000, 1000, ""},
		{"\x03\xe9tab closed", 1001, 1000, "tab closed"},
		{"\x0f\xa0mine", 4000, 4000, "mine"},
	} {
		for _, kind := range transports {
			e := start(t, kind, setup{})
			cl := e.connect(wire.JSON)
			e.room.attach(t, cl.id)
			cl.write(frame(closeFrame, []byte(c.payload)))
			cl.expectClose(c.answer)
			if d := e.room.detach(t, cl.id); d.Code != c.code || d.Reason != c.reason {
				t.Errorf("%s %q: %+v", kind.name, c.payload, d)
			}
			if end := e.end(cl); !end.ByPeer || end.Err != nil || end.Code != c.code {
				t.Errorf("%s %q: %+v", kind.name, c.payload, end)
			}
		}
	}
}

// A stream that ends without a close frame ends the session with 1006.
func TestStreamBreaks(t *testing.T) {
	for _, kind := range transports {
		for _, partial := range []string{"", "\x81", "\x81\xfe\x01", "\x81\x85\x01\x02\x03\x04ab"} {
			e := start(t, kind, setup{})
			c := e.connect(wire.JSON)
			c.request("a-1", "echo", "{}")
			c.next()
			c.write([]byte(partial))
			_ = c.nc.Close()
			if d := e.room.detach(t, c.id); d.Code != 1006 || d.Reason != "" {
				t.Errorf("%s %q: %+v", kind.name, partial, d)
			}
			if end := e.end(c); end.Code != 1006 || end.Err == nil || end.ByPeer {
				t.Errorf("%s %q: %+v", kind.name, partial, end)
			}
			if n := e.room.detaches(c.id); n != 1 {
				t.Errorf("%s %q: %d detaches", kind.name, partial, n)
			}
		}
	}
}

// A reader that stalls is closed when its outbox overflows; the room knows at once, memory stays bounded, and when the
// reader goes on it finds whole frames and then the close frame with its code.
func TestOverflow(t *testing.T) {
	for _, kind := range transports {
		t.Run(kind.name, func(t *testing.T) {
			e := start(t, kind, setup{opts: Options{OutboxBytes: 256 << 10, WriteTimeout: patience, PingInterval: -1, IdleTimeout: -1}})
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			noise := make([]byte, 12<<10)
			for i := range noise {
				noise[i] = "abcdefghijklmnopqrstuvwxyz012345"[(i*i*31+i*7+i>>5)%32]
			}
			sent := 0
			for ; e.room.detaches(c.id) == 0; sent++ {
				if s := e.g.Stats(); s.QueuedBytes > 256<<10 {
					t.Fatalf("%d bytes in the outbox", s.QueuedBytes)
				}
				copy(noise, fmt.Sprintf("%08d", sent))
				e.push(pid, actors.Must, "", string(noise))
				runtime.Gosched()
			}
			if d := e.room.detach(t, c.id); d.Code != CloseSlowConsumer {
				t.Fatalf("%+v", d)
			}
			code, _, before := c.closing()
			if code != CloseSlowConsumer || before == 0 && !kind.pipe || before >= sent {
				t.Fatalf("%d after %d of %d", code, before, sent)
			}
			end := e.end(c)
			if end.Code != CloseSlowConsumer || end.Err != nil || end.OutboxBytes == 0 {
				t.Fatalf("%+v", end)
			}
			if s := e.g.Stats(); s.SlowConsumers != 1 {
				t.Fatalf("%+v", s)
			}
		})
	}
}

// A reader that never comes back is given up, however its connection came to an end.
func TestStalledForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, transportKind{name: "pipe", pipe: true}, setup{opts: Options{PingInterval: -1, IdleTimeout: -1}})
		// One that stalls with little queued: found by the sweeper.
		a := e.connect(wire.JSON)
		_ = a.nc.SetDeadline(time.Time{})
		e.push(e.room.attach(t, a.id).From, actors.Must, "", "hello")
		began := time.Now()
		if d := e.room.detach(t, a.id); d.Code != CloseSlowConsumer {
			t.Fatalf("%+v", d)
		}
		if took := time.Since(began); took < defaultWriteTimeout || took > defaultWriteTimeout*14/10 {
			t.Fatalf("found after %v", took)
		}
		if end := e.end(a); end.Err == nil || end.OutboxBytes == 0 {
			t.Fatalf("%+v", end)
		}
		// One that is closed by the room: the close frame waits for WriteTimeout, no longer.
		b := e.connect(wire.JSON)
		_ = b.nc.SetDeadline(time.Time{})
		pid := e.room.attach(t, b.id).From
		began = time.Now()
		e.push(pid, actors.Must, "", "hello")
		e.sys.Send(pid, &actors.Close{Code: CloseKicked})
		if d := e.room.detach(t, b.id); d.Code != CloseKicked || time.Since(began) != 0 {
			t.Fatalf("%+v after %v", d, time.Since(began))
		}
		if end := e.end(b); end.Code != CloseKicked || end.Err == nil || time.Since(began) != defaultWriteTimeout {
			t.Fatalf("%+v after %v", end, time.Since(began))
		}
		_, _ = a.nc.Close(), b.nc.Close()
	})
}

// A slow reader that makes some progress is not stalled.
func TestSlowButSteady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, transportKind{name: "pipe", pipe: true}, setup{opts: Options{PingInterval: -1, IdleTimeout: -1}})
		c := e.connect(wire.JSON)
		_ = c.nc.SetDeadline(time.Time{})
		e.push(e.room.attach(t, c.id).From, actors.Must, "", strings.Repeat("x", 40))
		want := frameSize(len(newPush(actors.Must, "", strings.Repeat("x", 40)).Frames[0]))
		var got []byte
		for len(got) < want {
			time.Sleep(9 * time.Second)
			one := make([]byte, 1)
			if _, err := io.ReadFull(c.br, one); err != nil {
				t.Fatalf("after %d bytes: %v", len(got), err)
			}
			c.br.Discard(0)
			got = append(got, one...)
			if c.br.Buffered() > 0 { // the reader under it takes what comes
				rest := make([]byte, c.br.Buffered())
				_, _ = c.br.Read(rest)
				got = append(got, rest...)
			}
		}
		c.request("a-1", "echo", "{}")
		if f := c.next(); f.ID != "a-1" {
			t.Fatalf("%+v", f)
		}
		_ = c.nc.Close()
	})
}

// A peer that does not answer the close frame is given CloseTimeout.
func TestCloseNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, transportKind{name: "pipe", pipe: true}, setup{})
		c := e.connect(wire.JSON)
		_ = c.nc.SetDeadline(time.Time{})
		pid := e.room.attach(t, c.id).From
		began := time.Now()
		e.sys.Send(pid, &actors.Close{Code: CloseRoomClosed, Reason: "over"})
		if first, _, err := c.read(); first != closeFrame || err != nil {
			t.Fatalf("%#x %v", first, err)
		}
		c.request("a-1", "echo", "{}") // still read, and thrown away
		if d := e.room.detach(t, c.id); d.Code != CloseRoomClosed || d.Reason != "over" || time.Since(began) != 0 {
			t.Fatalf("%+v after %v", d, time.Since(began))
		}
		if end := e.end(c); end.Code != CloseRoomClosed || time.Since(began) != defaultCloseTimeout {
			t.Fatalf("%+v after %v", end, time.Since(began))
		}
		if _, _, err := c.read(); !errors.Is(err, io.EOF) {
			t.Fatalf("%v", err)
		}
		e.room.mu.Lock()
		defer e.room.mu.Unlock()
		if n := len(e.room.events); n != 2 {
			t.Fatalf("the room got %d messages, want Attach and Detach", n)
		}
	})
}

// The close frame gets through although the client keeps sending what nobody reads any more as frames, over TCP and TLS,
// where unread input would reset the connection.
func TestCloseSurvivesUnreadInput(t *testing.T) {
	for _, kind := range transports[:2] {
		e := start(t, kind, setup{opts: Options{CallsPerSecond: -1, MaxInFlight: -1}})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		var stop atomic.Bool
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f := c.requestFrame("a-1", "echo", `{"pad":"`+strings.Repeat("x", 1000)+`"}`)
			for !stop.Load() {
				if _, err := c.nc.Write(f); err != nil {
					return
				}
			}
		}()
		c.next()
		e.sys.Send(pid, &actors.Close{Code: CloseRoomClosed})
		for {
			first, payload, err := c.read()
			if err != nil {
				t.Fatalf("%s: %v", kind.name, err)
			}
			if first == closeFrame {
				if code := binary.BigEndian.Uint16(payload); code != CloseRoomClosed {
					t.Fatalf("%s: %d", kind.name, code)
				}
				break
			}
		}
		stop.Store(true)
		<-ended
		c.write(frame(closeFrame, nil))
		_, _ = io.Copy(io.Discard, c.br)
		_ = c.nc.Close()
		e.end(c)
	}
}

func TestGatewayCloses(t *testing.T) {
	for _, kind := range transports {
		e := start(t, kind, setup{})
		const n = 20
		var clients []*client
		codes := make(chan uint16, n)
		for range n {
			c := e.connect(wire.JSON)
			e.push(e.room.attach(t, c.id).From, actors.Must, "", "queued")
			clients = append(clients, c)
			go func() {
				code, _, before := c.closing()
				if before != 1 {
					code = 0
				}
				codes <- code
			}()
		}
		if err := e.g.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			e.room.detach(t, c.id)
			if n := e.room.detaches(c.id); n != 1 {
				t.Fatalf("%s: %d detaches", kind.name, n)
			}
			if code := <-codes; code != CloseGoingAway {
				t.Fatalf("%s: closed with %d", kind.name, code)
			}
		}
		if c := e.handshake(wire.JSON); c.res.StatusCode != 503 {
			t.Fatalf("%s: a handshake after Close: %s", kind.name, c.res.Status)
		}
	}
}

// When its ctx ends, Close cuts those who do not answer.
func TestGatewayCutsHard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, transportKind{name: "pipe", pipe: true}, setup{})
		c := e.connect(wire.JSON)
		_ = c.nc.SetDeadline(time.Time{})
		e.push(e.room.attach(t, c.id).From, actors.Must, "", "never read")
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := e.g.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		if end := e.end(c); end.Code != CloseGoingAway || end.OutboxBytes == 0 {
			t.Fatalf("%+v", end)
		}
		if n := e.room.detaches(c.id); n != 1 {
			t.Fatalf("%d detaches", n)
		}
		_ = c.nc.Close()
	})
}

// A connection leaves no goroutine and no name behind, in any way of ending.
func TestNothingIsLeft(t *testing.T) {
	for _, kind := range transports {
		e := start(t, kind, setup{})
		before := runtime.NumGoroutine()
		for i := range 60 {
			c := e.connect(wire.JSON)
			pid := e.room.attach(t, c.id).From
			e.push(pid, actors.Must, "", "hello")
			switch i % 3 {
			case 0:
				_ = c.nc.Close()
			case 1:
				e.sys.Send(pid, &actors.Close{Code: CloseNormal})
				c.closing()
			case 2:
				c.write(frame(closeFrame, nil))
				c.closing()
			}
			e.end(c)
			if _, err := e.sys.Register("conn/"+c.id, (*process)(nil)); err != nil {
				t.Fatal(err)
			}
		}
		deadline := time.Now().Add(patience)
		for runtime.NumGoroutine() > before+3 { // the sweeper, and HTTP goroutines on their way out
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d goroutines, %d before", kind.name, runtime.NumGoroutine(), before)
			}
			runtime.Gosched()
		}
	}
}

// A gateway that closes while a handshake is on its way says so on the new connection, and the room hears nothing.
func TestGatewayClosesDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, pipe, setup{})
		c := &client{t: t, nc: e.dial(), id: "late"}
		c.write([]byte("GET /?id=late HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		synctest.Wait() // the server writes its 101
		if err := e.g.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.br = bufio.NewReader(c.nc)
		skipResponse(t, c)
		first, payload, err := c.read()
		if err != nil || first != closeFrame || binary.BigEndian.Uint16(payload) != CloseGoingAway {
			t.Fatalf("%#x %q %v", first, payload, err)
		}
		synctest.Wait()
		if s := e.g.Stats(); s.Reserved != 0 || s.Accepted != 0 || len(e.room.events) != 0 {
			t.Fatalf("%+v, the room got %d messages", s, len(e.room.events))
		}
		_ = c.nc.Close()
	})
}

// A fault of our own closes the one connection with 1011.
func TestPanicInHook(t *testing.T) {
	for _, kind := range transports {
		on(t, kind.name, kind, func(t *testing.T) {
			e := start(t, kind, setup{opts: Options{Hooks: Hooks{Malformed: func(Info, error) { panic("oh") }}}})
			c, other := e.connect(wire.JSON), e.connect(wire.JSON)
			c.write(frame(textFrame, []byte("x")))
			c.expectClose(CloseInternal)
			if d := e.room.detach(t, c.id); d.Code != CloseInternal || d.Reason != "internal error" {
				t.Fatalf("%+v", d)
			}
			if end := e.end(c); end.Err == nil {
				t.Fatalf("%+v", end)
			}
			other.request("a-1", "echo", "{}")
			if f := other.next(); f.ID != "a-1" {
				t.Fatalf("%+v", f)
			}
		})
	}
}

// What rooms must not do is logged and harms no other connection.
func TestFaultyRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, transports[4], setup{})
		c := e.connect(wire.JSON)
		pid := e.room.attach(t, c.id).From
		e.sys.Send(pid, &actors.Push{Frames: [2][]byte{nil, []byte("x")}})
		e.sys.Send(pid, "what?")
		notText := bytes.Repeat([]byte{0xff}, 2*compressFrom) // which gws would not compress
		e.sys.Send(pid, &actors.Push{Frames: [2][]byte{notText}})
		if first, payload, err := c.read(); err != nil || first != textFrame || !bytes.Equal(payload, notText) {
			t.Fatalf("%#x %v", first, err)
		}
		e.sys.Send(pid, &actors.Close{Code: 1006})
		c.expectClose(CloseInternal)
		for _, want := range []string{"without a frame", "does not know", "cannot be sent"} {
			if logs := e.logs.String(); !strings.Contains(logs, want) {
				t.Fatalf("%q is not in %s", want, logs)
			}
		}
	})
}
