package room_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
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

type deskDef = room.Definition[deskState, deskUser]

func deskKey(n string) store.Key { return store.Key{Kind: "desk", Name: n} }

// Whose absence was found out when the room was loaded may end the room: who comes at that moment gets in, or is refused with a reason.
func TestRoomThatEndsWhileItOpens(t *testing.T) {
	for _, how := range []string{"attach", "ask"} {
		t.Run(how, func(t *testing.T) {
			def := newDesk(func(def *deskDef) {
				def.OnDetach = func(_ context.Context, t *deskTurn) error {
					if t.Session.Data.Name == "Host" {
						t.CloseRoom(0, "the host has left")
					}
					return nil
				}
			})
			roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
				host := s.Connect("desk/1?name=Host")
				s.Connect("desk/1?name=Bob" + keyBob)
				add1(host, "a")
				s.Crash()
				s.Advance(4 * time.Second)
				if how == "ask" {
					out, err := room.Ask(s.T.Context(), s.Room("desk", "1"), readDesk, contract.None{})
					t.Log(out, err)
					if c := contract.CodeOf(err); err != nil && c != contract.NotFound && c != contract.Unavailable {
						t.Errorf("Ask: %v (%v)", err, c)
					}
					return
				}
				eve, err := s.Dial("desk/1?name=Eve", nil)
				if err != nil {
					t.Logf("refused: %v", err)
					if strings.Contains(err.Error(), "1011") {
						t.Error(err)
					}
					return
				}
				answer := callLater(eve, addWord, word{"b"})
				s.Advance(30 * time.Second)
				out, err := answer()
				if err != nil || len(out.Words) != 2 {
					t.Errorf("eve's call: %v, %v; status %v", out, err, eve.Status())
				}
			}, def)
		})
	}
}

// Under Every a call that sets an alarm is answered after CommitTimeout, also if what holds it up is a save of before.
func TestLateAlarmUnderEvery(t *testing.T) {
	def := newClock(t, func(def *deskDef) { def.Save, def.SleepAfter = room.Every(time.Second), time.Minute })
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		s.Advance(2 * time.Second)
		add1(ada, "b")
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold})
		s.Advance(1500 * time.Millisecond)
		if held.Hits() != 1 {
			t.Fatal("no save is under way")
		}
		answer := callLater(ada, setAlarm, alarmIn{Name: "x", In: 3600})
		s.Advance(9 * time.Second) // CommitTimeout is 5 s
		if _, err := answer(); contract.CodeOf(err) != contract.OutcomeUnknown {
			t.Errorf("after 9 s: %v", err)
		}
		held.Release()
	})
}

// An alarm that was acknowledged is there after a panic that takes the state back.
func TestRestoreKeepsAcknowledgedAlarms(t *testing.T) {
	def := newClock(t, func(def *deskDef) {
		def.Save, def.SleepAfter, def.OnPanic = room.Every(time.Second), time.Minute, room.RestoreState
	})
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		add1(ada, "a")
		s.Advance(2 * time.Second)
		add1(ada, "b")
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold, Times: 1})
		s.Advance(1500 * time.Millisecond)
		if held.Hits() != 1 {
			t.Fatal("no save is under way")
		}
		set := callLater(ada, setAlarm, alarmIn{Name: "x", In: 3600})
		bad := callLater(bob, badWord, word{"oops"})
		held.Release()
		s.Settle()
		if _, err := bad(); err == nil || err == errNoAnswer {
			t.Errorf("bad: %v", err)
		}
		_, err := set()
		t.Logf("set: %v", err)
		look1(bob)
		if _, err = set(); err != nil {
			t.Logf("set: %v", err)
			return
		}
		s.Advance(time.Second)
		s.Crash()
		s.Advance(2 * time.Hour)
		got := look1(s.Connect("desk/1?name=Eve"))
		if len(got.Fired) != 1 {
			t.Errorf("the alarm was acknowledged and never fired: %v", got)
		}
	})
}

// Under Every, a session's removal and what OnDetach has done are one save.
func TestRemovalIsSavedWithOnDetach(t *testing.T) {
	def := newDesk(func(def *deskDef) { def.Save = room.Every(time.Second) })
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		add1(ada, "a")
		s.Advance(2 * time.Second)
		add1(ada, "b")
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold, Times: 1})
		s.Advance(1200 * time.Millisecond)
		if held.Hits() != 1 {
			t.Fatal("no save is under way")
		}
		bob.Close()
		s.Settle()
		held.Release()
		s.Settle()
		s.Crash()
		s.Advance(5 * time.Second)
		got := look1(s.Connect("desk/1?name=Eve"))
		found := false
		for _, n := range got.Left {
			found = found || n == "Bob"
		}
		if !found {
			t.Errorf("bob is gone and his OnDetach has never had an effect: %+v", got)
		}
	})
}

// With RestoreState a panic in OnDetach does not end the room, let alone for ever.
func TestRestoreAfterAPanicInOnDetach(t *testing.T) {
	var runs atomic.Int64
	def := newDesk(func(def *deskDef) {
		def.Save, def.OnPanic = room.Every(time.Second), room.RestoreState
		inner := def.OnDetach
		def.OnDetach = func(ctx context.Context, t *deskTurn) error {
			if t.Session.Data.Name == "Bob" {
				runs.Add(1)
				panic("bob")
			}
			return inner(ctx, t)
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada, bob := s.Connect("desk/1?name=Ada"), s.Connect("desk/1?name=Bob")
		add1(ada, "a")
		s.Advance(2 * time.Second)
		bob.Close()
		s.Advance(2 * time.Second)
		if n := runs.Load(); n != 1 {
			t.Errorf("bob's OnDetach ran %d times", n)
		}
		if ada.Status() != client.Open {
			t.Errorf("ada was thrown out: %v", ada.Err())
		}
		eve, err := s.Dial("desk/1?name=Eve", nil)
		if err != nil {
			t.Fatalf("nobody gets into the room any more: %v", err)
		}
		if out, err := callRoom(eve, readDesk, contract.None{}); err != nil {
			t.Errorf("eve: %v, %v", out, err)
		}
	}, def)
}

// Two sessions are closed by one turn, the first one's OnDetach panics: the second one leaves all the same.
func TestRestoreWhileOthersLeave(t *testing.T) {
	var once atomic.Bool
	var left tally
	def := newDesk(func(def *deskDef) {
		def.Save, def.OnPanic = room.Every(time.Second), room.RestoreState
		def.OnDetach = func(_ context.Context, t *deskTurn) error {
			if t.Session.Data.Name == "Bob" && !once.Swap(true) {
				panic("bob")
			}
			left.add(t.Session.Data.Name)
			return nil
		}
		def.OnAttach = func(_ context.Context, t *deskTurn) error {
			if t.Session.Data.Name == "Reaper" {
				for _, s := range t.Sessions() {
					if s != t.Session {
						t.Close(s, 0, "out")
					}
				}
			}
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		s.Connect("desk/1?name=Bob")
		s.Connect("desk/1?name=Cy")
		add1(ada, "a")
		s.Advance(2 * time.Second)
		reaper := s.Connect("desk/1?name=Reaper")
		s.Advance(10 * time.Second)
		equal(t, "here", look1(reaper).Here, []string{"Reaper"})
		t.Log(left.all())
	}, def)
}

// The room was another server's while it slept here, and is nobody's again: who is connected here is told so, or goes on.
func TestTakenAndGivenBackWhileAsleep(t *testing.T) {
	for _, how := range []string{"session gone", "removed", "new session"} {
		t.Run(how, func(t *testing.T) {
			withFaults(t, quiet(), newDesk(func(def *deskDef) { def.ResumeFor = time.Second }), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
				ada := s.Connect("desk/1?name=Ada")
				bob := s.Connect("desk/1?name=Bob")
				add1(ada, "a")
				s.Sleep("desk/1")
				lapse := st.Inject(storefault.Fault{On: storefault.Renew})
				s.Advance(4 * time.Second)
				thief, err := st.Join(t.Context(), store.Owner{Addr: "thief"}, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				kept, err := st.Acquire(t.Context(), thief.ID, deskKey("1"))
				if err != nil {
					t.Fatal(err)
				}
				b := store.Batch{Key: kept.Key, Epoch: kept.Epoch, Number: 1, Then: store.Release}
				switch how {
				case "removed":
					b.Then = store.Remove
				case "session gone": // as it does to whose connections it has not
					for name, data := range kept.Parts {
						if strings.HasPrefix(name, "session/") && strings.Contains(string(data), `"Ada"`) {
							b.Delete = append(b.Delete, name)
						}
					}
					if len(b.Delete) != 1 {
						t.Fatalf("parts %q", kept.Parts)
					}
				case "new session":
					for name, data := range kept.Parts {
						if strings.HasPrefix(name, "session/") && strings.Contains(string(data), `"Ada"`) {
							b.Delete = append(b.Delete, name)
						}
					}
				}
				if errs := st.Save(t.Context(), []store.Batch{b}); errs[0] != nil {
					t.Fatal(errs)
				}
				lapse.Release()
				s.Advance(2 * time.Second)
				bobs := callLater(bob, readDesk, contract.None{})
				adas := callLater(ada, readDesk, contract.None{})
				s.Advance(30 * time.Second)
				for who, c := range map[string]func() (words, error){"ada": adas, "bob": bobs} {
					out, err := c()
					t.Log(who, out, err)
					if err == errNoAnswer {
						t.Errorf("%s's call is never answered, and the connection stays open", who)
					}
				}
			})
		})
	}
}

// OnResume that closes its session leaves no clock running.
func TestOnResumeThatCloses(t *testing.T) {
	var ticks atomic.Int64
	def := newDesk(func(def *deskDef) {
		def.TickEvery = time.Second
		def.SleepAfter = 5 * time.Second
		def.OnTick = func(context.Context, *deskTurn) error { ticks.Add(1); return nil }
		def.OnResume = func(_ context.Context, t *deskTurn, _ deskUser) error {
			t.Close(t.Session, 0, "you are banned")
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada" + keyAda)
		add1(ada, "a")
		ada.Close()
		s.Settle()
		_, _ = s.Dial("desk/1?name=Ada"+keyAda, nil)
		s.Advance(time.Second)
		before := ticks.Load()
		s.Advance(time.Minute)
		if n := ticks.Load() - before; n > 0 {
			t.Errorf("%d ticks in a room in which nobody is", n)
		}
		if page, _ := s.Rooms("desk", "", 0); len(page) != 0 {
			t.Errorf("it never sleeps: %+v", page)
		}
	}, def)
}

// A room that is to end with its last session leaves no row, also if the store was away at that moment.
func TestRowOfARoomThatIsNotKept(t *testing.T) {
	for _, keep := range []time.Duration{-1, 0} {
		t.Run(keep.String(), func(t *testing.T) {
			def := newDesk(func(def *deskDef) {
				def.KeepEmpty, def.SleepAfter, def.OnDetach, def.Save = keep, 30*time.Second, nil, room.OnSleep
			})
			withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
				ada := s.Connect("desk/1?name=Ada")
				if keep < 0 {
					add1(ada, "a")
				}
				s.Sleep("desk/1")
				look1(ada)
				away := st.Inject(storefault.Fault{On: storefault.Save})
				ada.Close()
				s.Advance(12 * time.Second)
				away.Release()
				s.Advance(10 * time.Minute)
				list, err := st.List(t.Context(), "", store.Key{}, 10)
				if err != nil || len(list) != 0 {
					t.Errorf("rows %+v, %v", list, err)
				}
			})
		})
	}
}

// Shutdown keeps to its ctx while a handler of a room that was just woken takes its time.
func TestShutdownWhileARoomIsWoken(t *testing.T) {
	ended := make(chan struct{}, 10)
	def := newClock(t, func(def *deskDef) {
		def.TurnTimeout = -1
		def.OnAlarm = func(ctx context.Context, t *deskTurn, a room.Alarm) error {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			ended <- struct{}{}
			return ctx.Err()
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := roomtest.Start(t, quiet(), def)
		ada := s.Connect("desk/1?name=Ada")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "x", In: 10})
		ada.Close()
		s.Advance(11 * time.Second) // it sleeps, is woken, and OnAlarm runs
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("Shutdown with a ctx of 2 s took %v", d)
		}
		s.Stop()
	})
}

// Kill ends, whatever waits.
func TestKillWhileARoomIsWoken(t *testing.T) {
	def := newClock(t, func(def *deskDef) {
		def.TurnTimeout = -1
		def.OnAlarm = func(ctx context.Context, t *deskTurn, a room.Alarm) error {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			return ctx.Err()
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := roomtest.Start(t, quiet(), def)
		ada := s.Connect("desk/1?name=Ada")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "x", In: 10})
		ada.Close()
		s.Advance(11 * time.Second)
		began := time.Now()
		s.Kill()
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("Kill took %v", d)
		}
		s.Stop()
	})
}

// After Shutdown nothing is asked of the store any more: its owner may close it.
func TestStoreAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storefault.Wrap(store.NewMemory())
		defer st.Close()
		opts := quiet()
		opts.Store = st
		s := roomtest.Start(t, opts, newDesk(nil))
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		away := st.Inject(storefault.Fault{On: storefault.Save})
		first := callLater(ada, addWord, word{"b"})
		s.Advance(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		t.Log(err)
		_, _ = first()
		s.Advance(5 * time.Second)
		before := away.Hits()
		t.Log(before)
		s.Advance(time.Minute)
		if n := away.Hits() - before; n > 0 {
			t.Errorf("%d saves in the minute after Shutdown", n)
		}
		s.Stop()
		away.Release()
	})
}

// An alarm handler that takes its time holds up the alarms of no other room.
func TestSlowAlarmHoldsUpNobody(t *testing.T) {
	var fired atomic.Int64
	def := newClock(t, func(def *deskDef) {
		def.TurnTimeout = time.Minute
		def.OnAlarm = func(ctx context.Context, t *deskTurn, a room.Alarm) error {
			if a.Name == "slow" {
				time.Sleep(50 * time.Second)
			} else {
				fired.Store(time.Now().Unix())
			}
			return nil
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		for i, name := range []string{"slow", "quick"} {
			c := s.Connect(fmt.Sprintf("desk/%s", name))
			roomtest.Call(c, setAlarm, alarmIn{Name: name, In: float64(10 + 5*i)})
			c.Close()
		}
		due := time.Now().Add(15 * time.Second).Unix()
		s.Advance(2 * time.Minute)
		if late := fired.Load() - due; late != 0 {
			t.Errorf("the alarm of the other room was %d s late", late)
		}
	}, def)
}

// While the store is away, callers of a room that sleeps are told so soon, all of them.
func TestCallsToASleepingRoomWithoutAStore(t *testing.T) {
	withFaults(t, quiet(), newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		var all []*roomtest.Client
		for i := range 10 {
			all = append(all, s.Connect(fmt.Sprintf("desk/1?name=%d", i)))
		}
		add1(all[0], "a")
		s.Sleep("desk/1")
		st.Inject(storefault.Fault{})
		var answers []func() (words, error)
		for _, c := range all {
			answers = append(answers, callLater(c, readDesk, contract.None{}))
		}
		s.Advance(11 * time.Second)
		n := 0
		for _, a := range answers {
			if _, err := a(); err == errNoAnswer {
				n++
			}
		}
		if n > 0 {
			t.Errorf("after 11 s, %d of 10 callers have no answer", n)
		}
		st.Heal()
		s.Advance(time.Minute)
	})
}

// A room that could not be given back is woken for its alarm all the same.
func TestAlarmOfARoomThatCouldNotBeGivenBack(t *testing.T) {
	var fired atomic.Int64
	def := newClock(t, func(def *deskDef) {
		def.OnAlarm = func(ctx context.Context, t *deskTurn, a room.Alarm) error { fired.Add(1); return nil }
	})
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		eve := s.Connect("desk/2?name=Eve") // the server is in use
		_ = eve
		ada := s.Connect("desk/1?name=Ada")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "x", In: 120})
		away := st.Inject(storefault.Fault{On: storefault.Save, Room: deskKey("1")})
		go s.Room("desk", "1").Close(t.Context(), 0, "")
		s.Advance(30 * time.Second)
		away.Release()
		s.Advance(10 * time.Minute)
		if fired.Load() == 0 {
			t.Error("the alarm never fires as long as the server lives")
		}
	})
}

// A removal that was done and reported as failed is no other server.
func TestRemoveThatWasDoneAndFailed(t *testing.T) {
	var fenced atomic.Int64
	opts := quiet()
	opts.Hooks.SaveFailed = func(e room.SaveFailedEvent) {
		if e.Fenced {
			fenced.Add(1)
		}
	}
	withFaults(t, opts, newDesk(nil), func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada := s.Connect("desk/1?name=Ada")
		add1(ada, "a")
		changes, stop := ada.Changes()
		defer stop()
		s.Settle()
		// saves: the departure of ada (an ordinary one), then the removal
		st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.FailAfter, Times: 1, Skip: 1})
		_, err := callRoom(ada, ruin, contract.None{})
		s.Advance(2 * time.Second)
		t.Log(err)
		if c := lastChange(changes); c.Code != 4410 || fenced.Load() > 0 {
			t.Errorf("ada: %+v; fenced %d times", c, fenced.Load())
		}
	})
}

// A room that ended and could not be saved is woken for the sessions that are in its snapshot.
func TestSessionsOfARoomThatEndedUnsaved(t *testing.T) {
	def := newDesk(func(def *deskDef) { def.ResumeFor = 10 * time.Second })
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		s.Connect("desk/2?name=Eve") // the server is in use
		ada := s.Connect("desk/1?name=Ada")
		s.Connect("desk/1?name=Bob" + keyBob)
		add1(ada, "a")
		away := st.Inject(storefault.Fault{On: storefault.Save, Room: deskKey("1")})
		go s.Room("desk", "1").Close(t.Context(), 0, "")
		s.Advance(15 * time.Second)
		away.Release()
		s.Advance(10 * time.Minute)
		kept, err := st.Load(t.Context(), deskKey("1"))
		if err != nil {
			t.Fatal(err)
		}
		for name := range kept.Parts {
			if strings.HasPrefix(name, "session/") {
				t.Errorf("ten minutes later %s is still in the snapshot", name)
			}
		}
	})
}

// Two servers see that a room is due; the one that has got it dies. The other one takes over when the lease has ended.
func TestLoserOfARaceWakesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := store.NewMemory()
		defer mem.Close()
		var fired tally
		var servers []*roomtest.Server
		for i := range 2 {
			def := newClock(t, func(def *deskDef) {
				def.SleepAfter = time.Minute
				def.OnAlarm = func(_ context.Context, t *deskTurn, a room.Alarm) error {
					fired.add(fmt.Sprint(a.Name, " at ", i, " ", time.Now().Format("04:05")))
					if a.Name == "first" {
						return t.SetAlarm("second", time.Now().Add(2*time.Second))
					}
					return nil
				}
			})
			opts := quiet()
			opts.Store = mem.Open()
			servers = append(servers, roomtest.Start(t, opts, def))
		}
		ada := servers[0].Connect("desk/1?name=Ada")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "first", In: 100})
		ada.Close()
		servers[0].Advance(99 * time.Second) // it sleeps, and is nobody's
		servers[0].Connect("desk/2?name=Eve")
		servers[1].Connect("desk/3?name=Eve")
		servers[0].Advance(2 * time.Second)
		t.Log(fired.all())
		for i, s := range servers {
			if page, _ := s.Rooms("desk", "", 0); len(page) == 2 {
				s.Kill()
				t.Log("killed ", i)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := fired.count(); n != 2 {
			t.Errorf("10 s after the death of the server, %d alarms have fired", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		t.Log(fired.all())
		for _, s := range servers {
			s.Stop()
		}
	})
}

// A room that cannot be had at the moment at which it is due is woken when the store is back.
func TestWakingThatTakesLongAndFails(t *testing.T) {
	var fired tally
	def := newClock(t, func(def *deskDef) {
		def.OnAlarm = func(_ context.Context, t *deskTurn, a room.Alarm) error {
			fired.add(time.Now().Format("04:05"))
			return nil
		}
	})
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		ada := s.Connect("desk/1?name=Ada")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "x", In: 60})
		ada.Close()
		s.Advance(59 * time.Second)
		away := st.Inject(storefault.Fault{On: storefault.Acquire})
		s.Advance(10 * time.Second)
		away.Release()
		s.Advance(2 * time.Minute)
		if fired.count() == 0 {
			t.Error("two minutes after the store was back the alarm has not fired")
		}
		s.Advance(24 * time.Hour)
		t.Log(fired.all())
	})
}

// What OnAlarm has changed before it panicked is saved as the policy says.
func TestFailedAlarmUnderEvery(t *testing.T) {
	def := newClock(t, func(def *deskDef) {
		def.Save, def.SleepAfter = room.Every(time.Second), time.Hour
		def.OnAlarm = func(_ context.Context, t *deskTurn, a room.Alarm) error {
			t.State.Words = append(t.State.Words, "by the alarm")
			panic("alarm")
		}
	})
	roomtest.RunOptions(t, quiet(), func(s *roomtest.Server) {
		ada := s.Connect("desk/1?name=Ada")
		roomtest.Call(ada, setAlarm, alarmIn{Name: "x", In: 60})
		s.Advance(10 * time.Minute)
		want := len(roomtest.Call(ada, readDesk, contract.None{}).Words)
		s.Crash()
		s.Advance(5 * time.Second)
		if got := len(look1(s.Connect("desk/1?name=Eve")).Words); got != want {
			t.Errorf("%d of %d changes were saved, minutes later", got, want)
		}
	}, def)
}

// What a save says of when the room is to be woken is about what was saved. Under Every a batch that only asks whether the
// room still is ours says it of the present members.
func TestLingerOfABatchThatOnlyAsks(t *testing.T) {
	def := newDesk(func(def *room.Definition[deskState, deskUser]) {
		def.Save = room.Every(30 * time.Second)
		def.ResumeFor = time.Hour
	})
	withFaults(t, quiet(), def, func(t *testing.T, s *roomtest.Server, st *storefault.Store) {
		bob := s.Connect("desk/1?name=Bob" + keyBob)
		add1(bob, "a")
		s.Advance(31 * time.Second)
		s.Crash()
		s.Advance(4 * time.Second)
		if _, err := room.Ask(context.Background(), s.Room("desk", "1"), readDesk, contract.None{}); err != nil {
			t.Fatal(err)
		}
		lapse := st.Inject(storefault.Fault{On: storefault.Renew})
		s.Advance(4 * time.Second)
		lapse.Release()
		s.Advance(2 * time.Second) // the lease is back, the room has asked whether it is its
		s.Crash()
		s.Advance(5 * time.Second)
		bob = s.Connect("desk/1?name=Bob" + keyBob)
		got := look1(bob)
		equal(t, "left, seconds after the crash", got.Left, nil)
		if got.Calls != 1 {
			t.Errorf("bob's session counts %d calls, want 1", got.Calls)
		}
	})
}
