package conn

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// The end of a stream that comes together with a call is noticed, whether the call is answered or not.
func TestEndBehindACall(t *testing.T) {
	for name, test := range map[string]struct {
		on  func(*room, any)
		end func(*net.TCPConn) error
	}{
		"answered, closed":        {echo, (*net.TCPConn).Close},
		"answered, half closed":   {echo, (*net.TCPConn).CloseWrite},
		"unanswered, closed":      {func(*room, any) {}, (*net.TCPConn).Close},
		"unanswered, half closed": {func(*room, any) {}, (*net.TCPConn).CloseWrite},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, transports[0], setup{opts: Options{WriteTimeout: time.Second}, on: test.on}) // the sweeper looks five times in that
			var clients [20]*client
			for i := range clients {
				clients[i] = e.connect(wire.JSON)
			}
			for _, c := range clients {
				c.write(c.requestFrame("a-1", "echo", "{}"))
				if err := test.end(c.nc.(*net.TCPConn)); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range clients {
				if d := e.room.detach(t, c.id); d.Code != closeAbnormal {
					t.Fatalf("%+v", d)
				}
				e.end(c)
			}
		})
	}
}

// What a room holds for a connection goes out with one write when it is flushed, in order, and what the socket does not
// take at once goes out behind it.
func TestHeldMessages(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		const pushes = 300 // of 10 KiB, more than sockets take
		e := start(t, kind, setup{opts: Options{OutboxBytes: 8 << 20}, on: func(r *room, msg any) {
			c, ok := msg.(*actors.Call)
			if !ok {
				return
			}
			h := r.sys.Holder(c.From)
			held := 0
			hold := func(msg any) {
				if h.Hold(msg) {
					held++
				}
			}
			for i := range pushes {
				hold(newPush(actors.Must, "", fmt.Sprint(i, string(bytes.Repeat([]byte(" padding"), 1280)))))
			}
			a := actors.NewAnswer(c.Number)
			a.Frame = wire.AppendResponse(a.Frame, c.Format, c.ID, c.RPC, c.Body)
			hold(a)
			if held == 0 {
				t.Error("nothing was held")
			}
			h.Flush()
		}})
		c := e.connect(format)
		for round := range 3 {
			id := fmt.Sprint("a-", round)
			c.write(c.requestFrame(id, "echo", `{}`))
			for i := range pushes {
				if f := c.next(); f.Kind != wire.ServerEvent || !bytes.Contains(f.Body, fmt.Append(nil, i, " padding")) {
					t.Fatalf("round %d: %v %.40q, want push %d", round, f.Kind, f.Body, i)
				}
			}
			if f := c.next(); f.ID != id {
				t.Fatalf("%v %q, want the answer to %s", f.Kind, f.ID, id)
			}
		}
	})
}

// Nobody can be kept from the pings and close frames by what is held for them.
func TestCloseBehindHeldMessages(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		e := start(t, kind, setup{on: func(r *room, msg any) {
			if a, ok := msg.(*actors.Attach); ok {
				h := r.sys.Holder(a.From)
				for i := range 10 {
					h.Hold(newPush(actors.Must, "", fmt.Sprint(i)))
				}
				h.Hold(&actors.Close{Code: CloseKicked, Reason: "out"})
				h.Hold(newPush(actors.Must, "", "too late"))
				h.Flush()
			}
		}})
		c := e.connect(format)
		if code, reason, before := c.closing(); code != CloseKicked || reason != "out" || before != 10 {
			t.Fatalf("%d %q after %d pushes", code, reason, before)
		}
	})
}
