package room_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
)

// withFaults runs f with a server whose store fails on demand.
func withFaults(t *testing.T, opts *room.Options, def room.AnyDefinition, f func(t *testing.T, s *roomtest.Server, st *storefault.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := storefault.Wrap(store.NewMemory())
		defer st.Close()
		opts.Store = st
		s := roomtest.Start(t, opts, def)
		defer s.Stop()
		defer st.Heal()
		f(t, s, st)
		if t.Failed() {
			t.Log(st.Log())
		}
	})
}

// callLater makes a call whose answer the test looks at later.
func callLater[In, Out any](c *roomtest.Client, call *contract.Call[In, Out], in In) func() (Out, error) {
	type answer struct {
		out Out
		err error
	}
	done := make(chan answer, 1)
	go func() {
		out, err := client.Call(c.T.Context(), c.Client, call, in)
		done <- answer{out, err}
	}()
	synctest.Wait()
	return func() (Out, error) {
		c.T.Helper()
		synctest.Wait()
		select {
		case a := <-done:
			return a.out, a.err
		default:
			return *new(Out), errNoAnswer
		}
	}
}

var errNoAnswer = errors.New("no answer yet")

// Under EachTurn nothing that a turn causes leaves before the turn is durable, and turns go on meanwhile; what several of
// them have changed is saved together.
func TestNothingLeavesBeforeItIsDurable(t *testing.T) {
	def := newDesk(nil)
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold})
		first := callLater(ada, addWord, word{"a"})
		second := callLater(ada, addWord, word{"b"})
		read := callLater(bob, readDesk, contract.None{})
		asked := make(chan error, 1)
		go func() {
			_, err := room.Ask(t.Context(), s.Room("desk", "1"), addWord, word{"c"})
			asked <- err
		}()
		synctest.Wait()
		for i, f := range []func() (words, error){first, second, read} {
			if out, err := f(); err != errNoAnswer {
				t.Errorf("call %d was answered before it was durable: %v, %v", i, out, err)
			}
		}
		if len(asked) > 0 {
			t.Error("an Ask was answered before it was durable")
		}
		roomtest.ExpectNone(bob, wordSaid)
		kept, err := st.Load(t.Context(), store.Key{Kind: "desk", Name: "1"})
		if err != nil {
			t.Fatal(err)
		}
		before := kept.Updated
		s.Advance(time.Second)
		held.Release()
		var got words
		for i, f := range []func() (words, error){first, second, read} {
			var err error
			if got, err = f(); err != nil {
				t.Errorf("call %d: %v, %v", i, got, err)
			}
		}
		if err := <-asked; err != nil {
			t.Error(err)
		}
		equal(t, "what a read answers that waited", got.Words, []string{"a", "b"})
		for _, want := range []string{"a", "b", "c"} {
			if got := roomtest.Expect(bob, wordSaid); got.Text != want {
				t.Errorf("pushed %q, want %q", got.Text, want)
			}
		}
		if held.Hits() > 2 {
			t.Errorf("three turns took %d saves, want two", held.Hits())
		}
		if kept, _ = st.Load(t.Context(), kept.Key); !kept.Updated.After(before) {
			t.Error("nothing was saved")
		}
	})
}

// A save that takes longer than CommitTimeout: callers learn that nobody knows, pushes wait, and what comes after is told
// that it did not run once too much is held.
func TestLateSave(t *testing.T) {
	opts := quiet()
	opts.MaxHeldBytes = 4096
	withFaults(t, opts, newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold})
		first := callLater(ada, addWord, word{"a"})
		s.Advance(4 * time.Second)
		second := callLater(ada, addWord, word{"b"})
		if _, err := first(); err != errNoAnswer {
			t.Errorf("after 4 s: %v", err)
		}
		s.Advance(1500 * time.Millisecond)
		if _, err := first(); contract.CodeOf(err) != contract.OutcomeUnknown {
			t.Errorf("after CommitTimeout: %v", err)
		}
		if _, err := second(); err != errNoAnswer {
			t.Errorf("the second after 1.5 s: %v", err)
		}
		roomtest.ExpectNone(bob, wordSaid)
		var more []func() (words, error)
		for i := range 40 { // beyond MaxHeldBytes
			more = append(more, callLater(bob, addWord, word{fmt.Sprint(i)}))
		}
		s.Advance(6 * time.Second)
		unknown, unavailable := 0, 0
		for _, f := range more {
			switch _, err := f(); contract.CodeOf(err) {
			case contract.OutcomeUnknown:
				if unavailable > 0 {
					t.Error("answers are out of order")
				}
				unknown++
			case contract.Unavailable:
				unavailable++
			default:
				t.Errorf("got %v", err)
			}
		}
		if unknown < 5 || unavailable < 5 {
			t.Errorf("%d outcomes unknown, %d unavailable", unknown, unavailable)
		}
		held.Release()
		s.Settle()
		got := look1(ada)
		if len(got.Words) != 2+unknown {
			t.Errorf("%d words are there, want 2 and %d", len(got.Words), unknown)
		}
		if n := len(roomtest.Pushes(bob, wordSaid)); n != 2+unknown {
			t.Errorf("bob got %d pushes, want 2 and %d", n, unknown)
		}
	})
}

// While the store fails the room stands still: it keeps its state, tells callers that they may try again, and goes on by
// itself; Ready shows it.
func TestStoreThatIsAway(t *testing.T) {
	for name, kind := range map[string]storefault.Kind{"fails": storefault.Fail, "done and fails": storefault.FailAfter, "hangs": storefault.Hang} {
		t.Run(name, func(t *testing.T) {
			var failures tally
			opts := quiet()
			opts.Hooks.SaveFailed = func(room.SaveFailedEvent) { failures.add("") }
			withFaults(t, opts, newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
				ada, bob, eve := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob"), s.Connect("desk/1?name=Eve")
				add1(ada, "a")
				roomtest.Pushes(bob, wordSaid)
				away := st.Inject(storefault.Fault{Kind: kind})
				first := callLater(ada, addWord, word{"b"})
				s.Advance(11 * time.Second)
				if kind != storefault.FailAfter {
					if _, err := s.Dial("desk/2?name=Ada", nil); err == nil {
						t.Error("a room that cannot be made was entered")
					}
				}
				if _, err := callRoom(bob, addWord, word{"c"}); contract.CodeOf(err) != contract.Unavailable && contract.CodeOf(err) != contract.OutcomeUnknown {
					t.Errorf("a call meanwhile: %v", err)
				}
				eve.Close()
				s.Settle()
				if s.Ready() == nil {
					t.Error("Ready shows nothing")
				}
				if _, err := first(); contract.CodeOf(err) != contract.OutcomeUnknown {
					t.Errorf("the call that met it: %v", err)
				}
				roomtest.ExpectNone(bob, wordSaid)
				away.Release()
				s.Advance(15 * time.Second)
				if err := s.Ready(); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				got := look1(bob)
				equal(t, "words", got.Words, []string{"a", "b"})
				equal(t, "left", got.Left, []string{"Eve"})
				equal(t, "here", got.Here, []string{"Ada", "Bob"})
				if p := roomtest.Expect(bob, wordSaid); p.Text != "b" {
					t.Errorf("pushed %v", p)
				}
				if failures.count() == 0 && kind != storefault.Hang {
					t.Error("nothing was reported")
				}
				s.Crash()
				s.Advance(4 * time.Second)
				equal(t, "after a crash", look1(s.Connect("desk/1?name=Eve")).Words, []string{"a", "b"})
			})
		})
	}
}

// A room that another server has taken stops at once and lets nothing out.
func TestFenced(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		add1(ada, "a")
		roomtest.Pushes(bob, wordSaid)
		changes, stop := bob.Changes()
		defer stop()
		lapse := st.Inject(storefault.Fault{On: storefault.Renew})
		s.Advance(4 * time.Second)
		thief, err := st.Join(t.Context(), store.Owner{Addr: "thief"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Acquire(t.Context(), thief.ID, store.Key{Kind: "desk", Name: "1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := callRoom(ada, readDesk, contract.None{}); contract.CodeOf(err) != contract.Unavailable {
			t.Errorf("a read while the lease has ended: %v", err)
		}
		lapse.Release()
		s.Advance(2 * time.Second) // the lease is renewed, the room finds out
		roomtest.ExpectNone(bob, wordSaid)
		if c := lastChange(changes); c.Code != 4504 {
			t.Errorf("bob: %+v", c)
		}
		if _, err := s.Dial("desk/1?name=Ada", nil); err == nil {
			t.Error("the thief's room was entered")
		}
		if err := st.Leave(t.Context(), thief.ID); err != nil {
			t.Fatal(err)
		}
		equal(t, "words", look1(s.Connect("desk/1?name=Ada")).Words, []string{"a"})
	})
}

// A room that another server has taken while it slept here finds out when it is to wake.
func TestTakenWhileAsleep(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		other := s.Connect("desk/2?name=Eve")
		add1(ada, "a")
		s.Sleep("desk/1")
		changes, stop := bob.Changes()
		defer stop()
		lapse := st.Inject(storefault.Fault{On: storefault.Renew})
		s.Advance(4 * time.Second)
		thief, err := st.Join(t.Context(), store.Owner{Addr: "thief"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Acquire(t.Context(), thief.ID, store.Key{Kind: "desk", Name: "1"}); err != nil {
			t.Fatal(err)
		}
		lapse.Release()
		s.Advance(2 * time.Second)
		if _, err := callRoom(ada, readDesk, contract.None{}); err == nil {
			t.Error("the thief's room was read")
		}
		s.Settle()
		if c := lastChange(changes); c.Code != 4504 {
			t.Errorf("bob: %+v", c)
		}
		if other.Status() != client.Open {
			t.Error("a connection of another room was closed")
		}
	})
}

// A lease that has ended and was renewed before anybody took the rooms: they go on.
func TestLeaseThatComesBack(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		away := st.Inject(storefault.Fault{})
		s.Advance(20 * time.Second)
		if err := s.Ready(); err == nil {
			t.Error("Ready shows nothing")
		}
		if _, err := callRoom(ada, readDesk, contract.None{}); contract.CodeOf(err) != contract.Unavailable {
			t.Errorf("a read while the lease has ended: %v", err)
		}
		away.Release()
		s.Advance(2 * time.Second)
		if err := s.Ready(); err != nil {
			t.Error(err)
		}
		equal(t, "words", add1(ada, "b").Words, []string{"a", "b"})
	})
}

// The save before sleep fails: the room stays awake.
func TestSleepThatCannotSave(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.Save, def.SleepAfter = room.OnSleep, 30*time.Second
	})
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		away := st.Inject(storefault.Fault{On: storefault.Save})
		s.Advance(45 * time.Second)
		if page, _ := s.Rooms("desk", "", 0); len(page) != 1 || page[0].Asleep {
			t.Errorf("rooms: %+v", page)
		}
		away.Release()
		s.Advance(45 * time.Second)
		if page, _ := s.Rooms("desk", "", 0); len(page) != 1 || !page[0].Asleep {
			t.Errorf("rooms: %+v", page)
		}
		equal(t, "words", add1(ada, "b").Words, []string{"a", "b"})
		s.Sleep("desk/1")
		s.Crash()
		s.Advance(4 * time.Second)
		equal(t, "after a crash", look1(s.Connect("desk/1?name=Eve")).Words, []string{"a", "b"})
	})
}

// Random faults, among them batches that arrive late: what was acknowledged is there after every crash, once.
func TestAcknowledgedOverFaults(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			def := newDesk(func(def *room.Definition[deskState, deskUser]) { def.SleepAfter = 700 * time.Millisecond })
			opts := quiet()
			opts.Conn.CallsPerSecond = -1
			opts.RoomsPerSecond = -1
			withFaults(t, opts, def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
				st.Seed(seed)
				acknowledged := map[string]bool{}
				for round := range 6 {
					for _, kind := range []storefault.Kind{storefault.Fail, storefault.FailAfter, storefault.Slow, storefault.Late, storefault.Tear, storefault.TearBlind} {
						st.Inject(storefault.Fault{On: storefault.Save, Kind: kind, Odds: 0.08, Delay: 300 * time.Millisecond})
					}
					var clients []*roomtest.Client
					for i := range 3 {
						c, err := s.Dial(fmt.Sprintf("desk/%d?name=%d", i, i), nil)
						if err == nil {
							clients = append(clients, c)
						}
					}
					for i := range 30 {
						for j, c := range clients {
							text := fmt.Sprintf("%d-%d-%d", j, round, i)
							ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
							if _, err := client.Call(ctx, c.Client, addWord, word{text}); err == nil {
								acknowledged[text] = true
							}
							cancel()
						}
						s.Advance(time.Duration(i%5) * 200 * time.Millisecond)
					}
					s.Crash()
					st.Heal()
					s.Advance(5 * time.Second)
				}
				for i := range 3 {
					got := look1(s.Connect(fmt.Sprintf("desk/%d?name=check", i)))
					seen := map[string]bool{}
					for _, w := range got.Words {
						if seen[w] {
							t.Errorf("%s is there twice", w)
						}
						seen[w] = true
						delete(acknowledged, w)
					}
				}
				if len(acknowledged) > 0 {
					t.Errorf("acknowledged and lost: %v", acknowledged)
				}
			})
		})
	}
}

// A server whose store is away shuts down when its time is up, and says what could not be saved. Who is in is told.
func TestShutdownWithoutAStore(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/2?name=Bob")
		add1(ada, "a")
		add1(bob, "b")
		s.Sleep("desk/2")
		changes, stop := ada.Changes()
		defer stop()
		st.Inject(storefault.Fault{})
		call := callLater(ada, addWord, word{"c"})
		s.Advance(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if err == nil || !strings.Contains(err.Error(), "2 rooms could not be saved") {
			t.Errorf("Shutdown: %v", err)
		}
		if _, err := call(); contract.CodeOf(err) != contract.OutcomeUnknown {
			t.Errorf("the call: %v", err)
		}
		if c := lastChange(changes); c.To != client.Closed {
			t.Errorf("ada: %+v", c)
		}
	})
}

// A session whose socket closed while its room slept is listed in its OnDetach, and sent to without harm.
func TestDetachWakesTheRoom(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.OnDetach = func(_ context.Context, t *deskTurn) error {
			room.Broadcast(t, wordSaid, word{t.Session.Data.Name + " leaves"})
			room.Emit(t, t.Session, wordSaid, word{"bye"})
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		s.Sleep("desk/1")
		bob.Close()
		if got := roomtest.Expect(ada, wordSaid); got.Text != "Bob leaves" {
			t.Errorf("got %q", got.Text)
		}
		equal(t, "here", look1(ada).Here, []string{"Ada"})
	}, def)
}

// A push that was made while a session was away, and is held until it is durable, is not for the session's new connection.
func TestHeldPushesAndNewConnections(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada := s.Connect("desk/1?name=Ada")
		s.Connect("desk/1?name=Bob&wire=msgpack" + keyBob).Close()
		s.Settle()
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold})
		call := callLater(ada, addWord, word{"a"})
		bob := s.Connect("desk/1?name=Bob&wire=msgpack" + keyBob)
		held.Release()
		if _, err := call(); err != nil {
			t.Fatal(err)
		}
		roomtest.Expect(ada, wordSaid)
		roomtest.ExpectNone(bob, wordSaid)
		add1(ada, "b")
		if got := roomtest.Expect(bob, wordSaid); got.Text != "b" {
			t.Errorf("bob got %q", got.Text)
		}
	})
}

// Clients of a room that another server has taken while it slept here are told, though nobody sends anything.
func TestTakenAndSilent(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		add1(ada, "a")
		s.Sleep("desk/1")
		changes, stop := bob.Changes()
		defer stop()
		lapse := st.Inject(storefault.Fault{On: storefault.Renew})
		s.Advance(4 * time.Second)
		thief, err := st.Join(t.Context(), store.Owner{Addr: "thief"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Acquire(t.Context(), thief.ID, store.Key{Kind: "desk", Name: "1"}); err != nil {
			t.Fatal(err)
		}
		lapse.Release()
		s.Advance(time.Minute)
		select {
		case c := <-changes:
			if c.Code != 4504 {
				t.Errorf("bob: %+v", c)
			}
		default:
			t.Error("a minute later bob is still connected to a room that another server has")
		}
	})
}
