package conn

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// FuzzConnection feeds random bytes to an open connection. Whatever comes, the connection ends in good order: every frame
// that the server writes is whole, every call is answered in order or the connection is closed, the room is told once, and no goroutine is left (the bubble
// would not end otherwise).
func FuzzConnection(f *testing.F) {
	c := &client{t: f}
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		f.Fatal(err)
	}
	var vectors struct {
		Malformed []struct{ JSON string }
		Frames    []struct{ JSON, Msgpack string }
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors.Malformed {
		f.Add(uint8(0), frame(textFrame, []byte(v.JSON)))
	}
	for _, v := range vectors.Frames {
		f.Add(uint8(0), frame(textFrame, []byte(v.JSON)))
		f.Add(uint8(1), frame(binaryFrame, unhex(f, v.Msgpack)))
		f.Add(uint8(1), frame(textFrame, []byte(v.JSON)))
	}
	impossible := append(binary.BigEndian.AppendUint64([]byte{textFrame, 0xff}, 1<<63), 1, 2, 3, 4)
	two := append(c.requestFrame("a-1", "echo", "{}"), c.requestFrame("a-2", "echo", `{"a":[1,2]}`)...)
	for _, mode := range []uint8{0, 1, 2, 3} {
		f.Add(mode, impossible)
		f.Add(mode, append(two[:len(two):len(two)], frame(closeFrame, []byte("\x03\xe8bye"))...))
		f.Add(mode, append(frame(0x01, []byte(`{"socka":`)), frame(0x80, []byte(`1}`))...))
		f.Add(mode, append(frame(pingFrame, []byte("x")), frame(pongFrame, nil)...))
		f.Add(mode, frame(textFrame|0x40, []byte{0xaa, 0x56, 0x2a, 0xce, 0x4f, 0xce, 0x4e, 0x54, 0xb2, 0x52}))
		f.Add(mode, frame(textFrame|0x40, []byte{0xff, 0xff}))
	}
	f.Fuzz(func(t *testing.T, mode uint8, input []byte) {
		synctest.Test(t, func(t *testing.T) {
			kind := transportKind{name: "pipe", pipe: true, deflate: mode&2 != 0}
			e := start(t, kind, setup{opts: Options{MaxMessageBytes: 4096, Logger: slog.New(slog.DiscardHandler)}})
			c := e.connect(wire.Format(mode & 1))
			go func() {
				_, _ = c.nc.Write(input)
				_, _ = c.nc.Write(frame(closeFrame, nil))
			}()
			closed := false
			for {
				first, payload, err := c.read()
				if err != nil {
					if err != io.EOF {
						t.Fatalf("a frame was cut: %v", err)
					}
					break
				}
				if closed {
					t.Fatalf("frame %#x after the close frame", first)
				}
				switch first {
				case closeFrame:
					closed = true
				case textFrame, binaryFrame:
					if _, err := wire.Decode(c.format, payload); err != nil {
						t.Fatal(err)
					}
				}
			}
			d := e.room.detach(t, c.id)
			if !closed && d.Code != 1006 && d.Code != CloseIdle {
				t.Fatalf("no close frame, and %+v", d)
			}
			e.end(c)
			if n := e.room.detaches(c.id); n != 1 {
				t.Fatalf("%d detaches", n)
			}
			e.room.mu.Lock()
			defer e.room.mu.Unlock()
			number := uint64(0)
			for i, m := range e.room.events {
				switch m := m.(type) {
				case *actors.Call:
					if number++; m.Number != number || m.RPC == "" && m.Refused == nil {
						t.Fatalf("call %d: %+v", number, m)
					}
				case *actors.Detach:
					if i != len(e.room.events)-1 {
						t.Fatal("messages after the Detach")
					}
				}
			}
		})
	})
}
