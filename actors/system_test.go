package actors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
)

// recorder is an actor that writes down what it gets.
type recorder struct {
	mu      sync.Mutex
	got     []any
	stopped []error
	on      func(msg any)
}

func (r *recorder) Receive(msg any) {
	r.mu.Lock()
	r.got = append(r.got, msg)
	r.mu.Unlock()
	if r.on != nil {
		r.on(msg)
	}
}

func (r *recorder) Stopped(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = append(r.stopped, reason)
}

func (r *recorder) Deliver(msg any) { r.Receive(msg) }

func (r *recorder) state() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprint(r.got, r.stopped)
}

func newSystem(t *testing.T) (*actors.System, *bytes.Buffer) {
	var log bytes.Buffer
	s := actors.NewSystem(&actors.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))})
	t.Cleanup(func() {
		if s.Count() != 0 {
			t.Errorf("%d actors are left", s.Count())
		}
	})
	return s, &log
}

func mustClose(t *testing.T, s *actors.System) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestMessagesArriveInOrderOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSystem(t)
		inside := 0
		r := &recorder{on: func(any) {
			if inside++; inside != 1 {
				t.Error("two messages at a time")
			}
			inside--
		}}
		pid, err := s.Spawn("one", r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Spawn("one", r); !errors.Is(err, actors.ErrNameTaken) {
			t.Errorf("the same name again: %v", err)
		}
		var want []any
		for i := range 1000 {
			s.Send(pid, i)
			want = append(want, i)
		}
		synctest.Wait()
		mustClose(t, s)
		if got := r.state(); got != fmt.Sprint(want, []error{nil}) {
			t.Errorf("got %.100s…", got)
		}
		if _, err := s.Spawn("two", r); !errors.Is(err, actors.ErrClosed) {
			t.Errorf("spawn after close: %v", err)
		}
		if log.Len() > 0 {
			t.Errorf("an ordinary life was logged: %s", log)
		}
	})
}

// A panic stops the actor, once and for all; it does not come back empty behind its clients' backs.
func TestPanicStopsTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSystem(t)
		r := &recorder{on: func(msg any) {
			switch msg {
			case "good":
				time.Sleep(time.Second) // meanwhile the others come
			case "bad":
				panic("fell over")
			}
		}}
		pid, err := s.Spawn("frail", r)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []any{"good", "bad", "late"} {
			s.Send(pid, m)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := r.state(); got != "[good bad] [actors: frail panicked on string: fell over]" {
			t.Errorf("got %s", got)
		}
		if !strings.Contains(log.String(), "system_test.go") {
			t.Errorf("the log does not say where: %s", log)
		}
		if n := s.Count(); n != 0 {
			t.Errorf("%d actors run", n)
		}
		if _, err := s.Spawn("frail", &recorder{}); err != nil {
			t.Errorf("its name is not free: %v", err)
		}
		mustClose(t, s)
	})
}

func TestProcessesAndRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		r := &recorder{}
		pid, err := s.Register("conn/1", r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Register("conn/1", r); !errors.Is(err, actors.ErrNameTaken) {
			t.Errorf("the same name again: %v", err)
		}
		s.Send(pid, "now") // on this goroutine: no waiting
		if got := r.state(); got != "[now] []" {
			t.Errorf("got %s", got)
		}
		if got := s.Lookup("conn/1"); got != r {
			t.Errorf("found %v", got)
		}
		s.Unregister(pid)
		if got := s.Lookup("conn/1"); got != nil {
			t.Errorf("found %v after its end", got)
		}

		type question struct{ from *actors.PID }
		echo := &recorder{}
		echo.on = func(msg any) {
			s.Send(msg.(question).from, "first")
			s.Send(msg.(question).from, "second")
		}
		pid, err = s.Spawn("echo", echo)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Lookup("echo"); got != nil {
			t.Errorf("an actor is found as %v", got)
		}
		ask := func(reply *actors.PID) any { return question{reply} }
		if got, err := s.Request(t.Context(), pid, ask); got != "first" || err != nil {
			t.Errorf("answered %v, %v", got, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Request(ctx, pid, func(*actors.PID) any { return question{pid} }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("unanswered: %v", err)
		}
		mustClose(t, s)
	})
}

// Whoever waits for the effect of a message learns that nobody was there to take it.
// What waits in the mailbox of an actor that a panic ends is not lost either.
func TestUndeliveredBehindAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		room, err := s.Spawn("room", &recorder{on: func(msg any) {
			time.Sleep(time.Second) // until all has come
			panic("fell over")
		}})
		if err != nil {
			t.Fatal(err)
		}
		client := &recorder{}
		from, err := s.Register("conn/1", client)
		if err != nil {
			t.Fatal(err)
		}
		s.Send(room, "bad")
		for range 1000 {
			s.Send(room, &actors.Attach{From: from})
		}
		s.Send(room, &actors.Ask{From: from})
		mustClose(t, s)
		if n := len(client.got); n != 1001 {
			t.Errorf("%d of 1,001 senders have learnt of it", n)
		}
	})
}

func TestUndelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSystem(t)
		room, err := s.Spawn("room", &recorder{})
		if err != nil {
			t.Fatal(err)
		}
		s.Stop(room)
		synctest.Wait()
		client := &recorder{}
		from, err := s.Register("conn/1", client)
		if err != nil {
			t.Fatal(err)
		}
		s.Send(room, &actors.Attach{From: from})
		s.Send(room, &actors.Call{From: from, Body: []byte("secret")})
		s.Send(room, &actors.Ask{From: from})
		s.Send(room, &actors.Detach{From: from})
		s.Send(room, &actors.Probed{Session: "1", Alive: true})
		s.Send(room, &actors.Probe{From: from, Session: "1", Timeout: time.Hour})
		s.Send(room, &actors.Move{To: from, Session: "1"})
		synctest.Wait()
		var kinds []string
		for _, m := range client.got {
			kinds = append(kinds, fmt.Sprintf("%T", m))
		}
		if got := fmt.Sprint(kinds); got != "[*actors.Close *actors.Close *actors.AskResult *actors.Probed *actors.Detach]" {
			t.Fatalf("the connection got %s", got)
		}
		if p := client.got[3].(*actors.Probed); p.Session != "1" || p.Alive {
			t.Errorf("a probe of nobody is answered with %+v", p)
		}
		if d := client.got[4].(*actors.Detach); d.Session != "1" || d.Code != 1006 || d.From != nil {
			t.Errorf("a move of nobody is answered with %+v", d)
		}
		if log.Len() > 0 {
			t.Errorf("logged: %s", log)
		}
		mustClose(t, s)
	})
}

// Stopping what has stopped leaves nothing behind: a goroutine that did would fail the bubble.
func TestStopTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSystem(t)
		pid, err := s.Spawn("one", &recorder{})
		if err != nil {
			t.Fatal(err)
		}
		s.Stop(pid)
		s.Stop(pid)
		synctest.Wait()
		s.Stop(pid)
		mustClose(t, s)
		if log.Len() > 0 {
			t.Errorf("logged: %s", log)
		}
	})
}

// Close waits for a message that is being handled, but not longer than its ctx.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		pid, err := s.Spawn("busy", &recorder{on: func(any) { time.Sleep(time.Minute) }})
		if err != nil {
			t.Fatal(err)
		}
		s.Send(pid, "work")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 actors") {
			t.Errorf("closed with %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func BenchmarkSend(b *testing.B) {
	s := actors.NewSystem(nil)
	pid, err := s.Spawn("bench", &sink{})
	if err != nil {
		b.Fatal(err)
	}
	msg := &actors.Call{}
	b.ReportAllocs()
	for b.Loop() {
		s.Send(pid, msg)
	}
	if err := s.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

type sink struct{}

func (sink) Receive(any)   {}
func (sink) Stopped(error) {}

// An actor that blocks holds up no other, however many there are; afterwards few goroutines are kept, and after a while
// none.
func TestBlockedActorsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		before := runtime.NumGoroutine()
		gate := make(chan struct{})
		for i := range 100 {
			pid, err := s.Spawn(fmt.Sprint("blocked", i), &recorder{on: func(any) { <-gate }})
			if err != nil {
				t.Fatal(err)
			}
			s.Send(pid, "wait")
		}
		synctest.Wait()
		free := &recorder{}
		pid, err := s.Spawn("free", free)
		if err != nil {
			t.Fatal(err)
		}
		s.Send(pid, "now")
		synctest.Wait()
		if got := free.state(); got != "[now] []" {
			t.Errorf("behind 100 blocked actors: %s", got)
		}
		close(gate)
		synctest.Wait()
		if kept := runtime.NumGoroutine() - before; kept < 1 || kept > 64 {
			t.Errorf("%d goroutines are kept, want 64 at most", kept)
		}
		s.Send(pid, "keeps them") // something was done in this second
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if kept := runtime.NumGoroutine() - before; kept < 1 {
			t.Error("no goroutine was kept over a second with work")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		kept := runtime.NumGoroutine() - before
		for range 1000 { // one that has ended may still be counted for a moment
			if kept <= 0 {
				break
			}
			runtime.Gosched()
			kept = runtime.NumGoroutine() - before
		}
		if kept > 0 {
			t.Errorf("%d goroutines are kept for nothing", kept)
		}
		mustClose(t, s)
	})
}
