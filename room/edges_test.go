package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// A contract whose call does what the test says.
var (
	edge = contract.New("edge")
	do   = contract.NewCall[Step, Total](edge, "do")
	look = contract.NewCall[Step, Total](edge, "look")
)

type (
	Step struct {
		What string `json:"what,omitempty"`
	}
	edgeTurn = room.Turn[map[string]int, string]
	edgeDef  = room.Definition[map[string]int, string]
)

// newEdge makes a room whose state starts as nil and whose call runs f.
func newEdge(f func(ctx context.Context, t *edgeTurn, what string) error) *edgeDef {
	def := &edgeDef{Contract: edge}
	def.Authenticate = func(r *http.Request, id room.ID) (string, error) { return r.URL.Query().Get("name"), nil }
	handle := func(ctx context.Context, t *edgeTurn, in Step) (Total, error) {
		if f == nil {
			return Total{}, nil
		}
		return Total{len(*t.State)}, f(ctx, t, in.What)
	}
	room.Handle(def, do, handle, room.AllowServer)
	room.HandleRead(def, look, handle, room.AllowServer)
	return def
}

// New belongs to the turn of the Ask that makes the room: a cycle through it is found at once.
func TestNewIsPartOfTheAskersTurn(t *testing.T) {
	var inNew error
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		if what == "" {
			return nil
		}
		_, err := room.Ask(ctx, t.Room("edge", what), do, Step{}, room.Create())
		return err
	})
	refs := make(chan *room.Ref, 1)
	def.New = func(ctx context.Context, id room.ID) (map[string]int, error) {
		if id.Name == "b" {
			_, inNew = room.Ask(ctx, <-refs, do, Step{})
		}
		return nil, ctx.Err()
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		refs = make(chan *room.Ref, 1)
		refs <- s.Room("edge", "a")
		a := s.Connect("edge/a")
		began := time.Now()
		roomtest.Call(a, do, Step{"b"})
		if took := time.Since(began); contract.CodeOf(inNew) != contract.AskCycle || took != 0 {
			t.Errorf("New asked the room that waits for it: %v after %v, want ask_cycle at once", inNew, took)
		}
	}, def)
}

// Who has its answer does not wait any more: what the room does after answering may ask it.
func TestOnDetachAsksWhoeverCausedIt(t *testing.T) {
	var inDetach []error
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		switch {
		case strings.HasPrefix(what, "empty "):
			_, err := room.Ask(ctx, t.Room("edge", what[6:]), do, Step{"close all"})
			return err
		case what == "close all":
			for _, s := range t.Sessions() {
				t.Close(s, 0, "")
			}
		}
		return nil
	})
	def.OnDetach = func(ctx context.Context, t *edgeTurn) error {
		if t.ID().Name == "b" {
			_, err := room.Ask(ctx, t.Room("edge", "a"), do, Step{})
			inDetach = append(inDetach, err)
		}
		return nil
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		a := s.Connect("edge/a")
		for range 20 {
			s.Connect("edge/b")
			s.Connect("edge/b")
			roomtest.Call(a, do, Step{"empty b"})
		}
		if len(inDetach) != 40 || slices.ContainsFunc(inDetach, func(err error) bool { return err != nil }) {
			t.Errorf("%d times OnDetach asked: %v", len(inDetach), inDetach)
		}
	}, def)
}

// Two rooms whose turns look into each other wait for each other as well.
func TestVisitsFindCycles(t *testing.T) {
	codes := make(map[string]contract.Code)
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		time.Sleep(time.Second) // until both are in their turns
		_, err := t.Room("edge", what).Sessions(ctx)
		(*t.State) = map[string]int{"cycle": 0}
		return err
	})
	roomtest.Run(t, func(s *roomtest.Server) {
		a, b := s.Connect("edge/a"), s.Connect("edge/b")
		done := make(chan struct{})
		began := time.Now()
		var inA, inB error
		go func() { defer close(done); _, inA = callRoom(a, do, Step{"b"}) }()
		_, inB = callRoom(b, do, Step{"a"})
		<-done
		codes["a"], codes["b"] = contract.CodeOf(inA), contract.CodeOf(inB)
		if n := len(slices.DeleteFunc([]contract.Code{codes["a"], codes["b"]}, func(c contract.Code) bool { return c != contract.AskCycle })); n != 1 {
			t.Errorf("answers %v, want one ask_cycle", codes)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v, want no waiting beyond the first second", took)
		}
	}, def)
}

// An Ask that is served while the time of an empty room runs out keeps what it wrote.
func TestEmptyRoomThatIsAskedInTheLastMoment(t *testing.T) {
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		if what == "slowly" {
			time.Sleep(2 * time.Second)
		}
		if *t.State == nil {
			*t.State = make(map[string]int)
		}
		(*t.State)[fmt.Sprint(len(*t.State))] = 1
		return nil
	})
	def.KeepEmpty = time.Minute
	roomtest.Run(t, func(s *roomtest.Server) {
		ask := func(what string) int {
			out, err := room.Ask(s.T.Context(), s.Room("edge", "a"), do, Step{what}, room.Create())
			if err != nil {
				t.Fatal(err)
			}
			s.Settle()
			return out.N
		}
		ask("")
		s.Advance(59 * time.Second)
		ask("slowly")
		s.Advance(30 * time.Second)
		if n := ask(""); n != 2 {
			t.Errorf("the room knows of %d Asks, want 2", n)
		}
		s.Advance(61 * time.Second)
		if page, _ := s.Rooms("edge", "", 0); len(page) != 0 {
			t.Errorf("rooms after KeepEmpty: %v", page)
		}
	}, def)
}

// textless is an error whose methods panic when it is nil, as those of most error types do.
type textless struct{ cause error }

func (e *textless) Error() string { return "textless: " + e.cause.Error() }
func (e *textless) Unwrap() error { return e.cause }

// explosive panics when it is encoded.
type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

// Code of the application runs outside the handlers too: methods of errors, of error data, and hooks. None of it may end
// a room, or leave a call without its answer.
func TestPanicsOutsideHandlers(t *testing.T) {
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		switch what {
		case "nil coded":
			var err *contract.Error
			return err
		case "nil other":
			var err *textless
			return err
		case "data":
			return contract.Errorf("boom", "with data").WithData(explosive{})
		}
		return nil
	})
	def.Authenticate = func(r *http.Request, id room.ID) (string, error) {
		switch r.URL.Query().Get("name") {
		case "nil coded":
			var err *contract.Error
			return "", err
		case "coded panic":
			panic(contract.Errorf(contract.Unauthenticated, "secret detail"))
		}
		return "", nil
	}
	opts := quiet()
	opts.Hooks = room.Hooks{
		Turn:            func(room.TurnEvent) { panic("in a hook") },
		HandlerError:    func(room.HandlerErrorEvent) { panic("in a hook") },
		ValidationError: func(room.ValidationErrorEvent) { panic("in a hook") },
		Attach:          func(room.SessionEvent) { panic("in a hook") },
		Detach:          func(room.SessionEvent) { panic("in a hook") },
		Close:           func(room.CloseEvent) { panic("in a hook") },
	}
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		bob := s.Connect("edge/a")
		for what, want := range map[string]string{
			"nil coded": "internal: an error of type *contract.Error without a text; if it is a nil pointer, return nil itself",
			"nil other": "internal: an error of type *room_test.textless without a text",
			"data":      "boom: with data",
		} {
			c := s.Connect("edge/a")
			if err := roomtest.Refused(c, do, Step{what}); !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v, want %s", what, err, want)
			}
			c.Close()
		}
		roomtest.Call(bob, do, Step{})
		for name, want := range map[string]int{"nil%20coded": 403, "coded%20panic": 500} {
			_, err := s.Dial("edge/a?name="+name, nil)
			var refused *client.HandshakeError
			if !errors.As(err, &refused) || refused.StatusCode != want || strings.Contains(refused.Error(), "secret") {
				t.Errorf("Authenticate, %s: %v, want %d", name, err, want)
			}
		}
		if err := s.Room("edge", "a").Kick(s.T.Context(), "nobody", 0, ""); contract.CodeOf(err) != contract.NotFound {
			t.Errorf("Kick: %v", err)
		}
	}, def)
}

// A session that its own OnAttach removes has come before it goes, and Connected tells a lost socket.
func TestSessionEventsComeInPairs(t *testing.T) {
	def := newEdge(nil)
	def.OnAttach = func(ctx context.Context, t *edgeTurn) error {
		switch t.Session.Data {
		case "Self":
			t.Close(t.Session, 0, "")
		case "Room":
			t.CloseRoom(0, "")
		case "Refused":
			return errors.New("no")
		}
		return nil
	}
	var log []string
	def.OnDetach = func(ctx context.Context, t *edgeTurn) error {
		log = append(log, fmt.Sprint(t.Session.Data, t.Session.Connected()))
		return nil
	}
	opts := quiet()
	opts.Hooks.Attach = func(e room.SessionEvent) { log = append(log, fmt.Sprint("+", e.Sessions)) }
	opts.Hooks.Detach = func(e room.SessionEvent) { log = append(log, fmt.Sprint("-", e.Sessions)) }
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		want := func(steps string) {
			t.Helper()
			s.Settle()
			if got := strings.Join(log, " "); got != steps {
				t.Errorf("log %q, want %q", got, steps)
			}
			log = nil
		}
		refused := func(name string, code uint16) {
			t.Helper()
			_, err := s.Dial("edge/a?name="+name, nil)
			var closed *client.ConnectionError
			if !errors.As(err, &closed) || uint16(closed.Code) != code {
				t.Errorf("%s: %v, want %d", name, err, code)
			}
		}
		refused("Refused", conn.CloseInternal)
		want("")
		refused("Self", conn.CloseKicked)
		want("+1 Selffalse -0")
		s.Connect("edge/a?name=Ada").Close()
		want("+1 Adafalse -0")
		s.Connect("edge/a?name=Ada")
		refused("Room", conn.CloseRoomClosed)
		want("+1 +2 Adatrue -1 Roomtrue -0")
	}, def)
}

// A turn that fails its check fails as that, whatever else it answers, and its errors are the handler's.
func TestChecksAreNotMaskedByErrors(t *testing.T) {
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		if what == "spoil" {
			*t.State = map[string]int{"spoiled": 1}
			return contract.Errorf(contract.Conflict, "as expected")
		}
		*t.State = map[string]int{"caf\xe9": 1}
		return nil
	})
	var failed []string
	opts := quiet()
	opts.Hooks.HandlerError = func(e room.HandlerErrorEvent) { failed = append(failed, e.Name) }
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		c := s.Connect("edge/a")
		if err := roomtest.Refused(c, look, Step{"spoil"}); err.Code != contract.Internal || !strings.Contains(err.Message, "changed the state") {
			t.Errorf("a read-only turn that changes the state and fails: %v", err)
		}
		if err := roomtest.Refused(c, do, Step{}); !strings.Contains(err.Message, "does not survive a snapshot") {
			t.Errorf("a state that is not UTF-8: %v", err)
		}
		if fmt.Sprint(failed) != "[look do]" {
			t.Errorf("HandlerError was told of %v", failed)
		}
	}, def)
}

// A nil map stays nil, so that a handler that forgets to make it fails in its test.
func TestNilStateStaysNil(t *testing.T) {
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		(*t.State)["x"] = 1
		return nil
	})
	def.OnAttach = func(context.Context, *edgeTurn) error { return nil } // a turn before, with its snapshot
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		c := s.Connect("edge/a")
		if err := roomtest.Refused(c, do, Step{}); err.Code != contract.Internal {
			t.Errorf("writing to a nil map: %v", err)
		}
	}, def)
}

func TestContextOfATurnThatIsOver(t *testing.T) {
	var kept, derived context.Context
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		var cancel context.CancelFunc
		kept = ctx
		derived, cancel = context.WithCancel(ctx)
		_ = cancel
		return nil
	})
	roomtest.Run(t, func(s *roomtest.Server) {
		roomtest.Call(s.Connect("edge/a"), do, Step{})
		for what, ctx := range map[string]context.Context{"ctx": kept, "derived": derived} {
			if cause := context.Cause(ctx); cause == nil || cause.Error() != "room: the turn is over" {
				t.Errorf("the cause of the end of %s is %v", what, cause)
			}
		}
	}, def)
}

// A call is of one contract: another one's call of the same name is another call.
func TestAskWithACallOfAnotherContract(t *testing.T) {
	imposter := contract.NewCall[Step, Total](contract.New("imposter"), "do")
	roomtest.Run(t, func(s *roomtest.Server) {
		_, err := room.Ask(s.T.Context(), s.Room("edge", "a"), imposter, Step{}, room.Create())
		if contract.CodeOf(err) != contract.UnknownCall || !strings.Contains(err.Error(), "imposter") {
			t.Errorf("got %v, want unknown_call naming both contracts", err)
		}
	}, newEdge(nil))
}

// What the path of a request means, whatever the mux in front of it does.
func TestPaths(t *testing.T) {
	srv, err := room.NewServer(quiet(), newEdge(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown(t.Context())
	mux := http.NewServeMux()
	mux.Handle("/ws/", srv)
	mux.Handle("/api/", http.StripPrefix("/api/v1", srv))
	mux.Handle("GET /one/{kind}/{room}", srv)
	for target, want := range map[string]int{
		"GET /ws/edge/a":              426, // would be a room
		"GET /ws/edge/a/":             426,
		"GET /ws/edge/%61":            426,
		"GET /api/v1/edge/a":          426,
		"GET /one/edge/a":             426,
		"GET /ws/deep/er/edge/a":      426,
		"HEAD /ws/edge/a":             405,
		"POST /ws/edge/a":             405,
		"GET /ws/edge/a%2Fb":          400,
		"GET /ws/edge/x%2Fedge%2Fa":   400, // the room is not the one behind the last slash
		"GET /ws/x%2Fedge/a":          404,
		"GET /ws/edge/a?wire=":        426,
		"GET /ws/edge/a?wire=xml":     400,
		"GET /ws/edge/a?%zz&wire=xml": 400,
		"GET /ws/edge/":               404,
		"GET /ws/edge":                404,
		"GET /ws/":                    404,
		"GET /ws/Edge/a":              404,
		"GET /ws/edge/a%00":           400,
	} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
}

// Who has left is not listed any more in what its leaving causes: OnDetach that removes another, and that one the next.
func TestWhoHasLeftIsNotListed(t *testing.T) {
	var log []string
	def := newEdge(nil)
	def.OnDetach = func(ctx context.Context, t *edgeTurn) error {
		var names []string
		for _, s := range t.Sessions() {
			names = append(names, s.Data)
		}
		log = append(log, t.Session.Data+" leaves "+strings.Join(names, ","))
		for _, s := range t.Sessions() {
			if s != t.Session {
				t.Close(s, 0, "") // no matter how often
			}
		}
		if t.Session.Data == "b" {
			t.CloseRoom(0, "")
		}
		return nil
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		a := s.Connect("edge/1?name=a")
		for _, name := range []string{"b", "c", "d"} {
			s.Connect("edge/1?name=" + name)
		}
		a.Close()
		s.Settle()
		if got := strings.Join(log, "; "); got != "a leaves a,b,c,d; b leaves b,c,d; c leaves c,d; d leaves d" {
			t.Errorf("%s", got)
		}
	}, def)
}

// A session that a program has kept is of one room: another room can neither close it nor send to it.
func TestSessionsOfAnotherRoom(t *testing.T) {
	var kept *room.Session[string]
	other := contract.New("other")
	poke := contract.NewCall[contract.None, contract.None](other, "poke")
	poked := contract.NewPush[Total](other, "poked")
	def := &edgeDef{Contract: other}
	room.Handle(def, poke, func(ctx context.Context, t *edgeTurn, _ contract.None) (contract.None, error) {
		if kept == nil {
			kept = t.Session
		}
		room.Emit(t, kept, poked, Total{1})
		t.Close(kept, 0, "")
		if t.Session != kept {
			room.Emit(t, t.Session, poked, Total{2})
			t.CloseRoom(0, "")
		}
		return contract.None{}, nil
	})
	def.OnAttach = func(ctx context.Context, t *edgeTurn) error {
		if t.ID().Name == "1" {
			kept = t.Session
		}
		return nil
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("other/1"), s.Connect("other/2")
		if _, err := callRoom(bob, poke, contract.None{}); err != nil {
			t.Error(err)
		}
		if got := roomtest.Pushes(bob, poked); len(got) != 1 || got[0].N != 2 {
			t.Errorf("bob got %v", got)
		}
		roomtest.ExpectNone(ada, poked)
		if ada.Status() != client.Open {
			t.Errorf("ada: %v", ada.Err())
		}
		callRoom(ada, poke, contract.None{})
		s.Settle()
		if ada.Status() == client.Open {
			t.Error("ada could not be closed by her own room")
		}
	}, def)
}
