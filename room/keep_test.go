package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
	"github.com/gosocka/socka/store"
)

// The desk is a kind of room whose state is a list of words, for tests of what is kept.
type (
	deskState struct {
		Words []string `json:"words"`
		Left  []string `json:"left"` // who has left, by OnDetach
		Fired []string `json:"fired"`
	}
	deskUser struct {
		Name  string `json:"name"`
		Calls int    `json:"calls"`
	}
	deskTurn = room.Turn[deskState, deskUser]

	word  struct{ Text string }
	words struct {
		Words, Left, Fired, Here []string
		Calls                    int
		Epoch                    string `json:",omitempty"`
	}
)

var (
	desk     = contract.New("desk")
	addWord  = contract.NewCall[word, words](desk, "add")
	badWord  = contract.NewCall[word, contract.None](desk, "bad") // changes, then panics
	readDesk = contract.NewCall[contract.None, words](desk, "read")
	ruin     = contract.NewCall[contract.None, contract.None](desk, "ruin")
	wordSaid = contract.NewPush[word](desk, "said")
)

// newDesk is a desk without alarms.
func newDesk(change func(*room.Definition[deskState, deskUser])) *room.Definition[deskState, deskUser] {
	def := newDeskWithout(change)
	room.Handle(def, setAlarm, func(context.Context, *deskTurn, alarmIn) (words, error) {
		return words{}, errors.New("there are none")
	})
	return def
}

// newDeskWithout lacks the handler of setAlarm.
func newDeskWithout(change func(*room.Definition[deskState, deskUser])) *room.Definition[deskState, deskUser] {
	def := &room.Definition[deskState, deskUser]{Contract: desk, Save: room.EachTurn}
	def.Authenticate = func(r *http.Request, _ room.ID) (deskUser, error) {
		return deskUser{Name: r.URL.Query().Get("name")}, nil
	}
	def.OnDetach = func(_ context.Context, t *deskTurn) error {
		t.State.Left = append(t.State.Left, t.Session.Data.Name)
		return nil
	}
	look := func(t *deskTurn) words {
		w := words{Words: slices.Clone(t.State.Words), Left: slices.Clone(t.State.Left), Fired: slices.Clone(t.State.Fired)}
		for _, s := range t.Sessions() {
			name := s.Data.Name
			if !s.Connected() {
				name += " (away)"
			}
			w.Here = append(w.Here, name)
		}
		if t.Session != nil {
			w.Calls = t.Session.Data.Calls
		}
		return w
	}
	room.Handle(def, addWord, func(_ context.Context, t *deskTurn, in word) (words, error) {
		t.State.Words = append(t.State.Words, in.Text)
		if t.Session != nil {
			t.Session.Data.Calls++
		}
		room.Broadcast(t, wordSaid, in)
		return look(t), nil
	}, room.AllowServer)
	room.Handle(def, badWord, func(_ context.Context, t *deskTurn, in word) (contract.None, error) {
		t.State.Words = append(t.State.Words, in.Text)
		t.Session.Data.Calls += 100
		room.Broadcast(t, wordSaid, in)
		panic("no such word")
	})
	room.HandleRead(def, readDesk, func(_ context.Context, t *deskTurn, _ contract.None) (words, error) { return look(t), nil }, room.AllowServer)
	room.Handle(def, ruin, func(_ context.Context, t *deskTurn, _ contract.None) (contract.None, error) {
		t.Destroy()
		return contract.None{}, nil
	})
	if change != nil {
		change(def)
	}
	return def
}

func add1(c *roomtest.Client, text string) words { return roomtest.Call(c, addWord, word{text}) }
func look1(c *roomtest.Client) words             { return roomtest.Call(c, readDesk, contract.None{}) }

func equal[T any](t *testing.T, what string, got, want []T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// tally is what hooks note, for the test to look at.
type tally struct {
	mu   sync.Mutex
	list []string
}

func (l *tally) add(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, what)
}

func (l *tally) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

func (l *tally) count() int { return len(l.all()) }

// keys for resuming
const (
	keyAda = "&sid=AdaAdaAdaAdaAdaAdaAda-1"
	keyBob = "&sid=BobBobBobBobBobBobBob_2"
)

// A room that sleeps has its state and its sessions when it wakes, whatever wakes it, and its sockets stay open.
func TestSleepAndWake(t *testing.T) {
	for _, policy := range []room.SavePolicy{room.EachTurn, room.OnSleep, room.Every(time.Second), 0} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			var slept, woke tally
			opts := quiet()
			opts.Hooks.Sleep = func(room.RoomEvent) { slept.add("") }
			opts.Hooks.Wake = func(room.RoomEvent) { woke.add("") }
			def := newDesk(func(def *room.Definition[deskState, deskUser]) { def.Save, def.SleepAfter = policy, 10*time.Second })
			roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
				ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob&wire=msgpack")
				add1(ada, "a")
				add1(bob, "b")
				s.Advance(9 * time.Second)
				if slept.count() != 0 {
					t.Error("it slept too early")
				}
				s.Advance(2 * time.Second)
				page, _ := s.Rooms("desk", "", 0)
				if slept.count() != 1 || len(page) != 1 || !page[0].Asleep || page[0].Sessions != 2 {
					t.Fatalf("slept %d times, rooms %+v", slept.count(), page)
				}
				if got := add1(bob, "c"); fmt.Sprint(got) != "{[a b c] [] [] [Ada Bob] 2 }" {
					t.Errorf("after a call has woken it: %v", got)
				}
				if got := len(roomtest.Pushes(ada, wordSaid)); got != 3 {
					t.Errorf("ada got %d pushes, want 3", got)
				}
				s.Sleep("desk/1")
				out, err := room.Ask(s.T.Context(), s.Room("desk", "1"), addWord, word{"d"})
				if err != nil || len(out.Words) != 4 {
					t.Errorf("Ask: %v, %v", out, err)
				}
				s.Sleep("desk/1")
				eve := s.Connect("desk/1?name=Eve")
				equal(t, "with a third", look1(eve).Here, []string{"Ada", "Bob", "Eve"})
				s.Sleep("desk/1")
				bob.Close()
				s.Settle()
				got := look1(eve)
				equal(t, "after one has left", got.Here, []string{"Ada", "Eve"})
				equal(t, "OnDetach", got.Left, []string{"Bob"})
				if slept.count() != 4 || woke.count() != 5 {
					t.Errorf("slept %d times, woke %d times", slept.count(), woke.count())
				}
			}, def)
		})
	}
}

// What was acknowledged is there after a restart, and under EachTurn after a crash.
func TestRestartAndCrash(t *testing.T) {
	lapse := 4 * time.Second
	def := newDesk(nil)
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		s.Restart()
		ada = s.Connect("desk/1?name=Ada")
		got := add1(ada, "b")
		equal(t, "words after a restart", got.Words, []string{"a", "b"})
		equal(t, "who has left", got.Left, []string{"Ada"})
		s.Crash()
		_, err := s.Dial("desk/1?name=Ada", nil)
		var refused *client.HandshakeError
		if !errors.As(err, &refused) || refused.StatusCode != 503 || !strings.Contains(err.Error(), "is held by") {
			t.Errorf("while the dead server's lease lasts: %v", err)
		}
		s.Advance(lapse)
		ada = s.Connect("desk/1?name=Ada")
		got = look1(ada)
		equal(t, "words after a crash", got.Words, []string{"a", "b"})
		equal(t, "who has left by then", got.Left, []string{"Ada", "Ada"})
		equal(t, "who is here", got.Here, []string{"Ada"})
	}, def)
}

// OnDetach runs after a crash without anybody waking the room.
func TestDetachAfterACrash(t *testing.T) {
	var left tally
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.ResumeFor = time.Minute
		inner := def.OnDetach
		def.OnDetach = func(ctx context.Context, t *deskTurn) error {
			left.add(t.Session.Data.Name)
			return inner(ctx, t)
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		s.Connect("desk/1?name=Ada")
		s.Connect("desk/1?name=Bob" + keyBob)
		s.Crash()
		s.Advance(65 * time.Second) // lease, margin, ResumeFor
		equal(t, "OnDetach", left.all(), []string{"Ada", "Bob"})
	}, def)
}

// Under Every a crash costs what has happened since the last save.
func TestCrashUnderEvery(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) { def.Save = room.Every(time.Second) })
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		for i := range 25 {
			add1(ada, fmt.Sprint(i))
			s.Advance(100 * time.Millisecond)
		}
		s.Crash()
		s.Advance(4 * time.Second)
		n := len(look1(s.Connect("desk/1?name=Eve")).Words)
		if n < 15 || n == 25 {
			t.Errorf("%d of 25 words are there after 2.5 s; want those until 1 s before, and not all", n)
		}
	}, def)
}

// Under EachTurn a panic leaves the room as it was before the turn; the session's data too.
func TestPanicUnderEachTurn(t *testing.T) {
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		roomtest.Pushes(ada, wordSaid)
		roomtest.Refused(ada, badWord, word{"oops"})
		roomtest.ExpectNone(ada, wordSaid)
		got := add1(ada, "b")
		equal(t, "words", got.Words, []string{"a", "b"})
		if got.Calls != 2 {
			t.Errorf("the session counts %d calls, want 2", got.Calls)
		}
	}, newDesk(nil))
}

// With RestoreState a panic takes the room back to what was last saved; who has come since comes again.
func TestRestoreState(t *testing.T) {
	var attached tally
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.Save, def.OnPanic = room.Every(time.Second), room.RestoreState
		def.OnAttach = func(_ context.Context, t *deskTurn) error {
			attached.add(t.Session.Data.Name)
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada, eve := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Eve")
		add1(ada, "a")
		s.Advance(2 * time.Second)
		add1(ada, "b")
		bob := s.Connect("desk/1?name=Bob")
		eve.Close()
		s.Settle()
		roomtest.Refused(ada, badWord, word{"oops"})
		got := look1(bob)
		equal(t, "words", got.Words, []string{"a"})
		equal(t, "left", got.Left, []string{"Eve"})
		equal(t, "here", got.Here, []string{"Ada", "Bob"})
		equal(t, "OnAttach", attached.all(), []string{"Ada", "Eve", "Bob", "Bob"})
		if got := add1(ada, "c"); got.Calls != 2 {
			t.Errorf("ada's calls: %d, want that of before the save and this one", got.Calls)
		}
	}, def)
}

// A room that still equals what New made, without sessions or alarms, leaves no row, and neither does one that was destroyed.
func TestNoRowIsLeft(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) { def.OnDetach = nil })
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		rows := func() int {
			list, err := s.Store().List(s.T.Context(), "", store.Key{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		ada := s.Connect("desk/1?name=Ada")
		look1(ada)
		if rows() != 1 {
			t.Error("a room with a session has no row")
		}
		ada.Close()
		s.Settle()
		if n := rows(); n != 0 {
			t.Errorf("%d rows of rooms in which nothing has happened", n)
		}
		ada = s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		s.Sleep("desk/1")
		roomtest.Call(ada, ruin, contract.None{})
		s.Advance(time.Second)
		if n := rows(); n != 0 {
			t.Errorf("%d rows of rooms that were destroyed", n)
		}
		if _, err := room.Ask(s.T.Context(), s.Room("desk", "1"), readDesk, contract.None{}); contract.CodeOf(err) != contract.NotFound {
			t.Errorf("Ask of a room that is gone: %v", err)
		}
		if _, err := room.Ask(s.T.Context(), s.Room("desk", "new"), readDesk, contract.None{}, room.Create()); err != nil || rows() != 0 {
			t.Errorf("a room that was made to be read: %v, %d rows", err, rows())
		}
	}, def)
}

// A room that sleeps without sockets gives up its actor too, and KeepEmpty bounds for how long it is kept.
func TestKeepEmptyOfSleepingRooms(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.KeepEmpty, def.SleepAfter = time.Hour, time.Second
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		ada.Close()
		s.Advance(3 * time.Second)
		if page, _ := s.Rooms("desk", "", 0); len(page) != 0 {
			t.Errorf("running: %+v", page)
		}
		s.Advance(50 * time.Minute)
		ada = s.Connect("desk/1?name=Ada")
		equal(t, "after 50 minutes", look1(ada).Words, []string{"a"})
		ada.Close()
		s.Advance(61 * time.Minute)
		equal(t, "after another hour", look1(s.Connect("desk/1?name=Eve")).Words, nil)
	}, def)
}

func TestStateThatIsTooLarge(t *testing.T) {
	opts := quiet()
	opts.MaxStateBytes = 100
	roomtest.RunOptions(t, opts, func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		if err := roomtest.Refused(ada, addWord, word{strings.Repeat("x", 100)}); err.Code != contract.ResourceExhausted {
			t.Errorf("got %v", err)
		}
		equal(t, "words", add1(ada, "b").Words, []string{"a", "b"})
	}, newDesk(nil))
}

// A room that always ticks goes on by itself after a restart and after a crash.
func TestTickAlwaysOverARestart(t *testing.T) {
	var ticks atomic.Int64
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.TickEvery, def.TickAlways, def.Save = time.Second, true, room.Every(time.Second)
		def.OnTick = func(_ context.Context, t *deskTurn) error {
			ticks.Add(1)
			t.State.Words = []string{"tick"}
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		s.Connect("desk/1?name=Ada").Close()
		s.Advance(10 * time.Second)
		for what, again := range map[string]func(){"a restart": s.Restart, "a crash": s.Crash} {
			again()
			s.Advance(5 * time.Second)
			before := ticks.Load()
			s.Advance(10 * time.Second)
			if n := ticks.Load() - before; n < 9 || n > 11 {
				t.Errorf("%d ticks in 10 s after %s", n, what)
			}
		}
	}, def)
}
