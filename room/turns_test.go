package room_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// The contract of a room that shows what turns do.
var (
	lab     = contract.New("lab")
	add     = contract.NewCall[Amount, Total](lab, "add")
	total   = contract.NewCall[contract.None, Total](lab, "total")
	fail    = contract.NewCall[Failure, contract.None](lab, "fail")
	slow    = contract.NewCall[Amount, Total](lab, "slow")
	quietly = contract.NewOneWay[Amount](lab, "quietly")
	who     = contract.NewCall[contract.None, Names](lab, "who")
	remove  = contract.NewCall[Removal, contract.None](lab, "remove")
	cheat   = contract.NewCall[contract.None, contract.None](lab, "cheat")
	later   = contract.NewCall[Amount, contract.None](lab, "later")
	spoil   = contract.NewCall[contract.None, contract.None](lab, "spoil")
	rename  = contract.NewCall[contract.None, contract.None](lab, "rename")

	added = contract.NewPush[Total](lab, "added")
	left  = contract.NewPush[Names](lab, "left")
)

type (
	Amount struct {
		N int `json:"n" jsonschema:"minimum=0,maximum=1000"`
	}
	Total struct {
		N int `json:"n" jsonschema:"maximum=100000"`
	}
	Failure struct {
		How string `json:"how" jsonschema:"enum=coded,enum=plain,enum=panic,enum=push,enum=data"`
	}
	Names struct {
		Names []string `json:"names"`
	}
	Removal struct {
		Destroy bool   `json:"destroy,omitempty"`
		Name    string `json:"name"`
		Room    bool   `json:"room,omitempty"`
	}
	labState struct{ N int }
	labUser  struct{ Name string }
	labTurn  = room.Turn[labState, labUser]
)

// newLab makes the definition; gate, if not nil, points to what holds the work of slow and later up until it is closed
// (made within the test's bubble, so a pointer).
func newLab(gate *chan struct{}) *room.Definition[labState, labUser] {
	def := &room.Definition[labState, labUser]{Contract: lab}
	def.Authenticate = userFromQuery
	def.OnDetach = func(ctx context.Context, t *labTurn) error {
		room.Broadcast(t, left, Names{[]string{t.Session.Data.Name}})
		return nil
	}
	room.Handle(def, add, func(ctx context.Context, t *labTurn, in Amount) (Total, error) {
		t.State.N += in.N
		room.Broadcast(t, added, Total{t.State.N}, room.Except(t.Session))
		return Total{t.State.N}, nil
	}, room.AllowServer)
	room.HandleRead(def, total, func(ctx context.Context, t *labTurn, _ contract.None) (Total, error) {
		return Total{t.State.N}, nil
	}, room.AllowServer)
	room.Handle(def, fail, func(ctx context.Context, t *labTurn, in Failure) (contract.None, error) {
		t.State.N++
		room.Broadcast(t, added, Total{-1})
		switch in.How {
		case "coded":
			return contract.None{}, contract.Errorf("too_late", "the door is shut").WithData(map[string]any{"since": 3})
		case "panic":
			panic("secret detail")
		case "data":
			return contract.None{}, contract.Errorf("too_late", "the door is shut").WithData(func() {})
		case "push":
			room.Broadcast(t, added, Total{1_000_000})
			return contract.None{}, nil
		}
		return contract.None{}, errors.New("secret detail")
	})
	wait := func(ctx context.Context) {
		if gate != nil {
			select {
			case <-*gate:
			case <-ctx.Done():
			}
		}
	}
	room.HandleAsync(def, slow, func(ctx context.Context, t *labTurn, in Amount) (func(context.Context) (int, error), error) {
		if in.N == 13 {
			return nil, contract.Errorf("unlucky", "not 13")
		}
		return func(ctx context.Context) (int, error) {
			wait(ctx)
			if in.N == 666 {
				panic("work fell over")
			}
			return in.N * 2, ctx.Err()
		}, nil
	}, func(ctx context.Context, t *labTurn, doubled int, err error) (Total, error) {
		if err != nil {
			return Total{}, err
		}
		t.State.N += doubled
		return Total{t.State.N}, nil
	}, room.AllowServer)
	room.HandleOneWay(def, quietly, func(ctx context.Context, t *labTurn, in Amount) error {
		t.State.N += in.N
		if in.N == 13 {
			return contract.Errorf("unlucky", "not 13")
		}
		return nil
	})
	room.HandleRead(def, who, func(ctx context.Context, t *labTurn, _ contract.None) (Names, error) {
		var names Names
		for _, s := range t.Sessions() {
			names.Names = append(names.Names, s.Data.Name)
		}
		return names, nil
	})
	room.Handle(def, remove, func(ctx context.Context, t *labTurn, in Removal) (contract.None, error) {
		if in.Room {
			t.CloseRoom(0, "closing time")
		}
		if in.Destroy {
			t.Destroy()
		}
		for _, s := range t.Sessions() {
			if s.Data.Name == in.Name {
				room.Emit(t, s, added, Total{7})
				t.Close(s, 0, "out you go")
			}
		}
		return contract.None{}, nil
	})
	room.HandleRead(def, cheat, func(ctx context.Context, t *labTurn, _ contract.None) (contract.None, error) {
		room.Broadcast(t, added, Total{0})
		return contract.None{}, nil
	})
	room.HandleRead(def, spoil, func(ctx context.Context, t *labTurn, _ contract.None) (contract.None, error) {
		t.State.N = -5
		return contract.None{}, nil
	})
	room.HandleRead(def, rename, func(ctx context.Context, t *labTurn, _ contract.None) (contract.None, error) {
		t.Session.Data.Name = "Nobody"
		return contract.None{}, nil
	})
	room.Handle(def, later, func(ctx context.Context, t *labTurn, in Amount) (contract.None, error) {
		room.Go(t, func(ctx context.Context) (int, error) { wait(ctx); return in.N, nil },
			func(ctx context.Context, t *labTurn, n int, err error) error {
				t.State.N += n
				room.Broadcast(t, added, Total{t.State.N})
				return err
			})
		if in.N == 13 {
			return contract.None{}, contract.Errorf("unlucky", "not 13")
		}
		return contract.None{}, nil
	})
	return def
}

func TestCallsAndBroadcasts(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob&wire=msgpack")
		other := s.Connect("lab/2?name=Eve")
		if got := roomtest.Call(ada, add, Amount{5}); got.N != 5 {
			t.Errorf("add = %+v", got)
		}
		if got := roomtest.Call(bob, add, Amount{6}); got.N != 11 {
			t.Errorf("add = %+v", got)
		}
		if got := roomtest.Expect(bob, added); got.N != 5 {
			t.Errorf("bob got %+v", got)
		}
		if got := roomtest.Expect(ada, added); got.N != 11 {
			t.Errorf("ada got %+v", got)
		}
		roomtest.ExpectNone(other, added)
		if got := roomtest.Call(other, total, contract.None{}); got.N != 0 {
			t.Errorf("the other room has %+v", got)
		}
		roomtest.Send(ada, quietly, Amount{1})
		if got := roomtest.Call(bob, total, contract.None{}); got.N != 12 {
			t.Errorf("after the one-way call: %+v", got)
		}
		if got := roomtest.Call(ada, who, contract.None{}); fmt.Sprint(got.Names) != "[Ada Bob]" {
			t.Errorf("who = %v", got.Names)
		}
		bob.Close()
		s.Settle()
		if got := roomtest.Expect(ada, left); fmt.Sprint(got.Names) != "[Bob]" {
			t.Errorf("left = %v", got.Names)
		}
	}, newLab(nil))
}

// An error drops the turn's outputs, not its changes; what a client is told depends on the kind of error.
func TestFailures(t *testing.T) {
	var reported []string
	opts := &room.Options{Hooks: room.Hooks{
		HandlerError:    func(e room.HandlerErrorEvent) { reported = append(reported, "handler: "+e.Name+": "+e.Err.Error()) },
		ValidationError: func(e room.ValidationErrorEvent) { reported = append(reported, "validation: "+e.Name) },
	}}
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		for _, c := range []struct {
			how, code, message, report string
		}{
			{"coded", "too_late", "the door is shut", "handler: fail: "},
			{"panic", "internal", "internal error", "handler: fail: room: fail panicked: secret detail"},
			{"plain", "internal", "secret detail", "handler: fail: secret detail"}, // roomtest exposes it; the default does not
			{"push", "invalid_output", "", "validation: fail"},
		} {
			reported = nil
			err := roomtest.Refused(ada, fail, Failure{c.how})
			if string(err.Code) != c.code || c.message != "" && err.Message != c.message || c.how == "panic" && strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: answered %q %q, want %q %q", c.how, err.Code, err.Message, c.code, c.message)
			}
			if len(reported) != 1 || !strings.HasPrefix(reported[0], c.report) {
				t.Errorf("%s: reported %q, want %q", c.how, reported, c.report)
			}
		}
		roomtest.ExpectNone(bob, added)
		roomtest.ExpectNone(ada, added)
		if got := roomtest.Call(bob, total, contract.None{}); got.N != 4 {
			t.Errorf("the failed turns' changes: total %d, want 4", got.N)
		}
		reported = nil
		if err := roomtest.Refused(ada, fail, Failure{"data"}); err.Code != "too_late" || err.Data != nil {
			t.Errorf("an error whose data cannot be encoded: %v with %v", err, err.Data)
		}
		if got := fmt.Sprint(reported); got != "[handler: fail: too_late: the door is shut validation: fail]" {
			t.Errorf("reported %s", got)
		}
		err := roomtest.Refused(ada, fail, Failure{"coded"})
		if data, _ := err.Data.(map[string]any); fmt.Sprint(data["since"]) != "3" {
			t.Errorf("data = %#v", err.Data)
		}
		if err := roomtest.Refused(ada, cheat, contract.None{}); err.Code != contract.Internal {
			t.Errorf("a broadcast in a read-only turn: %v", err)
		}
		if err := roomtest.Refused(ada, spoil, contract.None{}); !strings.Contains(err.Message, "read-only") {
			t.Errorf("a change in a read-only turn: %v", err)
		}
		if err := roomtest.Refused(ada, rename, contract.None{}); !strings.Contains(err.Message, "read-only") {
			t.Errorf("a change of a session's data in a read-only turn: %v", err)
		}
	}, newLab(nil))
}

// An output that does not pass its schema is the server's fault: answered, and reported as such.
func TestInvalidOutput(t *testing.T) {
	var reported []string
	opts := &room.Options{Hooks: room.Hooks{ValidationError: func(e room.ValidationErrorEvent) {
		reported = append(reported, fmt.Sprint(e.Name, " by the client: ", e.Input))
	}}}
	def := newLab(nil)
	def.New = func(context.Context, room.ID) (labState, error) { return labState{N: 1_000_000}, nil }
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		ada := s.Connect("lab/1?name=Ada")
		if err := roomtest.Refused(ada, total, contract.None{}); err.Code != contract.InvalidOutput || !strings.Contains(err.Message, "n: ") {
			t.Errorf("answered %v", err)
		}
		if fmt.Sprint(reported) != "[total by the client: false]" {
			t.Errorf("reported %q", reported)
		}
	}, def)
}

// Repeated panics close the room with the documented code, and the next to come finds a new one.
func TestRepeatedPanicsCloseTheRoom(t *testing.T) {
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("lab/1?name=Ada")
		changes, stop := ada.Changes()
		defer stop()
		for range 10 {
			roomtest.Refused(ada, fail, Failure{"panic"})
		}
		if ada.Status() != client.Open {
			t.Fatalf("after 10 panics: %v", ada.Status())
		}
		roomtest.Refused(ada, fail, Failure{"panic"})
		s.Advance(time.Second)
		if c := lastChange(changes); uint16(c.Code) != conn.CloseRoomFailed {
			t.Fatalf("closed with %d (%v), want %d", c.Code, c.Err, conn.CloseRoomFailed)
		}
		if got := roomtest.Call(s.Connect("lab/1?name=Ada"), total, contract.None{}); got.N != 0 {
			t.Errorf("the new room has %+v", got)
		}
	}, newLab(nil))
}

func TestAsyncDelaysOnlyItsCaller(t *testing.T) {
	var gate chan struct{}
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		gate = make(chan struct{})
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		if err := roomtest.Refused(ada, slow, Amount{13}); err.Code != "unlucky" {
			t.Errorf("begin refused with %v", err)
		}
		answers := make(chan string, 2)
		go func() {
			got, err := client.Call(s.T.Context(), ada.Client, slow, Amount{5})
			answers <- fmt.Sprint("slow ", got.N, err)
		}()
		s.Settle()
		go func() { // waits behind the slow one
			got, err := client.Call(s.T.Context(), ada.Client, add, Amount{1})
			answers <- fmt.Sprint("add ", got.N, err)
		}()
		s.Settle()
		if got := roomtest.Call(bob, add, Amount{100}); got.N != 100 {
			t.Errorf("bob waits for ada's call: %+v", got)
		}
		close(gate)
		got := []string{<-answers, <-answers}
		slices.Sort(got)
		if want := []string{"add 111 <nil>", "slow 110 <nil>"}; !slices.Equal(got, want) { // 110 before 111: in order
			t.Errorf("ada's answers: %q, want %q", got, want)
		}
		if err := roomtest.Refused(ada, slow, Amount{666}); err.Code != contract.Internal {
			t.Errorf("panic in work: %v", err)
		}
	}, newLab(&gate))
}

// A call that was received before its connection closed runs before OnDetach, also behind a slow one.
func TestDetachWaitsForQueuedCalls(t *testing.T) {
	var gate chan struct{}
	roomtest.Run(t, func(s *roomtest.Server) {
		gate = make(chan struct{})
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		go client.Call(s.T.Context(), ada.Client, slow, Amount{5})
		s.Settle()
		go client.Call(s.T.Context(), ada.Client, add, Amount{1})
		s.Settle()
		ada.Close()
		s.Settle()
		roomtest.ExpectNone(bob, left)
		close(gate)
		if got := roomtest.Expect(bob, added); got.N != 11 {
			t.Errorf("the queued call gave %+v", got)
		}
		roomtest.Expect(bob, left)
	}, newLab(&gate))
}

func TestGo(t *testing.T) {
	var gate chan struct{}
	roomtest.Run(t, func(s *roomtest.Server) {
		gate = make(chan struct{})
		ada := s.Connect("lab/1?name=Ada")
		roomtest.Refused(ada, later, Amount{13}) // fails, so its work never starts
		roomtest.Call(ada, later, Amount{4})
		roomtest.ExpectNone(ada, added)
		close(gate)
		if got := roomtest.Expect(ada, added); got.N != 4 {
			t.Errorf("then made %+v", got)
		}
		roomtest.ExpectNone(ada, added)
	}, newLab(&gate))
}

// When the room ends, an async call is answered with outcome_unknown before its connection closes.
func TestAsyncCallOfARoomThatEnds(t *testing.T) {
	var gate chan struct{}
	roomtest.Run(t, func(s *roomtest.Server) {
		gate = make(chan struct{})
		defer close(gate)
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		answer := make(chan error, 1)
		go func() {
			_, err := client.Call(s.T.Context(), ada.Client, slow, Amount{5})
			answer <- err
		}()
		s.Settle()
		roomtest.Call(bob, remove, Removal{Room: true})
		if err := <-answer; contract.CodeOf(err) != contract.OutcomeUnknown || errors.Is(err, client.ErrConnectionLost) {
			t.Errorf("answered %v", err)
		}
	}, newLab(&gate))
}

func TestCloseSessionAndRoom(t *testing.T) {
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		changes, stop := bob.Changes()
		defer stop()
		roomtest.Call(ada, remove, Removal{Name: "Bob"})
		if got := roomtest.Expect(bob, added); got.N != 7 {
			t.Errorf("what was sent before the close: %+v", got)
		}
		roomtest.Expect(ada, left)
		s.Advance(time.Second)
		if c := lastChange(changes); uint16(c.Code) != conn.CloseKicked {
			t.Errorf("bob closed with %d (%v)", c.Code, c.Err)
		}
		if got := roomtest.Call(ada, who, contract.None{}); fmt.Sprint(got.Names) != "[Ada]" {
			t.Errorf("who = %v", got.Names)
		}
		// A caller that removes itself gets its answer first.
		changes, stop = ada.Changes()
		defer stop()
		roomtest.Call(ada, add, Amount{3})
		roomtest.Call(ada, remove, Removal{Room: true})
		s.Advance(time.Second)
		if c := lastChange(changes); uint16(c.Code) != conn.CloseRoomClosed {
			t.Errorf("ada closed with %d (%v)", c.Code, c.Err)
		}
		if page, _ := s.Rooms("lab", "", 0); len(page) != 0 {
			t.Errorf("rooms left: %+v", page)
		}
		again := s.Connect("lab/1?name=Ada")
		if got := roomtest.Call(again, total, contract.None{}); got.N != 3 {
			t.Errorf("a room that was closed has %+v, want what it had", got)
		}
		// A room that destroys itself leaves nothing.
		roomtest.Call(again, remove, Removal{Destroy: true})
		s.Advance(time.Second)
		if c := again.Status(); c == client.Open {
			t.Error("a session of a room that was destroyed is still there")
		}
		if got := roomtest.Call(s.Connect("lab/1?name=Ada"), total, contract.None{}); got.N != 0 {
			t.Errorf("a new room has %+v", got)
		}
	}, newLab(nil))
}

func TestTurnAfterItsEndPanics(t *testing.T) {
	var kept *labTurn
	def := newLab(nil)
	def.OnAttach = func(ctx context.Context, t *labTurn) error { kept = t; return nil }
	roomtest.Run(t, func(s *roomtest.Server) {
		s.Connect("lab/1?name=Ada")
		defer func() {
			if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "after its turn") {
				t.Errorf("recovered %v", v)
			}
		}()
		kept.Sessions()
	}, def)
}

// Ticks come at a fixed rate while somebody is there; those that were missed are skipped.
func TestTicks(t *testing.T) {
	def := newLab(nil)
	def.TickEvery = 100 * time.Millisecond
	var ticks tickLog
	def.OnTick = func(ctx context.Context, t *labTurn) error {
		time.Sleep(ticks.note())
		return nil
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		ticks.begin = time.Now()
		ada := s.Connect("lab/1?name=Ada")
		s.Advance(350 * time.Millisecond)
		ticks.want(t, "[100ms 200ms 300ms]")
		ticks.stall(250 * time.Millisecond) // the tick at 400 lasts until 650
		s.Advance(500 * time.Millisecond)
		ticks.want(t, "[400ms 700ms 800ms]")
		ada.Close()
		s.Advance(time.Second)
		ticks.want(t, "[]")
	}, def)
}

type tickLog struct {
	mu     sync.Mutex
	begin  time.Time
	at     []time.Duration
	stalls time.Duration
}

// note writes a tick down and says how long it shall last.
func (l *tickLog) note() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Since(l.begin))
	stall := l.stalls
	l.stalls = 0
	return stall
}

func (l *tickLog) stall(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalls = d
}

func (l *tickLog) want(t *testing.T, want string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if got := fmt.Sprint(l.at); got != want {
		t.Errorf("ticks at %s, want %s", got, want)
	}
	l.at = nil
}
