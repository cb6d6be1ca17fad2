package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// A room that tells everybody what it is told, by pushes of each delivery.
var (
	radio = contract.New("radio")
	play  = contract.NewCall[playIn, contract.None](radio, "play")
	must  = contract.NewPush[playIn](radio, "must")
	drop  = contract.NewPush[playIn](radio, "drop", contract.PushOptions{Delivery: contract.DropOldest})
	last  = contract.NewPush[playIn](radio, "last", contract.PushOptions{Delivery: contract.LatestBy("key")})
)

type playIn struct {
	As  string `json:"as"` // the push
	Seq int    `json:"seq"`
	Key int    `json:"key"`
	Pad string `json:"pad"`
}

func newRadio() *room.Definition[struct{}, contract.None] {
	def := &room.Definition[struct{}, contract.None]{Contract: radio}
	pushes := map[string]*contract.Push[playIn]{"must": must, "drop": drop, "last": last}
	room.Handle(def, play, func(_ context.Context, t *room.Turn[struct{}, contract.None], in playIn) (contract.None, error) {
		room.Broadcast(t, pushes[in.As], in)
		return contract.None{}, nil
	})
	return def
}

// narrow bounds the buffers of a socket, so that a reader who stalls holds up the server soon: by themselves they grow to
// megabytes. With less than two segments of the loopback device (64 KiB) each byte would wait for the kernel's timers.
func narrow(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(128 << 10)
		_ = tcp.SetWriteBuffer(128 << 10)
	}
	return c
}

// narrowFirst is narrow for the server's side of the first connection.
type narrowFirst struct {
	net.Listener
	once sync.Once
}

func (l *narrowFirst) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.once.Do(func() { narrow(c) })
	return c, err
}

// pads are texts that cannot be compressed much, made once: they are not what is to be measured.
func pads(n, size int) []string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]string, n)
	for i := range list {
		b := make([]byte, size)
		for j := range b {
			b[j] = letters[random.IntN(len(letters))]
		}
		list[i] = string(b)
	}
	return list
}

// heap is the process's live heap. Two collections empty the pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// choir is the members that read all the time; each checks that every push comes, in order.
type choir struct {
	members []*listener
	heard   atomic.Int64  // deliveries to all of them
	round   chan struct{} // gets one for every push that all have heard
	answers chan struct{} // gets one for every answer
}

type listener struct {
	*peer
	seen  int
	wrong atomic.Pointer[string]
}

func (c *choir) join(s *server, f wire.Format) {
	l := &listener{}
	l.peer = s.peer("radio/one", f, peerOptions{stalled: true, on: func(frame wire.Frame) {
		if frame.Kind != wire.ServerEvent {
			c.answers <- struct{}{}
			return
		}
		var body playIn
		if err := wire.Unmarshal(f, frame.Body, &body); err != nil || body.Seq != l.seen {
			what := fmt.Sprintf("push %d came where %d was due (%v)", body.Seq, l.seen, err)
			l.wrong.CompareAndSwap(nil, &what)
		}
		l.seen++
		if c.heard.Add(1)%int64(len(c.members)) == 0 {
			c.round <- struct{}{}
		}
	}})
	c.members = append(c.members, l)
}

// sing has the first member broadcast, and waits until it is answered and everybody has heard it.
func (c *choir) sing(t *testing.T, in playIn) {
	t.Helper()
	c.members[0].send("play", in)
	timeout := time.After(patience)
	for _, due := range []<-chan struct{}{c.answers, c.round} {
		select {
		case <-due:
		case <-timeout:
			for i, l := range c.members {
				if l.code != 0 {
					t.Errorf("member %d (%v) was closed: %d %s", i, l.format, l.code, l.reason)
				}
			}
			t.Fatalf("push %d did not reach everybody", in.Seq)
		}
	}
}

// TestOneStalledReaderIsClosedAndTheOthersNoticeNothing has one of 100 members (with SOCKA_LONG set of 1,000 too) stop
// reading while one of the others keeps broadcasting pushes of which none may be lost.
//
// What the server may hold more as time goes by is one full outbox. Buffers of sockets, of TLS and of compression are there
// after the first pushes, which go ahead of the measurement; 512 KiB are left for what else comes and goes. All pushes together
// are four times that.
func TestOneStalledReaderIsClosedAndTheOthersNoticeNothing(t *testing.T) {
	const (
		outbox = 128 << 10
		size   = 4 << 10
		bound  = outbox + 512<<10
	)
	type try struct {
		transport
		members int
	}
	var tries []try
	for _, via := range transports {
		tries = append(tries, try{via, 100})
	}
	if os.Getenv("SOCKA_LONG") != "" {
		tries = append(tries, try{overTCP, 1000})
	}
	for _, via := range tries {
		t.Run(fmt.Sprintf("%s/%d", via.name, via.members), func(t *testing.T) {
			members, pushes := via.members, 4*bound/size
			texts := pads(64, size)
			s := serve(t, setup{
				via: via.transport, narrowFirst: true,
				opts: room.Options{Conn: conn.Options{
					OutboxBytes: outbox, CallsPerSecond: -1,
					WriteTimeout: patience, CloseTimeout: patience, IdleTimeout: -1, PingInterval: -1,
				}},
			}, newRadio())
			stalled := s.peer("radio/one", wire.JSON, peerOptions{stalled: true, wrap: narrow})
			others := &choir{round: make(chan struct{}, 1), answers: make(chan struct{}, 1)}
			for i := range members - 1 {
				others.join(s, wire.Format(i%2))
			}
			for _, l := range others.members {
				l.resume()
			}
			eventually(t, "all members are in the room", func() bool { return sessions(s, "radio", "one") == members })

			var before, most int64
			for n := range pushes {
				others.sing(t, playIn{As: "must", Seq: n, Pad: texts[n%len(texts)]})
				switch {
				case n == pushes/8:
					before = heap()
				case n > pushes/8 && n%(pushes/8) == 0 || n == pushes-1:
					most = max(most, heap()-before)
				}
			}
			for i, l := range others.members {
				if what := l.wrong.Load(); what != nil {
					t.Fatalf("member %d (%v): %s", i, l.format, *what)
				}
			}
			t.Logf("heap: %d KiB after the first pushes, then at most %d KiB more while %d KiB were pushed", before>>10, most>>10, pushes*size*7/8>>10)
			if most > bound {
				t.Errorf("the heap grew by %d KiB while a member did not read, by more than %d KiB", most>>10, bound>>10)
			}

			s.detaches.wait(t, "the stalled member's session ends", 1)
			stalled.resume()
			stalled.end(conn.CloseSlowConsumer)
			if e := s.closes.wait(t, "the stalled member's connection ends", 1); e.Code != conn.CloseSlowConsumer || e.ByPeer {
				t.Errorf("the Close hook was told %+v, want code %d by the server", e, conn.CloseSlowConsumer)
			}
			if n := sessions(s, "radio", "one"); n != members-1 {
				t.Errorf("%d members are left, want %d", n, members-1)
			}
		})
	}
}

// sessions counts the members of a room.
func sessions(s *server, kind, name string) int {
	list, err := s.Room(kind, name).Sessions(bounded(s.t))
	if err != nil {
		return 0
	}
	return len(list)
}

// TestASlowReaderLosesOnlyWhatMayBeLost has a reader stall while the room sends far more than its outbox holds, of pushes
// that may be dropped, with a few that may not in between. When it reads again it gets all that it must, the newest of what
// may be dropped and the last value of each key, all in order; it is never closed.
func TestASlowReaderLosesOnlyWhatMayBeLost(t *testing.T) {
	const (
		outbox = 256 << 10 // more than what the server gives a socket at a time, 64 KiB
		size   = 1 << 10
		pushes = 4000
		keys   = 5
	)
	for _, f := range []wire.Format{wire.JSON, wire.Msgpack} {
		t.Run(f.String(), func(t *testing.T) {
			texts := pads(64, size)
			s := serve(t, setup{
				narrowFirst: true,
				opts: room.Options{Conn: conn.Options{
					OutboxBytes: outbox, CallsPerSecond: -1, WriteTimeout: patience, IdleTimeout: -1, PingInterval: -1,
				}},
			}, newRadio())
			slow := s.peer("radio/one", f, peerOptions{stalled: true, wrap: narrow})
			speaker := s.peer("radio/one", f, peerOptions{})
			eventually(t, "both are in the room", func() bool { return sessions(s, "radio", "one") == 2 })
			var musts []int
			for n := range pushes {
				in := playIn{As: "drop", Seq: n, Key: n % keys, Pad: texts[n%len(texts)]}
				switch {
				case n%500 == 7:
					in.As = "must"
					musts = append(musts, n)
				case n%2 == 0:
					in.As = "last"
				}
				speaker.call("play", in)
				speaker.pushes = nil
			}
			slow.resume()
			latest := make(map[int]int)
			var got, gotMusts, gotDrops []int
			for len(got) == 0 || got[len(got)-1] != pushes-1 {
				m := slow.read()
				var body playIn
				slow.unmarshal(m.Body, &body)
				got = append(got, body.Seq)
				switch m.Event {
				case "must":
					gotMusts = append(gotMusts, body.Seq)
				case "drop":
					gotDrops = append(gotDrops, body.Seq)
				case "last":
					latest[body.Key] = body.Seq
				}
			}
			if !slices.IsSorted(got) {
				t.Errorf("the pushes came out of order: %v", got)
			}
			if !slices.Equal(gotMusts, musts) {
				t.Errorf("of the pushes that may not be lost %v came, want %v", gotMusts, musts)
			}
			if len(got) >= pushes/2 {
				t.Errorf("%d of %d pushes came, so the reader was never slow", len(got), pushes)
			}
			if n := len(gotDrops); n == 0 || gotDrops[n-1] != pushes-1 {
				t.Errorf("of those that are dropped oldest first, the newest (%d) is missing: %v", pushes-1, gotDrops)
			}
			for key := range keys {
				if want := newestOf(key, keys, pushes); latest[key] != want {
					t.Errorf("the last value of key %d is that of push %d, want that of %d", key, latest[key], want)
				}
			}
		})
	}
}

// newestOf is the number of the last push of a key that went out as the latest by key: the last even one.
func newestOf(key, keys, pushes int) int {
	for n := pushes - 1; ; n-- {
		if n%keys == key && n%2 == 0 {
			return n
		}
	}
}
