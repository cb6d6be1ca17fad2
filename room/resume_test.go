package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// A session with a resume key outlives its connection, for ResumeFor.
func TestAwayAndBack(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) { def.ResumeFor = 30 * time.Second })
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada, bob := s.Connect("desk/1?name=Ada"+keyAda), s.Connect("desk/1?name=Bob"+keyBob)
		add1(ada, "a")
		ada.Close()
		s.Settle()
		equal(t, "while ada is away", look1(bob).Here, []string{"Ada (away)", "Bob"})
		s.Advance(29 * time.Second)
		add1(bob, "b")
		ada = s.Connect("desk/1?name=Ada" + keyAda)
		got := add1(ada, "c")
		equal(t, "when she is back", got.Here, []string{"Ada", "Bob"})
		equal(t, "nobody has left", got.Left, nil)
		if got.Calls != 2 {
			t.Errorf("her data counts %d calls, want 2", got.Calls)
		}
		if n := len(roomtest.Pushes(ada, wordSaid)); n != 1 {
			t.Errorf("she got %d pushes on her new connection, want 1", n)
		}
		ada.Close()
		s.Advance(31 * time.Second)
		got = look1(bob)
		equal(t, "after ResumeFor", got.Here, []string{"Bob"})
		equal(t, "OnDetach", got.Left, []string{"Ada"})
	}, def)
}

// Away sessions, their data and the end of their time survive sleep, restart and crash.
func TestAwayOverARestart(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) { def.ResumeFor = time.Minute })
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada, bob := s.Connect("desk/1?name=Ada"+keyAda), s.Connect("desk/1?name=Bob"+keyBob)
		add1(ada, "a")
		add1(bob, "b")
		s.Restart()
		s.Advance(40 * time.Second)
		ada = s.Connect("desk/1?name=Ada" + keyAda)
		got := add1(ada, "c")
		equal(t, "after a restart", got.Here, []string{"Ada", "Bob (away)"})
		if got.Calls != 2 {
			t.Errorf("ada's data counts %d calls, want 2", got.Calls)
		}
		s.Advance(21 * time.Second)
		equal(t, "bob's minute is over", look1(ada).Left, []string{"Bob"})
		s.Crash()
		s.Advance(4 * time.Second)
		ada = s.Connect("desk/1?name=Ada" + keyAda)
		got = add1(ada, "d")
		equal(t, "after a crash", got.Here, []string{"Ada"})
		equal(t, "after a crash", got.Left, []string{"Bob"})
		if got.Calls != 3 {
			t.Errorf("ada's data counts %d calls, want 3", got.Calls)
		}
	}, def)
}

// Without anybody waking the room, OnDetach runs for a session that was away when the server stopped.
func TestAbsenceEndsInASleepingRoom(t *testing.T) {
	var left tally
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.ResumeFor, def.SleepAfter = time.Hour, time.Second
		def.OnDetach = func(_ context.Context, t *deskTurn) error {
			left.add(t.Session.Data.Name)
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada" + keyAda)
		ada.Close()
		s.Advance(5 * time.Second)
		if page, _ := s.Rooms("desk", "", 0); len(page) != 0 {
			t.Errorf("the room does not sleep: %+v", page)
		}
		s.Restart()
		s.Advance(59 * time.Minute)
		if left.count() > 0 {
			t.Error("too early")
		}
		s.Advance(time.Minute)
		equal(t, "OnDetach", left.all(), []string{"Ada"})
	}, def)
}

// A key is good for whoever began the session, and nobody else.
func TestPrincipals(t *testing.T) {
	for name, principal := range map[string]func(deskUser) string{"equal data": nil, "by name": func(u deskUser) string { return u.Name }} {
		t.Run(name, func(t *testing.T) {
			var fresh tally
			def := newDesk(func(def *room.Definition[deskState, deskUser]) {
				def.Principal = principal
				def.OnResume = func(_ context.Context, t *deskTurn, now deskUser) error {
					fresh.add(now.Name)
					t.Session.Data.Calls += 10
					return nil
				}
			})
			roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
				ada := s.Connect("desk/1?name=Ada" + keyAda)
				add1(ada, "a")
				ada.Close()
				s.Settle()
				ada = s.Connect("desk/1?name=Ada" + keyAda)
				if got := look1(ada); got.Calls != 11 || fmt.Sprint(fresh.all()) != "[Ada]" {
					t.Errorf("ada's data counts %d, OnResume got %q", got.Calls, fresh.all())
				}
				ada.Close()
				s.Settle()
				mallory := s.Connect("desk/1?name=Mallory" + keyAda)
				got := look1(mallory)
				equal(t, "with ada's key", got.Here, []string{"Mallory"})
				equal(t, "ada can never come back", got.Left, []string{"Ada"})
				if got.Calls != 0 {
					t.Error("mallory has ada's data")
				}
			}, def)
		})
	}
}

// An error of OnResume refuses the connection, and the session stays away.
func TestOnResumeRefuses(t *testing.T) {
	var full atomic.Bool
	full.Store(true)
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.OnResume = func(context.Context, *deskTurn, deskUser) error {
			if full.Load() {
				return errors.New("not now")
			}
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		bob := s.Connect("desk/1?name=Bob")
		s.Connect("desk/1?name=Ada" + keyAda).Close()
		if _, err := s.Dial("desk/1?name=Ada"+keyAda, nil); err == nil || !strings.Contains(err.Error(), "not now") {
			t.Errorf("got %v", err)
		}
		s.Settle()
		equal(t, "here", look1(bob).Here, []string{"Bob", "Ada (away)"})
		full.Store(false)
		s.Connect("desk/1?name=Ada" + keyAda)
		equal(t, "here", look1(bob).Here, []string{"Bob", "Ada"})
	}, def)
}

// A key that comes a second time while its first connection lives makes a session of its own; when the first one is dead
// without having said so, the newcomer takes the session over.
func TestSecondConnectionWithAKey(t *testing.T) {
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada" + keyAda)
		add1(ada, "a")
		again := s.Connect("desk/1?name=Ada" + keyAda)
		s.Advance(time.Second)
		got := add1(again, "b")
		equal(t, "both are there", got.Here, []string{"Ada", "Ada"})
		if got.Calls != 1 {
			t.Errorf("the second session counts %d calls, want 1", got.Calls)
		}
		again.Close()
		s.Settle()
		got = look1(ada)
		equal(t, "the second one has no key", got.Here, []string{"Ada"})
		equal(t, "the second one has no key", got.Left, []string{"Ada"})
	}, newDesk(nil))
}

func TestResumeKeysAreChecked(t *testing.T) {
	var queries tally
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.Authenticate = func(r *http.Request, _ room.ID) (deskUser, error) {
			queries.add(r.URL.RawQuery + " " + r.RequestURI)
			return deskUser{}, nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		for _, sid := range []string{"short", strings.Repeat("x", 129), strings.Repeat("x", 21) + "!", strings.Repeat("x", 21) + "%20"} {
			_, err := s.Dial("desk/1?name=Ada&sid="+sid, nil)
			var refused *client.HandshakeError
			if !errors.As(err, &refused) || refused.StatusCode != 400 || strings.Contains(string(refused.Body), "xxx") {
				t.Errorf("sid=%s: %v", sid, err)
			}
		}
		s.Connect("desk/1?name=Ada" + keyAda)
		for _, q := range queries.all() {
			if strings.Contains(q, "sid") || strings.Contains(q, "AdaAda") {
				t.Errorf("a hook saw %q", q)
			}
		}
	}, def)
}
