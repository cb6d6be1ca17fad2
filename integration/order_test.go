package integration

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

// A room in which every call is counted, and some are told to all.
var (
	crowd = contract.New("crowd")
	count = contract.NewCall[countIn, countOut](crowd, "count")
	told  = contract.NewPush[toldBody](crowd, "told")
)

type (
	countIn struct {
		Client int  `json:"client"`
		N      int  `json:"n" jsonschema:"minimum=0"`
		Tell   bool `json:"tell"`
	}
	countOut struct {
		N    int `json:"n"`
		Told int `json:"told"` // broadcasts so far, this call's included
	}
	toldBody struct {
		Seq    int `json:"seq"` // from 0, without a gap
		Client int `json:"client"`
		N      int `json:"n"`
	}
	crowdState struct {
		Next []int // by client: the number that its next call must have
		Told int
	}
)

func newCrowd(clients int) *room.Definition[crowdState, contract.None] {
	def := &room.Definition[crowdState, contract.None]{Contract: crowd}
	def.New = func(context.Context, room.ID) (crowdState, error) { return crowdState{Next: make([]int, clients)}, nil }
	room.Handle(def, count, func(_ context.Context, t *room.Turn[crowdState, contract.None], in countIn) (countOut, error) {
		if want := t.State.Next[in.Client]; in.N != want {
			return countOut{}, contract.Errorf(contract.Conflict, "call %d of client %d ran where call %d was due", in.N, in.Client, want)
		}
		t.State.Next[in.Client]++
		if in.Tell {
			room.Broadcast(t, told, toldBody{t.State.Told, in.Client, in.N})
			t.State.Told++
		}
		return countOut{in.N, t.State.Told}, nil
	})
	return def
}

// pipelined is how many calls of a client are under way at a time, tellEvery which of them broadcast.
const (
	pipelined = 8
	tellEvery = 20
)

// caller is one client of the crowd. Its call 0 shows that it is in the room, then come the calls of the test, then one
// more to show that nothing else came. All but stage belongs to the reading goroutine, so that 200 of them do not weigh
// more than the server.
type caller struct {
	peer   *peer
	number int
	calls  int // of the test
	all    int // broadcasts that are due in all
	start  <-chan struct{}

	sent  int
	next  int    // number of the call whose answer is due
	seen  int    // broadcasts
	story uint64 // a hash of them all, in order
	over  bool   // after a fault

	stage chan error // gets nil after call 0, after the test and after the last call, or what went wrong
}

func (c *caller) send() {
	n := c.sent
	c.sent++
	tell := 0 < n && n <= c.calls && n%tellEvery == 0
	frame := c.peer.request("count-"+strconv.Itoa(n), "count", countIn{c.number, n, tell})
	if err := c.peer.ws.WriteMessage(opcode(c.peer.format == wire.JSON), frame); err != nil {
		c.fail("sending call %d: %v", n, err)
	}
}

func (c *caller) fail(format string, args ...any) {
	if !c.over {
		c.over = true
		c.stage <- fmt.Errorf(format, args...)
	}
}

// frame checks what comes.
func (c *caller) frame(f wire.Frame) {
	if c.over {
		return
	}
	switch f.Kind {
	case wire.ServerEvent:
		c.broadcast(f)
	case wire.ServerResponse:
		c.answer(f)
	default:
		c.fail("got a %v: %s %s", f.Kind, f.Code, f.Error)
	}
}

func (c *caller) broadcast(f wire.Frame) {
	var body toldBody
	if err := wire.Unmarshal(c.peer.format, f.Body, &body); err != nil {
		c.fail("broadcast %d: %v", c.seen, err)
		return
	}
	if body.Seq != c.seen {
		c.fail("broadcast %d came where %d was due: lost, repeated or out of order", body.Seq, c.seen)
		return
	}
	c.seen++
	c.story = (c.story*1_000_003+uint64(body.Client))*1_000_003 + uint64(body.N)
	c.finish()
}

func (c *caller) answer(f wire.Frame) {
	if f.ID != "count-"+strconv.Itoa(c.next) {
		c.fail("the answer %s came where that to call %d was due", f.ID, c.next)
		return
	}
	var out countOut
	if err := wire.Unmarshal(c.peer.format, f.Body, &out); err != nil || out.N != c.next {
		c.fail("the answer to call %d is %q (%v)", c.next, f.Body, err)
		return
	}
	if out.Told != c.seen {
		c.fail("the room had made %d broadcasts when it answered call %d, but %d came before the answer", out.Told, c.next, c.seen)
		return
	}
	switch c.next++; {
	case c.next == 1:
		c.stage <- nil
		<-c.start
		for range min(pipelined, c.calls) {
			c.send()
		}
	case c.next == c.calls+2:
		c.stage <- nil
	default:
		if c.sent <= c.calls {
			c.send()
		}
		c.finish()
	}
}

// finish ends the test's stage once everything has come.
func (c *caller) finish() {
	if c.next == c.calls+1 && c.seen == c.all {
		c.stage <- nil
	}
}

// await waits until the caller is through with its stage.
func (c *caller) await(t *testing.T, what string) {
	t.Helper()
	select {
	case err := <-c.stage:
		if err != nil {
			t.Fatalf("client %d (%v), %s: %v", c.number, c.peer.format, what, err)
		}
	case <-c.peer.closed:
		t.Fatalf("client %d (%v), %s: its connection ended with %d %q", c.number, c.peer.format, what, c.peer.code, c.peer.reason)
	case <-time.After(3 * patience): // the whole load may lie between, on a slow machine and with the race detector
		t.Fatalf("client %d (%v), %s: it never came to an end", c.number, c.peer.format, what)
	}
}

// TestAnswersAndBroadcastsKeepTheirOrder has 200 clients, JSON and msgpack in turn, make pipelined calls in one room, of
// which every 20th broadcasts. Each client gets its answers in the order of its calls; all get the same broadcasts in the
// same order, none lost and none twice; and an answer given when k broadcasts were made comes behind exactly these k. With
// SOCKA_LONG set these are 100,000 calls and 1,000,000 deliveries, else 12,000 and 120,000.
func TestAnswersAndBroadcastsKeepTheirOrder(t *testing.T) {
	clients, calls := 200, 60
	if os.Getenv("SOCKA_LONG") != "" {
		calls = 500
	}
	s := serve(t, setup{opts: room.Options{Conn: conn.Options{CallsPerSecond: -1}}}, newCrowd(clients))

	start := make(chan struct{})
	callers := make([]*caller, clients)
	for i := range callers {
		c := &caller{number: i, calls: calls, all: clients * (calls / tellEvery), start: start, stage: make(chan error, 4)}
		c.peer = s.peer("crowd/one", wire.Format(i%2), peerOptions{stalled: true, on: c.frame})
		callers[i] = c
		c.send()
		c.peer.resume()
	}
	for _, c := range callers {
		c.await(t, "entering the room")
	}
	close(start) // everybody is there, so every broadcast goes to all
	for _, c := range callers {
		c.await(t, "calling")
	}
	for _, c := range callers {
		c.send()
		c.await(t, "making its last call, behind which nothing more may come")
		if c.story != callers[0].story {
			t.Errorf("client %d saw other broadcasts than client 0, or in another order", c.number)
		}
	}
}
