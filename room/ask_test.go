package room_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// The contract of a room that asks others.
var (
	ring  = contract.New("ring")
	round = contract.NewCall[Route, Total](ring, "round")
	aside = contract.NewCall[Route, Total](ring, "aside")
)

type (
	Route struct {
		Via []string `json:"via"` // the rooms to ask in turn
	}
	ringTurn = room.Turn[struct{}, struct{}]
)

// newRing makes rooms that pass a route on: each asks the first room of it with the rest.
func newRing(count *int) *room.Definition[struct{}, struct{}] {
	def := &room.Definition[struct{}, struct{}]{Contract: ring}
	next := func(ctx context.Context, to *room.Ref, in Route) (Total, error) {
		out, err := room.Ask(ctx, to, round, Route{in.Via[1:]}, room.Create())
		return Total{out.N + 1}, err
	}
	room.Handle(def, round, func(ctx context.Context, t *ringTurn, in Route) (Total, error) {
		if count != nil {
			*count++
		}
		if len(in.Via) == 0 {
			return Total{}, nil
		}
		return next(ctx, t.Room("ring", in.Via[0]), in)
	}, room.AllowServer)
	room.HandleAsync(def, aside, func(ctx context.Context, t *ringTurn, in Route) (func(context.Context) (Total, error), error) {
		to := t.Room("ring", in.Via[0])
		return func(ctx context.Context) (Total, error) { return next(ctx, to, in) }, nil
	}, func(ctx context.Context, t *ringTurn, out Total, err error) (Total, error) { return out, err }, room.AllowServer)
	return def
}

func TestAskAcrossRooms(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		c := s.Connect("ring/a")
		if got := roomtest.Call(c, round, Route{[]string{"b", "c", "d"}}); got.N != 3 {
			t.Errorf("asked %d rooms, want 3", got.N)
		}
		// Work outside the room may ask its own room.
		if got := roomtest.Call(c, aside, Route{[]string{"a"}}); got.N != 1 {
			t.Errorf("asked %d rooms, want 1", got.N)
		}
		for name, via := range map[string][]string{"self-ask": {"a"}, "cycle of three": {"b", "c", "a"}} {
			began := time.Now()
			if err := roomtest.Refused(c, round, Route{via}); err.Code != contract.AskCycle {
				t.Errorf("%s: %v, want ask_cycle", name, err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("%s was found after %v, not at once", name, took)
			}
		}
	}, newRing(nil))
}

// Two rooms that ask each other at the same moment wait for each other although neither chain contains a cycle.
func TestAskCycleOfTwoChains(t *testing.T) {
	meet := contract.New("meet")
	other := contract.NewCall[Route, contract.None](meet, "other")
	nothing := contract.NewCall[contract.None, contract.None](meet, "nothing")
	def := &room.Definition[struct{}, struct{}]{Contract: meet}
	room.Handle(def, nothing, func(context.Context, *ringTurn, contract.None) (contract.None, error) {
		return contract.None{}, nil
	}, room.AllowServer)
	room.Handle(def, other, func(ctx context.Context, t *ringTurn, in Route) (contract.None, error) {
		time.Sleep(time.Second) // until both are in their turns
		return room.Ask(ctx, t.Room("meet", in.Via[0]), nothing, contract.None{})
	})
	roomtest.Run(t, func(s *roomtest.Server) {
		a, b := s.Connect("meet/a"), s.Connect("meet/b")
		errs := make(chan error, 2)
		call := func(c *roomtest.Client, to string) {
			_, err := callRoom(c, other, Route{[]string{to}})
			errs <- err
		}
		began := time.Now()
		go call(a, "b")
		go call(b, "a")
		got := []contract.Code{contract.CodeOf(<-errs), contract.CodeOf(<-errs)}
		if !(got[0] == contract.AskCycle && got[1] == "" || got[1] == contract.AskCycle && got[0] == "") {
			t.Errorf("answers %q, want one ask_cycle, and then the other succeeds", got)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v, want no waiting beyond the first second", took)
		}
	}, def)
}

func TestAskFromOutside(t *testing.T) {
	var gate chan struct{}
	roomtest.Run(t, func(s *roomtest.Server) {
		gate = make(chan struct{})
		ctx := s.T.Context()
		lab1 := s.Room("lab", "1")
		wantCode := func(what string, err error, want contract.Code) {
			t.Helper()
			if contract.CodeOf(err) != want {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
		}
		_, err := room.Ask(ctx, lab1, total, contract.None{})
		wantCode("a room that does not run", err, contract.NotFound)
		_, err = room.Ask(ctx, s.Room("nokind", "1"), total, contract.None{}, room.Create())
		wantCode("an unknown kind", err, contract.NotFound)
		_, err = room.Ask(ctx, s.Room("lab", "a/b"), total, contract.None{}, room.Create())
		wantCode("a bad name", err, contract.InvalidInput)
		_, err = room.Ask(ctx, lab1, who, contract.None{}, room.Create())
		wantCode("a call for clients only", err, contract.PermissionDenied)
		_, err = room.Ask(ctx, lab1, add, Amount{-1}, room.Create())
		wantCode("an invalid input", err, contract.InvalidInput)

		got, err := room.Ask(ctx, lab1, add, Amount{5}, room.Create())
		if err != nil || got.N != 5 {
			t.Fatalf("Ask = %+v, %v", got, err)
		}
		for range 3 { // a repeat runs once
			got, err = room.Ask(ctx, lab1, add, Amount{1}, room.Key("k1"))
			if err != nil || got.N != 6 {
				t.Fatalf("Ask with a key = %+v, %v", got, err)
			}
		}
		ada := s.Connect("lab/1?name=Ada")
		if err := room.Push(ctx, lab1, added, Total{42}); err != nil {
			t.Fatal(err)
		}
		if got := roomtest.Expect(ada, added); got.N != 42 {
			t.Errorf("pushed %+v", got)
		}
		wantCode("an invalid push", room.Push(ctx, lab1, added, Total{1_000_000}), contract.InvalidOutput)
		wantCode("a push to a room that does not run", room.Push(ctx, s.Room("lab", "2"), added, Total{1}), contract.NotFound)

		// Time up while the room works on it: it may have run.
		began := time.Now()
		_, err = room.Ask(ctx, lab1, slow, Amount{5})
		wantCode("too slow", err, contract.OutcomeUnknown)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("gave up after %v, want the default of 5 s", took)
		}
		// The room ends while it works on it.
		result := make(chan error)
		go func() {
			_, err := room.Ask(ctx, lab1, slow, Amount{5})
			result <- err
		}()
		s.Settle()
		if err := lab1.Close(ctx, 0, "done"); err != nil {
			t.Fatal(err)
		}
		wantCode("the room ended", <-result, contract.OutcomeUnknown)
		close(gate)
	}, newLab(&gate))
}

func TestAdministration(t *testing.T) {
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ctx := s.T.Context()
		for i := range 5 {
			s.Connect(fmt.Sprintf("lab/room%d?name=Ada", i))
		}
		bob := s.Connect("lab/room3?name=Bob")
		var names []string
		for page, next := s.Rooms("lab", "", 2); ; page, next = s.Rooms("lab", next, 2) {
			for _, info := range page {
				names = append(names, fmt.Sprint(info.ID.Name, ":", info.Sessions))
			}
			if next == "" {
				break
			}
		}
		if got, want := strings.Join(names, " "), "room0:1 room1:1 room2:1 room3:2 room4:1"; got != want {
			t.Errorf("rooms %q, want %q", got, want)
		}
		ref := s.Room("lab", "room3")
		sessions, err := ref.Sessions(ctx)
		if err != nil || len(sessions) != 2 {
			t.Fatalf("sessions %+v, %v", sessions, err)
		}
		if err := ref.Kick(ctx, sessions[0].ID, 0, "bye"); err != nil {
			t.Fatal(err)
		}
		roomtest.Expect(bob, left)
		if err := ref.Kick(ctx, sessions[0].ID, 0, "bye"); contract.CodeOf(err) != contract.NotFound {
			t.Errorf("kicked twice: %v", err)
		}
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if s.Ready() == nil {
			t.Error("ready after shutdown")
		}
		if page, _ := s.Rooms("lab", "", 0); len(page) != 0 {
			t.Errorf("rooms after shutdown: %+v", page)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/ws/lab/x", nil))
		if w.Code != 426 && w.Code != 503 {
			t.Errorf("a request after shutdown got %d", w.Code)
		}
	}, newLab(nil))
}

// Who has given up waiting may be asked by what it no longer waits for.
func TestAskOfAnAskerThatGaveUp(t *testing.T) {
	patience := contract.New("patience")
	long := contract.NewCall[contract.None, contract.None](patience, "long")
	brief := contract.NewCall[contract.None, contract.None](patience, "brief")
	start := contract.NewCall[Route, contract.None](patience, "start")
	def := &room.Definition[struct{}, struct{}]{Contract: patience}
	var errs []error
	room.Handle(def, brief, func(context.Context, *ringTurn, contract.None) (contract.None, error) {
		return contract.None{}, nil
	}, room.AllowServer)
	room.Handle(def, start, func(ctx context.Context, t *ringTurn, in Route) (contract.None, error) {
		room.Ask(ctx, t.Room("patience", "b"), long, contract.None{}, room.Create(), room.Timeout(2*time.Second))
		return contract.None{}, nil
	})
	room.HandleAsync(def, long, func(ctx context.Context, t *ringTurn, _ contract.None) (func(context.Context) (int, error), error) {
		a := t.Room("patience", "a")
		return func(ctx context.Context) (int, error) {
			for range 2 {
				time.Sleep(1500 * time.Millisecond)
				_, err := room.Ask(ctx, a, brief, contract.None{})
				errs = append(errs, err)
			}
			return 0, nil
		}, nil
	}, func(context.Context, *ringTurn, int, error) (contract.None, error) { return contract.None{}, nil }, room.AllowServer)
	roomtest.Run(t, func(s *roomtest.Server) {
		roomtest.Call(s.Connect("patience/a"), start, Route{})
		s.Advance(5 * time.Second)
		if len(errs) != 2 || contract.CodeOf(errs[0]) != contract.AskCycle || errs[1] != nil {
			t.Errorf("asked while it waits, and later: %v, want ask_cycle and nil", errs)
		}
	}, def)
}
