package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
	"github.com/gosocka/socka/wire"
)

var (
	rev      = contract.New("rev")
	oddSlow  = contract.NewCall[contract.None, contract.None](rev, "slow")
	oddQuick = contract.NewCall[contract.None, contract.None](rev, "quick")
	oddPush  = contract.NewPush[oddText](rev, "pushed")
)

type oddText struct{ Text string }

type oddTurn = Turn[oddState, oddData]
type oddState struct{ N int }
type oddData struct {
	Name string
	Bad  bad
}

// bad cannot be encoded when it is 1.
type bad int

func (b bad) MarshalText() ([]byte, error) {
	if b == 1 {
		return nil, errors.New("no text for it")
	}
	return []byte("fine"), nil
}
func (b *bad) UnmarshalText([]byte) error { return nil }

type oddServer struct {
	*Server
	t       *testing.T
	st      *storefault.Store
	go_     chan struct{}
	id      ID
	badData bool
	pids    map[string]*actors.PID
}

func oddRun(t *testing.T, change func(*Definition[oddState, oddData]), f func(t *testing.T, s *oddServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := storefault.Wrap(store.NewMemory())
		defer st.Close()
		s := &oddServer{t: t, st: st, go_: make(chan struct{}), id: ID{"rev", "1"}, pids: map[string]*actors.PID{}}
		def := &Definition[oddState, oddData]{Contract: rev, Save: EachTurn}
		HandleAsync(def, oddSlow, func(context.Context, *oddTurn, contract.None) (func(context.Context) (contract.None, error), error) {
			return func(ctx context.Context) (contract.None, error) {
				select {
				case <-s.go_:
				case <-ctx.Done():
				}
				return contract.None{}, nil
			}, nil
		}, func(context.Context, *oddTurn, contract.None, error) (contract.None, error) {
			return contract.None{}, nil
		}, AllowServer)
		if change != nil {
			change(def)
		}
		if def.handlers["quick"] == nil {
			Handle(def, oddQuick, func(_ context.Context, t *oddTurn, _ contract.None) (contract.None, error) {
				t.State.N++
				return contract.None{}, nil
			}, AllowServer)
		}
		var err error
		s.Server, err = NewServer(&Options{Logger: slog.New(slog.DiscardHandler), Store: st}, def)
		if err != nil {
			t.Fatal(err)
		}
		f(t, s)
		st.Heal()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Log(err)
		}
	})
}

func (s *oddServer) attach(session, key string, format wire.Format) *inbox {
	s.t.Helper()
	box := &inbox{}
	pid, err := s.system.Register("conn/"+session, box)
	if err != nil {
		s.t.Fatal(err)
	}
	s.pids[session] = pid
	e, err := s.acquire(s.id, true)
	if err != nil {
		s.t.Fatal(err)
	}
	in := entrant{data: oddData{Name: session}, create: true}
	if s.badData {
		in.data = oddData{Name: session, Bad: 1}
	}
	if key != "" {
		in.key, in.principal = keyHash(s.id, key), []byte("x")
	}
	s.system.Send(e.pid, &actors.Attach{From: pid, Session: session, Format: format, Data: in})
	synctest.Wait()
	return box
}

func (s *oddServer) send(msg any) {
	s.t.Helper()
	e, err := s.acquire(s.id, false)
	if err != nil {
		s.t.Fatal(err)
	}
	s.rooms.arrived(e)
	s.system.Send(e.pid, msg)
	synctest.Wait()
}

func (s *oddServer) call(session string, number uint64, rpc string) {
	s.t.Helper()
	s.send(&actors.Call{From: s.pids[session], Session: session, Number: number, ID: fmt.Sprint(session, number), RPC: rpc, Body: []byte("{}")})
}

func names(box *inbox) (list []string) {
	for _, m := range *box {
		switch m := m.(type) {
		case *actors.Answer:
			list = append(list, fmt.Sprint("answer ", m.Number, " ", string(m.Frame)))
		case *actors.Close:
			list = append(list, fmt.Sprint("close ", m.Code))
		default:
			list = append(list, fmt.Sprintf("%T", m))
		}
	}
	return list
}

// Calls of a connection that is gone are not answered on the session's next one.
func TestAnswersGoToTheirOwnConnection(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		first := s.attach("first", "k", wire.JSON)
		s.call("first", 1, "slow")
		s.call("first", 2, "quick")
		s.send(&actors.Detach{Session: "first"})
		second := s.attach("second", "k", wire.JSON)
		s.send(&actors.Probed{Session: "first"})
		s.call("second", 1, "quick")
		close(s.go_)
		synctest.Wait()
		t.Log("first", names(first))
		t.Log("second", names(second))
		got := names(second)
		if len(got) != 1 || got[0][:9] != "answer 1 " {
			t.Errorf("the new connection got %q, want the answer to its call 1", got)
		}
	})
}

// A newcomer that waits for the probe of somebody else's connection is told when the room ends.
func TestRoomEndsWhileANewcomerWaits(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		s.attach("first", "k", wire.JSON)
		second := s.attach("second", "k", wire.JSON)
		if err := s.Room("rev", "1").Close(t.Context(), 0, "over"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := names(second); len(got) != 1 {
			t.Errorf("the newcomer got %q, want a close", got)
		}
	})
}

// What a newcomer sends while it waits and the room stands still is answered.
func TestNewcomerOfARoomThatStandsStill(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		s.attach("first", "k", wire.JSON)
		second := s.attach("second", "k", wire.JSON)
		away := s.st.Inject(storefault.Fault{On: storefault.Save})
		s.call("first", 1, "quick")
		s.call("second", 1, "quick")
		s.send(&actors.Probed{Session: "first", Alive: true})
		away.Release()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := names(second); len(got) != 1 {
			t.Errorf("the newcomer got %q, want an answer", got)
		}
	})
}

// Under EachTurn a turn whose session's data cannot be saved does not succeed.
func TestDataThatCannotBeSaved(t *testing.T) {
	oddRun(t, func(def *Definition[oddState, oddData]) {
		Handle(def, oddQuick, func(_ context.Context, t *oddTurn, _ contract.None) (contract.None, error) {
			t.State.N++
			t.Session.Data.Bad = 1
			return contract.None{}, nil
		}, AllowServer)
	}, func(t *testing.T, s *oddServer) {
		box := s.attach("first", "", wire.JSON)
		s.call("first", 1, "quick")
		t.Log(names(box))
		a := (*box)[0].(*actors.Answer)
		f, err := wire.Decode(wire.JSON, a.Frame)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", f)
		kept, err := s.st.Load(t.Context(), store.Key(s.id))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%q", kept.Parts)
		if f.Kind != wire.ServerError {
			t.Error("the turn succeeded, and the session's data is in memory only")
		}
	})
}

// Whoever waits for an async call of a room that is fenced is told so at once.
func TestAsyncAskOfAFencedRoom(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		s.attach("first", "", wire.JSON)
		done := make(chan error, 1)
		go func() {
			_, err := Ask(t.Context(), s.Room("rev", "1"), oddSlow, contract.None{}, Timeout(time.Hour))
			done <- err
		}()
		synctest.Wait()
		// somebody takes the room behind its back
		thief, err := s.st.Join(t.Context(), store.Owner{Addr: "thief"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := s.lease.owner()
		kept, err := s.st.Acquire(t.Context(), id, store.Key(s.id))
		if err != nil {
			t.Fatal(err)
		}
		_ = thief
		_ = kept
		s.call("first", 1, "quick")
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case err := <-done:
			t.Log(err)
		default:
			t.Error("a minute after the room was fenced the asker still waits")
		}
		close(s.go_)
	})
}

// A push that was made for a session reaches it on the connection that it has when the push leaves.
func TestHeldPushAndAnotherFormat(t *testing.T) {
	oddRun(t, func(def *Definition[oddState, oddData]) {
		Handle(def, oddQuick, func(_ context.Context, t *oddTurn, _ contract.None) (contract.None, error) {
			t.State.N++
			Broadcast(t, oddPush, oddText{"x"})
			return contract.None{}, nil
		}, AllowServer)
	}, func(t *testing.T, s *oddServer) {
		s.attach("ada", "k", wire.JSON)
		bobBox := s.attach("bob", "", wire.JSON)
		defer func() { t.Log(names(bobBox)) }()
		held := s.st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold})
		s.call("bob", 1, "quick")
		s.send(&actors.Detach{Session: "ada"})
		again := s.attach("ada2", "k", wire.Msgpack)
		list, err := s.Room("rev", "1").Sessions(t.Context())
		t.Log(list, err, held.Hits())
		held.Release()
		synctest.Wait()
		for _, m := range *again {
			if p, ok := m.(*actors.Push); ok && p.Frames[wire.Msgpack] == nil {
				t.Error("ada's msgpack connection got a push without a frame of its format, which it drops and logs as an error")
			}
		}
		t.Log(names(again))
	})
}

// A server that has rooms has somebody who renews its lease.
func TestLeaseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		var mu sync.Mutex
		used, meanwhile := false, func() {}
		l := &lease{store: st, ttl: 3 * time.Second, log: slog.New(slog.DiscardHandler), busy: make(chan struct{}, 1), back: func() {}}
		l.used = func() bool {
			mu.Lock()
			u, f := used, meanwhile
			mu.Unlock()
			f()
			return u
		}
		if _, _, err := l.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		meanwhile = func() { // a room is made just after keep has looked
			mu.Lock()
			used, meanwhile = true, func() {}
			mu.Unlock()
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, _, err := l.get(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			select {
			case <-done:
			case <-time.After(time.Millisecond): // it has to wait, which is right
			}
		}
		mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !l.holds() {
			t.Error("the lease has ended although there is a room, and nobody renews it")
		}
		l.abandon()
	})
}

// Kill ends, also while rooms wait to be woken.
func TestKillWithAVisitOnItsWay(t *testing.T) {
	oddRun(t, func(def *Definition[oddState, oddData]) {
		def.OnAlarm = func(context.Context, *oddTurn, Alarm) error { return nil }
	}, func(t *testing.T, s *oddServer) {
		e, err := s.acquire(s.id, true)
		if err != nil {
			t.Fatal(err)
		}
		goOn := make(chan struct{})
		s.system.Send(e.pid, &visit{run: func(*room) { <-goOn }}) // the room is busy
		synctest.Wait()
		s.waker.done.Go(func() { _ = s.wakeKey(s.waker.ctx, store.Key(s.id)) }) // the store says that it is due
		synctest.Wait()
		killed := make(chan struct{})
		go func() { s.Kill(); close(killed) }()
		synctest.Wait()
		close(goOn)
		time.Sleep(time.Hour)
		select {
		case <-killed:
		default:
			t.Fatal("Kill hangs for ever")
		}
	})
}

// Alarms of a definition that has no OnAlarm any more.
func TestAlarmsWithoutOnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		defer st.Close()
		begin := func(alarms bool, hooks Hooks) *Server {
			def := &Definition[oddState, oddData]{Contract: rev, Save: EachTurn}
			HandleAsync(def, oddSlow, func(context.Context, *oddTurn, contract.None) (func(context.Context) (contract.None, error), error) {
				return nil, errors.New("no")
			}, func(context.Context, *oddTurn, contract.None, error) (contract.None, error) {
				return contract.None{}, nil
			})
			Handle(def, oddQuick, func(_ context.Context, t *oddTurn, _ contract.None) (contract.None, error) {
				for i := range 20 {
					if err := t.SetAlarm(fmt.Sprint(i), time.Now().Add(time.Minute)); err != nil {
						return contract.None{}, err
					}
				}
				return contract.None{}, nil
			}, AllowServer)
			if alarms {
				def.OnAlarm = func(context.Context, *oddTurn, Alarm) error { return nil }
			}
			s, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler), Store: st, Hooks: hooks}, def)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := begin(true, Hooks{})
		if _, err := Ask(t.Context(), s.Room("rev", "1"), oddQuick, contract.None{}, Create()); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		var panics, dropped int
		s = begin(false, Hooks{
			HandlerError: func(e HandlerErrorEvent) { panics++ },
			AlarmDropped: func(AlarmDroppedEvent) { dropped++ },
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if panics > 0 {
			t.Errorf("%d panics, %d alarms dropped", panics, dropped)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// What a continuation of Go changes in another session's data is saved.
func TestGoChangesAnotherSession(t *testing.T) {
	oddRun(t, func(def *Definition[oddState, oddData]) {
		Handle(def, oddQuick, func(_ context.Context, t *oddTurn, _ contract.None) (contract.None, error) {
			other := t.Sessions()[1]
			Go(t, func(context.Context) (int, error) { return 1, nil }, func(_ context.Context, t *oddTurn, _ int, _ error) error {
				other.Data.Name = "changed"
				t.State.N = 7
				return nil
			})
			return contract.None{}, nil
		}, AllowServer)
	}, func(t *testing.T, s *oddServer) {
		s.attach("first", "", wire.JSON)
		s.attach("other", "", wire.JSON)
		s.call("first", 1, "quick")
		synctest.Wait()
		kept, err := s.st.Load(t.Context(), store.Key(s.id))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(kept.Parts["session/other"]); !contains(got, "changed") {
			t.Errorf("kept: %q", got)
		}
	})
}

func contains(s, sub string) bool {
	for i := range s {
		if len(s)-i >= len(sub) && s[i:i+len(sub)] == sub {
			return true
		}
	}
	return false
}

// onceStore fails the test when one call of Save has two batches of one room.
type onceStore struct {
	store.Store
	t *testing.T
}

func (o *onceStore) Save(ctx context.Context, batches []store.Batch) []error {
	seen := map[store.Key]bool{}
	for _, b := range batches {
		if seen[b.Key] {
			o.t.Errorf("one Save has two batches of %s: the contract of a store forbids it", b.Key)
		}
		seen[b.Key] = true
	}
	return o.Store.Save(ctx, batches)
}

// No call of Save has two batches of one room, also if it was given back and taken again meanwhile.
func TestOneBatchOfARoomInASave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storefault.Wrap(store.NewMemory())
		defer st.Close()
		v := &saver{store: &onceStore{st, t}, system: actors.NewSystem(nil), log: slog.New(slog.DiscardHandler), commitTimeout: time.Second, released: func(time.Time) {}}
		me, err := st.Join(t.Context(), store.Owner{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		hold := func(name string) store.Batch {
			kept, err := st.Acquire(t.Context(), me.ID, store.Key{Kind: "k", Name: name})
			if err != nil {
				t.Fatal(err)
			}
			return store.Batch{Key: kept.Key, Epoch: kept.Epoch, Number: 1}
		}
		held := st.Inject(storefault.Fault{On: storefault.Save, Kind: storefault.Hold})
		v.submit(&saving{batch: hold("x")})
		synctest.Wait()
		v.submit(&saving{batch: hold("y")})
		synctest.Wait() // both workers are busy
		first := hold("1")
		first.Then, first.Keep = store.Release, true
		v.submit(&saving{batch: first}) // letGo
		v.submit(&saving{batch: hold("1")})
		held.Release()
		synctest.Wait()
	})
}

// What a fenced batch would have made durable does not leave, also if a panic has the room loaded anew before it hears of that.
func TestWaitForABatchThatWasFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storefault.Wrap(store.NewMemory())
		defer st.Close()
		v := &saver{store: st, system: actors.NewSystem(nil), log: slog.New(slog.DiscardHandler), commitTimeout: time.Second, released: func(time.Time) {}}
		s := &saving{batch: store.Batch{Key: store.Key{Kind: "k", Name: "1"}, Epoch: 1, Number: 1}}
		v.submit(s)
		synctest.Wait()
		if err := v.wait(t.Context(), s); !errors.Is(err, store.ErrFenced) {
			t.Errorf("wait for a batch that was fenced gives %v", err)
		}
	})
}

// Who asks with a short deadline does not make the room unavailable to others.
func TestImpatientAskers(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		if _, err := Ask(t.Context(), s.Room("rev", "1"), oddQuick, contract.None{}, Create()); err != nil {
			t.Fatal(err)
		}
		if err := s.Room("rev", "1").Sleep(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.st.Inject(storefault.Fault{On: storefault.Acquire | storefault.Load, Kind: storefault.Slow, Delay: 20 * time.Millisecond})
		gate := make(chan struct{})
		e, err := s.acquire(s.id, true)
		if err != nil {
			t.Fatal(err)
		}
		s.system.Send(e.pid, &visit{run: func(*room) { <-gate }}) // so that both are in its mailbox
		go func() {
			_, err := Ask(t.Context(), s.Room("rev", "1"), oddQuick, contract.None{}, Create(), Timeout(10*time.Millisecond))
			t.Log("impatient:", err)
		}()
		synctest.Wait()
		done := make(chan error, 1)
		go func() {
			_, err := Ask(t.Context(), s.Room("rev", "1"), oddQuick, contract.None{})
			done <- err
		}()
		synctest.Wait()
		close(gate)
		if err := <-done; err != nil {
			t.Errorf("patient: %v", err)
		}
		time.Sleep(time.Second)
	})
}

// Under EachTurn, a session whose OnResume has refused its connection is kept as away, not as connected.
func TestRefusedResumeIsKeptAsAway(t *testing.T) {
	oddRun(t, func(def *Definition[oddState, oddData]) {
		def.ResumeFor = 30 * time.Second
		def.OnResume = func(context.Context, *oddTurn, oddData) error { return errors.New("not now") }
	}, func(t *testing.T, s *oddServer) {
		s.attach("bob", "", wire.JSON)
		s.attach("ada", "k", wire.JSON)
		s.send(&actors.Detach{Session: "ada"})
		s.attach("ada2", "k", wire.JSON)
		s.send(&actors.Detach{Session: "ada2"})
		kept, err := s.st.Load(t.Context(), store.Key(s.id))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(kept.Parts["session/ada"]); !contains(got, `"away"`) {
			t.Errorf("kept: %q", got)
		}
	})
}

// One session whose data cannot be saved holds up nobody else.
func TestOneBadSession(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		box := s.attach("good", "", wire.JSON)
		s.badData = true
		s.attach("bad", "", wire.JSON)
		s.call("good", 1, "quick")
		got := names(box)
		if len(got) != 1 || contains(got[0], "serverError") {
			t.Errorf("the other session's call: %q", got)
		}
	})
}

// A server that the store has forgotten has no rooms: it does not go on with those that it had as if they were its own.
func TestForgottenOwner(t *testing.T) {
	oddRun(t, nil, func(t *testing.T, s *oddServer) {
		box := s.attach("first", "", wire.JSON)
		s.call("first", 1, "quick")
		before, _ := s.lease.owner()
		if err := s.st.Leave(t.Context(), before); err != nil { // somebody else did that: a cleaner, a restored backup
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		after, _ := s.lease.owner()
		if before == after {
			t.Fatal("it has not joined anew")
		}
		kept, err := s.st.Load(t.Context(), store.Key(s.id))
		if err != nil {
			t.Fatal(err)
		}
		if kept.Owner != after && len(s.rooms.all()) > 0 {
			t.Errorf("the room runs here, and in the store it is %q's; this server is %q. Its session got %v", kept.Owner, after, names(box))
		}
	})
}
