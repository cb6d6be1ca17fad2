package actors_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
)

// busy is an actor that writes down what it gets and when it is idle.
type busy struct {
	got []string
	on  func(msg any)
}

func (b *busy) Receive(msg any) {
	if c, ok := msg.(*actors.Call); ok {
		msg = c.ID
	}
	b.got = append(b.got, fmt.Sprint(msg))
	if b.on != nil {
		b.on(msg)
	}
}
func (b *busy) Idle()         { b.got = append(b.got, "idle") }
func (b *busy) Stopped(error) { b.got = append(b.got, "stopped") }

// An actor is told when nothing waits, once after what came together, and never between.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		b := &busy{on: func(msg any) {
			if msg == 1 || msg == 2 {
				time.Sleep(time.Second) // meanwhile others come
			}
		}}
		pid, err := s.Spawn("busy", b)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.got = nil // it was idle once it had started
		s.Send(pid, 1)
		s.Send(pid, 2)
		time.Sleep(1500 * time.Millisecond)
		s.Send(pid, 3)
		time.Sleep(2 * time.Second)
		s.Send(pid, 4)
		synctest.Wait()
		mustClose(t, s)
		want := []string{"1", "2", "3", "idle", "4", "idle", "stopped"}
		if !slices.Equal(b.got, want) {
			t.Errorf("got %q, want %q", b.got, want)
		}
	})
}

// Requests that were sent together are received one by one, in order, and are all told of when nobody is there.
func TestCallsSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		b := &busy{}
		pid, err := s.Spawn("busy", b)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.got = nil
		chain := func(ids ...string) *actors.Call {
			var first, last *actors.Call
			for _, id := range ids {
				c := actors.NewCall()
				if c.ID = id; first == nil {
					first = c
				} else {
					last.Follow(c)
				}
				last = c
			}
			return first
		}
		s.Send(pid, chain("a", "b", "c"))
		synctest.Wait()
		s.Send(pid, chain("d"))
		synctest.Wait()
		if want := []string{"a", "b", "c", "idle", "d", "idle"}; !slices.Equal(b.got, want) {
			t.Errorf("got %q, want %q", b.got, want)
		}
		mustClose(t, s)
	})
}

// What stops an actor in the middle of what came together stops it there: the rest is not handled, and whoever must know
// learns of it.
func TestPanicAmongCallsSentTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSystem(t)
		b := &busy{on: func(msg any) {
			if msg == "bad" {
				panic("fell over")
			}
		}}
		pid, err := s.Spawn("busy", b)
		if err != nil {
			t.Fatal(err)
		}
		told := &recorder{}
		from, err := s.Register("conn/1", told)
		if err != nil {
			t.Fatal(err)
		}
		first, bad, last := &actors.Call{ID: "good", From: from}, &actors.Call{ID: "bad", From: from}, &actors.Call{ID: "late", From: from}
		first.Follow(bad)
		bad.Follow(last)
		s.Send(pid, first)
		synctest.Wait()
		if slices.Contains(b.got, "late") || b.got[len(b.got)-1] != "stopped" {
			t.Errorf("got %q", b.got)
		}
		if len(told.got) != 1 {
			t.Errorf("the sender of what was not handled was told %v", told.got)
		}
		mustClose(t, s)
	})
}

// Many senders and an actor that stops among them: every message is handled before the stop or not at all, in order per
// sender.
func TestMailboxUnderManySenders(t *testing.T) {
	const senders, each = 8, 2000
	s, _ := newSystem(t)
	type note struct{ from, n int }
	next := make([]int, senders)
	inside := false
	b := &busy{}
	b.on = func(msg any) {
		m := msg.(note)
		if inside || m.n != next[m.from] {
			t.Errorf("message %d of sender %d where %d was due (another inside: %v)", m.n, m.from, next[m.from], inside)
		}
		inside = true
		next[m.from]++
		inside = false
	}
	pid, err := s.Spawn("busy", b)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	for i := range senders {
		go func() {
			for n := range each {
				s.Send(pid, note{i, n})
			}
			done <- struct{}{}
		}()
	}
	for range senders {
		<-done
	}
	mustClose(t, s) // behind all messages
	for i, n := range next {
		if n != each {
			t.Errorf("%d of %d messages of sender %d", n, each, i)
		}
	}
	if _, err := s.Spawn("more", b); !errors.Is(err, actors.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

type holder struct{ recorder }

func (h *holder) Hold(msg any) bool { h.Deliver(msg); return true }
func (h *holder) Flush()            {}

func TestHolder(t *testing.T) {
	s, _ := newSystem(t)
	defer mustClose(t, s)
	can, cannot := &holder{}, &recorder{}
	a, err := s.Register("can", can)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Register("cannot", cannot)
	if err != nil {
		t.Fatal(err)
	}
	if h := s.Holder(a); h != actors.Holder(can) {
		t.Errorf("got %v", h)
	}
	if h := s.Holder(b); h != nil {
		t.Errorf("of a process that cannot hold: %v", h)
	}
	s.Unregister(a)
	if h := s.Holder(a); h != nil {
		t.Errorf("of one that is gone: %v", h)
	}
}

// Released messages come back empty, and those that were not made here are left alone.
func TestRelease(t *testing.T) {
	c := actors.NewCall()
	c.Copy([]byte("secret"))
	c.ID, c.Refused = "id", nil
	c.Release()
	a := actors.NewAnswer(3)
	a.Frame = append(a.Frame, "secret"...)
	a.Release()
	for range 100 {
		if c := actors.NewCall(); c.ID != "" || c.Body != nil || c.Number != 0 {
			t.Fatalf("%+v", c)
		}
		if a := actors.NewAnswer(7); len(a.Frame) != 0 || a.Number != 7 {
			t.Fatalf("%+v", a)
		}
	}
	mine := &actors.Answer{Number: 1, Frame: []byte("x")}
	if mine.Release(); string(mine.Frame) != "x" {
		t.Errorf("%+v", mine)
	}
	call := &actors.Call{ID: "x"}
	if call.Release(); call.ID != "x" {
		t.Errorf("%+v", call)
	}
}
