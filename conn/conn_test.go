package conn

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unsafe"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/wire"
)

// each runs a test for every transport and both formats.
func each(t *testing.T, f func(t *testing.T, kind transportKind, format wire.Format)) {
	for _, kind := range transports {
		for _, format := range []wire.Format{wire.JSON, wire.Msgpack} {
			on(t, kind.name+"/"+format.String(), kind, func(t *testing.T) { f(t, kind, format) })
		}
	}
}

// on runs a test, in virtual time if the transport allows it.
func on(t *testing.T, name string, kind transportKind, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		if kind.pipe {
			synctest.Test(t, f)
		} else {
			f(t)
		}
	})
}

// Calls are numbered and answered in order, a push comes where the room made it, and the end is told once.
func TestOrder(t *testing.T) {
	each(t, func(t *testing.T, kind transportKind, format wire.Format) {
		const calls = 300
		long := strings.Repeat("long and compressible ", 100)
		e := start(t, kind, setup{
			opts: Options{CallsPerSecond: -1, MaxInFlight: -1},
			on: func(r *room, msg any) {
				if c, ok := msg.(*actors.Call); ok {
					r.sys.Send(c.From, newPush(actors.Must, "", fmt.Sprintf("before %d %s", c.Number, long)))
				}
				echo(r, msg)
			},
		})
		c := e.connect(format)
		go func() {
			var all []byte
			for i := range calls {
				all = append(all, c.requestFrame(fmt.Sprintf("echo-%d", i+1), "echo", fmt.Sprintf(`{"n":%d,"pad":%q}`, i+1, long[:i]))...)
			}
			_, _ = c.nc.Write(all)
		}()
		for i := range calls {
			push, answer := c.next(), c.next()
			if got, want := text(t, format, push), fmt.Sprintf("before %d %s", i+1, long); got != want {
				t.Fatalf("push %q, want %q", got, want)
			}
			if want := fmt.Sprintf("echo-%d", i+1); answer.ID != want || answer.Kind != wire.ServerResponse {
				t.Fatalf("answer %+v, want id %s", answer, want)
			}
		}
		c.write(frame(closeFrame, newCloseFrame(1000, "done")[2:]))
		code, _, _ := c.closing()
		if code != 1000 {
			t.Fatalf("the answer to the close frame has code %d", code)
		}
		if d := e.room.detach(t, c.id); d.Code != 1000 || d.Reason != "done" {
			t.Fatalf("detach %+v", d)
		}
		end := e.end(c)
		if !end.ByPeer || end.Code != 1000 || end.Err != nil || end.Reason != "done" || end.OutboxBytes != 0 {
			t.Fatalf("end %+v", end)
		}
		if n := e.room.detaches(c.id); n != 1 {
			t.Fatalf("%d detaches", n)
		}
	})
}

// A connection and the word that the runtime puts before it fill an allocation of 896 bytes; the next size is 1,024.
func TestSizeOfAConnection(t *testing.T) {
	const most = 896 - 8
	if n := unsafe.Sizeof(connection{}); n > most && unsafe.Sizeof(n) == 8 {
		t.Errorf("a connection has %d bytes, want at most %d", n, most)
	}
}
