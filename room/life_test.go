package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// An empty room keeps its state for KeepEmpty, unless it still is as New made it.
func TestEmptyRooms(t *testing.T) {
	def := newLab(nil)
	def.KeepEmpty = time.Minute
	roomtest.Run(t, func(s *roomtest.Server) {
		rooms := func() string {
			s.Settle()
			page, _ := s.Rooms("lab", "", 0)
			var names []string
			for _, r := range page {
				names = append(names, r.ID.Name)
			}
			return strings.Join(names, " ")
		}
		enter := func(name string, n int) {
			c := s.Connect("lab/" + name + "?name=Ada")
			if n > 0 {
				roomtest.Call(c, add, Amount{n})
			}
			c.Close()
		}
		enter("untouched", 0)
		enter("changed", 5)
		if got := rooms(); got != "changed" {
			t.Errorf("rooms %q, want only the changed one", got)
		}
		s.Advance(59 * time.Second)
		c := s.Connect("lab/changed?name=Ada")
		if got := roomtest.Call(c, total, contract.None{}); got.N != 5 {
			t.Errorf("after 59 s: %+v", got)
		}
		c.Close()
		s.Advance(59 * time.Second)
		if got := rooms(); got != "changed" {
			t.Errorf("a visit did not start the time anew: rooms %q", got)
		}
		s.Advance(2 * time.Second)
		if got := rooms(); got != "" {
			t.Errorf("after KeepEmpty: rooms %q", got)
		}
	}, def)
}

// A session is refused with a close code that says what to do, and nobody else notices it.
func TestRefusedSessions(t *testing.T) {
	def := newLab(nil)
	def.MaxSessions = 2
	def.OnAttach = func(ctx context.Context, t *labTurn) error {
		room.Broadcast(t, added, Total{1})
		switch t.Session.Data.Name {
		case "Coded":
			return contract.Errorf("too_late", "the door is shut")
		case "Login":
			return contract.Errorf(contract.Unauthenticated, "who are you?")
		case "Plain":
			return errors.New("secret detail")
		case "Panic":
			panic("secret detail")
		}
		return nil
	}
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("lab/1?name=Ada")
		roomtest.Expect(ada, added)
		for name, want := range map[string]string{
			"Coded": fmt.Sprintf("%d too_late: the door is shut", conn.CloseRefused),
			"Login": fmt.Sprintf("%d unauthenticated: who are you?", conn.CloseUnauthenticated),
			"Plain": "1011 internal: secret detail", // roomtest exposes errors; TestRedactedOverTheWire shows the default
			"Panic": "1011 internal: internal error",
		} {
			_, err := s.Dial("lab/1?name="+name, nil)
			var closed *client.ConnectionError
			if !errors.As(err, &closed) || fmt.Sprint(closed.Code, " ", closed.Reason) != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
		roomtest.ExpectNone(ada, added)
		roomtest.ExpectNone(ada, left)
		s.Connect("lab/1?name=Bob")
		_, err := s.Dial("lab/1?name=Eve", nil)
		var closed *client.ConnectionError
		if !errors.As(err, &closed) || uint16(closed.Code) != conn.CloseRoomFull {
			t.Errorf("a third session: %v, want %d", err, conn.CloseRoomFull)
		}
	}, def)
}

func TestRefusedBeforeTheUpgrade(t *testing.T) {
	def := newLab(nil)
	def.MayCreate = func(r *http.Request, id room.ID, user labUser) error {
		if user.Name != "Ada" {
			return contract.Errorf(contract.PermissionDenied, "only Ada makes rooms")
		}
		return nil
	}
	def.Authenticate = func(r *http.Request, id room.ID) (labUser, error) {
		if r.URL.Query().Has("sid") {
			t.Error("the resume key was shown to Authenticate")
		}
		if _, limited := r.Context().Deadline(); !limited {
			t.Error("the context of Authenticate has no deadline")
		}
		return userFromQuery(r, id)
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		status := func(path string) int {
			_, err := s.Dial(path, nil)
			var refused *client.HandshakeError
			if errors.As(err, &refused) {
				return refused.StatusCode
			}
			return 0
		}
		for path, want := range map[string]int{
			"nokind/1?name=Ada":               404,
			"lab/" + strings.Repeat("a", 129): 400,
			"lab/a%20b":                       400,
			"lab/1?name=Mallory":              403,
			"lab/1?name=Bob":                  403,
		} {
			if got := status(path); got != want {
				t.Errorf("%s: HTTP status %d, want %d", path, got, want)
			}
		}
		w := httptest.NewRecorder() // the client would not even ask
		s.ServeHTTP(w, httptest.NewRequest("GET", "/ws/lab/1?wire=xml", nil))
		if w.Code != 400 {
			t.Errorf("an unknown encoding: HTTP status %d, want 400", w.Code)
		}
		s.Connect("lab/1?name=Ada&sid=0123456789012345678901")
		s.Connect("lab/1?name=Bob") // exists now
	}, def)
}

// One address may start rooms only so fast.
func TestRoomsPerAddress(t *testing.T) {
	opts := &room.Options{RoomsPerSecond: 1, RoomBurst: 3}
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		try := func(i int) int {
			_, err := s.Dial(fmt.Sprintf("lab/r%d?name=Ada", i), nil)
			var refused *client.HandshakeError
			if errors.As(err, &refused) {
				return refused.StatusCode
			}
			return 0
		}
		var got []int
		for i := range 5 {
			got = append(got, try(i))
		}
		s.Advance(time.Second)
		got = append(got, try(10), try(11))
		if fmt.Sprint(got) != "[0 0 0 429 429 0 429]" {
			t.Errorf("statuses %v", got)
		}
		if got := try(0); got != 0 {
			t.Errorf("a room that runs: status %d", got)
		}
	}, newLab(nil))
}

// The ctx of a turn ends with its deadline, and with the turn.
func TestTurnContext(t *testing.T) {
	def := newLab(nil)
	def.TurnTimeout = 3 * time.Second
	var kept context.Context
	def.OnAttach = func(ctx context.Context, t *labTurn) error {
		kept = ctx
		if ctx.Err() != nil {
			return fmt.Errorf("ended at once: %w", ctx.Err())
		}
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != 3*time.Second {
			return fmt.Errorf("ended after %v", took)
		}
		if ctx.Err() != context.DeadlineExceeded {
			return fmt.Errorf("ended with %w", ctx.Err())
		}
		return nil
	}
	roomtest.Run(t, func(s *roomtest.Server) {
		c, err := s.Dial("lab/1?name=Ada", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Advance(5 * time.Second)
		if c.Status() != client.Open {
			t.Fatal(c.Err())
		}
		if kept.Err() == nil {
			t.Error("the ctx outlives its turn")
		}
	}, def)
}

// Shutdown runs OnDetach for everybody, closes with 1001, and ends the ctx of what does not end by itself.
func TestShutdown(t *testing.T) {
	var gate chan struct{}
	var log []string
	def := newLab(&gate)
	onDetach := def.OnDetach
	def.OnDetach = func(ctx context.Context, t *labTurn) error {
		log = append(log, t.Session.Data.Name)
		return onDetach(ctx, t)
	}
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		gate = make(chan struct{}) // stays shut: the work must end by its ctx
		ada, bob := s.Connect("lab/1?name=Ada"), s.Connect("lab/1?name=Bob")
		feed, stop := bob.Changes()
		defer stop()
		answer := make(chan error, 1)
		go func() {
			_, err := callRoom(ada, slow, Amount{5})
			answer <- err
		}()
		s.Settle()
		if err := s.Shutdown(s.T.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-answer; contract.CodeOf(err) != contract.OutcomeUnknown {
			t.Errorf("the call in flight: %v", err)
		}
		if fmt.Sprint(log) != "[Ada Bob]" {
			t.Errorf("OnDetach ran for %v", log)
		}
		s.Settle()
		if c := lastChange(feed); uint16(c.Code) != conn.CloseGoingAway {
			t.Errorf("bob closed with %d (%v)", c.Code, c.Err)
		}
	}, def)
}

// A handler that ignores its ctx cannot be stopped, but Shutdown says so instead of hanging.
func TestShutdownGivesUp(t *testing.T) {
	def := newLab(nil)
	release := make(chan struct{})
	def.OnDetach = func(ctx context.Context, t *labTurn) error {
		time.Sleep(time.Hour)
		return nil
	}
	close(release)
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		s.Connect("lab/1?name=Ada")
		ctx, cancel := context.WithTimeout(s.T.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 rooms are in a turn") {
			t.Errorf("shutdown: %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("gave up after %v, want ctx and a second", took)
		}
		if strings.Contains(err.Error(), "work of") {
			t.Errorf("work is blamed that there is not: %v", err)
		}
		if again := s.Shutdown(s.T.Context()); again != err {
			t.Errorf("a second shutdown: %v, want what the first one came to", again)
		}
		s.Advance(2 * time.Hour)
	}, def)
}

// When its time is up Shutdown ends the ctx of turns and work, and blames nobody who returns then.
func TestShutdownIsCutShort(t *testing.T) {
	var gate chan struct{}
	def := newLab(&gate)
	def.WorkTimeout = time.Hour
	def.TurnTimeout = time.Hour
	def.OnDetach = func(ctx context.Context, t *labTurn) error {
		<-ctx.Done()
		return ctx.Err()
	}
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		gate = make(chan struct{}) // stays shut
		for _, path := range []string{"lab/1?name=Ada", "lab/2?name=Bob"} {
			roomtest.Call(s.Connect(path), later, Amount{1})
		}
		ctx, cancel := context.WithTimeout(s.T.Context(), time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "room: shutdown was cut short: context deadline exceeded" {
			t.Errorf("shutdown: %v", err)
		}
	}, def)
}

func TestShutdownLeavesWorkBehind(t *testing.T) {
	def := newEdge(func(ctx context.Context, t *edgeTurn, what string) error {
		room.Go(t, func(context.Context) (int, error) { time.Sleep(time.Hour); return 0, nil },
			func(context.Context, *edgeTurn, int, error) error { return nil })
		return nil
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		roomtest.Call(s.Connect("edge/a"), do, Step{})
		ctx, cancel := context.WithTimeout(s.T.Context(), time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 works of room.Go") || strings.Contains(err.Error(), "turn") {
			t.Errorf("shutdown: %v", err)
		}
		s.Advance(time.Hour)
	}, def)
}
