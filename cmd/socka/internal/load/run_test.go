package load

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/wire"
)

// rawServer answers the frames of its clients with whatever answer gives.
func rawServer(t *testing.T, answer func(op byte, payload []byte) (frames []byte)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		_, _ = io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
			base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
		serveRaw(nc, rw.Reader, answer)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/any/room"
}

func serveRaw(nc net.Conn, r *bufio.Reader, answer func(op byte, payload []byte) []byte) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		size := int(head[1] & 0x7f)
		if size == 126 {
			var wide [2]byte
			if _, err := io.ReadFull(r, wide[:]); err != nil {
				return
			}
			size = int(binary.BigEndian.Uint16(wide[:]))
		}
		data := make([]byte, 4+size)
		if _, err := io.ReadFull(r, data); err != nil {
			return
		}
		for i := range size {
			data[4+i] ^= data[i%4]
		}
		out := answer(head[0]&0x0f, data[4:])
		if head[0]&0x0f == opPing {
			out = append(plainFrame(0x80|opPong, nil), out...)
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

func plainFrame(head byte, payload []byte) []byte {
	if len(payload) < 126 {
		return append([]byte{head, byte(len(payload))}, payload...)
	}
	return append([]byte{head, 126, byte(len(payload) >> 8), byte(len(payload))}, payload...)
}

func config(url string) Config {
	return Config{Scenario: Calls, URL: url, Rooms: 1, Connections: 3, Depth: 4, Call: "echo", Body: "{}",
		Duration: 100 * time.Millisecond, Drain: 2 * time.Second, Timeout: 10 * time.Second}
}

// Answers may be fragmented, large, out of order, doubled, and have pings between them.
func TestUnusualAnswers(t *testing.T) {
	pongs := make(chan string, 1)
	url := rawServer(t, func(op byte, payload []byte) []byte {
		switch op {
		case opPong:
			select {
			case pongs <- string(payload):
			default:
			}
		case opText:
			f, err := wire.Decode(wire.JSON, payload)
			if err != nil {
				t.Error(err)
				return nil
			}
			text := wire.AppendResponse(nil, wire.JSON, f.ID, f.RPC, []byte(`"`+strings.Repeat("x", 30_000)+`"`))
			out := plainFrame(opText, text[:10])
			out = append(out, plainFrame(0x80|opPing, []byte("there?"))...)
			out = append(out, plainFrame(opContinuation, text[10:20])...)
			out = append(out, plainFrame(0x80|opContinuation, text[20:])...)
			return append(out, plainFrame(0x80|opText, text)...) // again
		}
		return nil
	})
	rep, err := Run(t.Context(), config(url))
	if err != nil {
		t.Fatal(err)
	}
	c := rep.Calls
	if c.Sent == 0 || c.Done != c.Sent || c.Missing != 0 || c.Failed != 0 {
		t.Errorf("calls: %+v", c)
	}
	if c.Unexpected == 0 || c.Unexpected > c.Done {
		t.Errorf("%d second answers to %d calls were noticed", c.Unexpected, c.Done)
	}
	if got := <-pongs; got != "there?" {
		t.Errorf("a ping was answered with %q", got)
	}
}

// In an open loop, what is due and cannot be sent is charged with its waiting.
func TestWaitingIsCharged(t *testing.T) {
	url := rawServer(t, func(op byte, payload []byte) []byte {
		f, err := wire.Decode(wire.JSON, payload)
		if op != opText || err != nil || f.ID != "echo-0" {
			return nil // only the first call of a connection is answered
		}
		return plainFrame(0x80|opText, wire.AppendResponse(nil, wire.JSON, f.ID, f.RPC, nil))
	})
	cfg := config(url)
	cfg.Connections, cfg.Depth, cfg.Rate, cfg.Drain = 1, 2, 1000, 10*time.Millisecond
	rep, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := rep.Calls
	if c.Sent > 3 || c.Done > 1 || c.Missing != c.Sent-c.Done || c.Sent+c.Unsent != 100 {
		t.Errorf("calls: %+v", c)
	}
	// 100 calls were due, evenly spread: half of them waited for more than half of the time.
	if l := c.Latency; l.Count != 100 || l.P50 < 50_000 || l.Max < 98_000 {
		t.Errorf("latency: %+v", l)
	}
}

func TestInterrupted(t *testing.T) {
	url := rawServer(t, func(op byte, payload []byte) []byte {
		f, err := wire.Decode(wire.JSON, payload)
		if op != opText || err != nil {
			return nil
		}
		return plainFrame(0x80|opText, wire.AppendResponse(nil, wire.JSON, f.ID, f.RPC, nil))
	})
	for _, s := range []Scenario{Calls, Churn} {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config(url)
		cfg.Scenario, cfg.Duration, cfg.Drain = s, 24*time.Hour, 10*time.Millisecond
		cfg.Progress = func(line string) {
			if strings.HasPrefix(line, "measuring") {
				cancel()
			}
		}
		rep, err := Run(ctx, cfg)
		cancel()
		if s == Churn { // nobody answers a close frame here: no session ever leaves
			if err != nil || !rep.Interrupted || rep.Sessions.Done != 0 || rep.Sessions.Missing != 3 {
				t.Errorf("%s: %+v, %v", s, rep, err)
			}
			continue
		}
		if err != nil || !rep.Interrupted || rep.Calls.Done == 0 || rep.Calls.Done != rep.Calls.Sent || rep.Seconds <= 0 || rep.Seconds > 3600 {
			t.Errorf("%s: %+v, %v", s, rep, err)
		}
	}
}

// A server whose frames make no sense ends the run with a word about it, not with results.
func TestNonsense(t *testing.T) {
	for want, frame := range map[string][]byte{
		"nobody asked for":      {0xc1, 0},
		"fragments":             {0x80 | opContinuation, 0},
		"4429 slow down; raise": plainFrame(0x80|opClose, append(binary.BigEndian.AppendUint16(nil, 4429), "slow down"...)),
	} {
		url := rawServer(t, func(op byte, _ []byte) []byte {
			if op == opText {
				return frame
			}
			return nil
		})
		if _, err := Run(t.Context(), config(url)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: %v", frame, err)
		}
	}
}

// Each room has as many publishers as are asked for, and each of them is one of its members.
func TestPublishers(t *testing.T) {
	r := &run{cfg: &Config{Scenario: Rooms, Rooms: 3, Connections: 4, Publishers: 2, Depth: 1}, shards: make([]shard, 1)}
	for i := range 12 {
		r.clients = append(r.clients, newClient(r, nil, nil, i))
	}
	r.prepare()
	count := map[int]int{}
	for _, c := range r.callers {
		count[c.room]++
	}
	if len(r.callers) != 6 || count[0] != 2 || count[1] != 2 || count[2] != 2 {
		t.Errorf("publishers by room: %v", count)
	}
}
