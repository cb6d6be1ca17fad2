package room

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
)

// newBare runs a server of rooms without calls in a bubble.
func newBare(t *testing.T, def *Definition[int, int], f func(t *testing.T, s *Server)) {
	def.Contract = contract.New("c")
	synctest.Test(t, func(t *testing.T) {
		s, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)}, def)
		if err != nil {
			t.Fatal(err)
		}
		f(t, s)
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// MayCreate decides about every room that is made, also when the room that a session was let into ends before the
// session is there.
func TestMayCreateIsNotPassedBy(t *testing.T) {
	asked := 0
	def := &Definition[int, int]{MayCreate: func(*http.Request, ID, int) error { asked++; return nil }}
	newBare(t, def, func(t *testing.T, s *Server) {
		id, k := ID{"c", "1"}, s.kinds["c"]
		var got inbox
		from, err := s.system.Register("conn/1", &got)
		if err != nil {
			t.Fatal(err)
		}
		attach := func(session string, in entrant) {
			e, err := s.acquire(id, true)
			if err != nil {
				t.Fatal(err)
			}
			s.system.Send(e.pid, &actors.Attach{From: from, Session: session, Data: in})
			synctest.Wait()
		}
		enter := func() entrant {
			in, err := s.authenticate(k, nil, id, "")
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.enter(k, r, id, netip.Addr{}, &in)
			if err != nil {
				t.Fatal(err)
			}
			s.rooms.arrived(e)
			return in
		}
		if _, err := s.acquire(id, true); err != nil { // somebody else is on the way, and not there yet
			t.Fatal(err)
		}
		attach("first", enter())
		second := enter() // let in because the room runs
		if asked != 1 {
			t.Errorf("MayCreate was asked %d times, want once", asked)
		}
		if err := s.Room("c", "1").Close(t.Context(), 0, ""); err != nil {
			t.Fatal(err)
		}
		attach("second", second)
		attach("third", enter())
		var codes []uint16
		for _, m := range got {
			codes = append(codes, m.(*actors.Close).Code)
		}
		if want := []uint16{conn.CloseRoomClosed, conn.CloseUnavailable}; fmt.Sprint(codes) != fmt.Sprint(want) || asked != 2 {
			t.Errorf("closed with %v, MayCreate asked %d times; want %v, 2 times", codes, asked, want)
		}
		e, _ := s.acquire(id, false) // what was on the way gives up
		s.rooms.arrived(e)
		s.rooms.arrived(e)
		s.system.Send(e.pid, settle{})
	})
}

// Who waits for a room that fails by a fault of this package waits no longer than that.
func TestVisitsOfARoomThatFails(t *testing.T) {
	newBare(t, &Definition[int, int]{}, func(t *testing.T, s *Server) {
		var got inbox
		from, err := s.system.Register("conn/1", &got)
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.acquire(ID{"c", "1"}, true)
		if err != nil {
			t.Fatal(err)
		}
		s.system.Send(e.pid, &actors.Attach{From: from, Session: "x", Data: entrant{data: 1, create: true}})
		synctest.Wait()
		errs := make(chan error)
		go func() {
			errs <- s.Room("c", "1").visit(t.Context(), func(*room) error { time.Sleep(time.Second); panic("fault") })
		}()
		synctest.Wait()
		go func() { errs <- s.Room("c", "1").visit(t.Context(), func(*room) error { return nil }) }()
		for range 2 {
			if err := <-errs; contract.CodeOf(err) != contract.OutcomeUnknown {
				t.Errorf("got %v, want outcome_unknown", err)
			}
		}
		synctest.Wait()
		if closed, _ := got[0].(*actors.Close); len(got) != 1 || closed == nil || closed.Code != conn.CloseRoomFailed {
			t.Errorf("the session got %v", got)
		}
		if s.rooms.count() != 0 {
			t.Error("the room is still there")
		}
	})
}

// A room without a state is none, although somebody is on the way to it.
func TestRoomsListsRunningRoomsOnly(t *testing.T) {
	newBare(t, &Definition[int, int]{}, func(t *testing.T, s *Server) {
		e, err := s.acquire(ID{"c", "1"}, true)
		if err != nil {
			t.Fatal(err)
		}
		if page, _ := s.Rooms("c", "", 0); len(page) != 0 {
			t.Errorf("rooms: %v", page)
		}
		s.rooms.arrived(e)
		s.system.Send(e.pid, settle{})
	})
}

// The memory of keyed Asks is bounded whatever runs how long.
func TestAnsweredAsksAreBounded(t *testing.T) {
	newBare(t, &Definition[int, int]{}, func(t *testing.T, s *Server) {
		from, err := s.system.Register("asker", &inbox{})
		if err != nil {
			t.Fatal(err)
		}
		r := &room{server: s}
		ask := func(key string) *actors.Ask { return &actors.Ask{From: from, RPC: "x", Key: key} }
		r.answered.seen(r, ask("runs for ever"))
		for i := range 3 * maxAnswered {
			m := ask(fmt.Sprint(i))
			if r.answered.seen(r, m) {
				t.Fatalf("key %d was not seen before", i)
			}
			r.answered.done(r, m, &actors.AskResult{})
		}
		if n := len(r.answered.byKey); n != maxAnswered+1 || len(r.answered.order) != maxAnswered {
			t.Errorf("%d keys, %d in order, want %d and the one that runs", n, len(r.answered.order), maxAnswered)
		}
		if !r.answered.seen(r, ask("runs for ever")) || !r.answered.seen(r, ask(fmt.Sprint(3*maxAnswered-1))) || r.answered.seen(r, ask("0")) {
			t.Error("it forgot a key that runs, or the newest, or remembers the oldest")
		}
	})
}

func TestWaitsLeaveNothing(t *testing.T) {
	var w waits
	ab, err := w.begin([]string{"a"}, "b")
	bc, err2 := w.begin([]string{"x", "b"}, "c")
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if _, err := w.begin([]string{"c"}, "a"); contract.CodeOf(err) != contract.AskCycle {
		t.Errorf("c asks a: %v", err)
	}
	w.end(ab)
	w.end(ab)
	ca, err := w.begin([]string{"c"}, "a")
	if err != nil {
		t.Errorf("a has its answer, c asks it: %v", err)
	}
	w.end(bc)
	w.end(ca)
	w.end(0)
	if len(w.on) != 0 || len(w.who) != 0 {
		t.Errorf("left over: %v %v", w.on, w.who)
	}
}

func TestBucketsOfStrangeRates(t *testing.T) {
	addr, now := netip.MustParseAddr("192.0.2.1"), time.Unix(1000, 0)
	for _, rate := range []float64{1e-300, 1e-11, 1e-9, 1, 1e9} {
		b := newBuckets(rate, 1, -1, 0)
		b.take(addr, now)
		if wait := b.take(addr, now); wait <= 0 || wait > time.Hour+1 {
			t.Errorf("rate %v: wait %v", rate, wait)
		}
	}
	b := newBuckets(1e9, 1, -1, 0)
	b.of(addr, now).tokens, b.of(addr, now).at = 1-1e-12, now
	if b.take(addr, now) <= 0 {
		t.Error("less than a token was taken for one")
	}
	for want, o := range map[string]*Options{
		"RoomBurst is -1":    {RoomBurst: -1},
		"AllRoomBurst is -2": {AllRoomBurst: -2},
		"not a number":       {AllRoomsPerSecond: math.NaN()},
	} {
		_, err := NewServer(o, &Definition[int, int]{Contract: contract.New("c")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
