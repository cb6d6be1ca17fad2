package room_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/store/storefault"
	"github.com/gosocka/socka/wire"
)

// errorLog takes what a server logs as an error and should not.
type errorLog struct {
	slog.Handler
	mu   sync.Mutex
	seen []string
}

func (f *errorLog) Enabled(context.Context, slog.Level) bool { return true }
func (f *errorLog) WithAttrs([]slog.Attr) slog.Handler       { return f }
func (f *errorLog) WithGroup(string) slog.Handler            { return f }
func (f *errorLog) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	if r.Level < slog.LevelError {
		return nil
	}
	for _, known := range []string{"panic in a turn", "handler failed", "the store", "the lease", "was not saved", "not save", "saved", "snapshot could not be read"} {
		if strings.Contains(text, known) {
			return nil
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, text)
	return nil
}

// Clients that come, go, resume and call, rooms that sleep, alarms, faults of the store, servers that crash and others that take
// over, at random: what was acknowledged is there, once, and everybody is answered.
func TestKeepStorm(t *testing.T) {
	seeds := uint64(10)
	if os.Getenv("SOCKA_LONG") != "" {
		seeds = 100
	}
	for _, policy := range []room.SavePolicy{room.EachTurn, room.Every(200 * time.Millisecond)} {
		for seed := range seeds {
			t.Run(fmt.Sprint(policy, "/", seed), func(t *testing.T) { keepStorm(t, policy, seed) })
		}
	}
}

func keepStorm(t *testing.T, policy room.SavePolicy, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		mem := store.NewMemory()
		defer mem.Close()
		logs := &errorLog{}
		var attached, detached tally
		var resumed atomic.Int64
		def := newClock(t, func(def *room.Definition[deskState, deskUser]) {
			def.Save = policy
			def.SleepAfter = 3 * time.Second
			def.ResumeFor = 10 * time.Second
			def.OnPanic = room.PanicPolicy(seed % 2)
			def.OnAttach = func(_ context.Context, t *deskTurn) error { attached.add(t.Session.Data.Name); return nil }
			inner := def.OnDetach
			def.OnDetach = func(ctx context.Context, t *deskTurn) error {
				detached.add(t.Session.Data.Name)
				return inner(ctx, t)
			}
			if seed%4 == 0 {
				def.SnapshotFormat = wire.Msgpack
			}
			if seed%5 == 0 {
				inner := def.OnDetach
				def.OnDetach = func(ctx context.Context, t *deskTurn) error {
					if strings.HasSuffix(t.Session.Data.Name, "7") || strings.HasPrefix(t.Session.Data.Name, "key1") {
						t.CloseRoom(0, "over")
					}
					return inner(ctx, t)
				}
			}
			if seed%3 == 0 {
				def.OnResume = func(_ context.Context, t *deskTurn, fresh deskUser) error {
					t.Session.Data.Calls++
					if resumed.Add(1)%4 == 0 {
						return errors.New("not you")
					}
					return nil
				}
			}
		})
		var servers []*roomtest.Server
		var stores []*storefault.Store
		for i := range 2 {
			opts := &room.Options{Logger: slog.New(logs)}
			opts.Owner.Addr = fmt.Sprint("server ", i)
			opts.Conn.CallsPerSecond, opts.RoomsPerSecond, opts.AllRoomsPerSecond = -1, -1, -1
			st := storefault.Wrap(mem.Open())
			st.Seed(seed*2 + uint64(i))
			opts.Store = st
			stores = append(stores, st)
			servers = append(servers, roomtest.Start(t, opts, def))
		}
		type who struct {
			c      *roomtest.Client
			server int
			name   string
			room   int
		}
		var mu sync.Mutex
		acknowledged := map[string]int{} // word, room
		known := map[string]int{}        // unkeyed session that was answered, room
		running := map[string]time.Time{}
		var clients []who
		var faults []*storefault.Injection
		history := []string{}
		note := func(f string, args ...any) { history = append(history, fmt.Sprintf(f, args...)) }
		start := time.Now()
		call := func(w who, text string) {
			mu.Lock()
			running[text+" "+w.name] = time.Now()
			mu.Unlock()
			go func() {
				out, err := client.Call(context.Background(), w.c.Client, addWord, word{text})
				mu.Lock()
				defer mu.Unlock()
				delete(running, text+" "+w.name)
				_ = out
				if err == nil {
					acknowledged[text] = w.room
					if !strings.HasPrefix(w.name, "key") {
						known[w.name] = w.room
					}
				}
			}()
		}
		next := 0
		for step := range 250 {
			next++
			at := time.Since(start)
			switch op := rnd.IntN(26); {
			case op < 5: // connect
				i, r := rnd.IntN(2), rnd.IntN(3)
				name, extra := fmt.Sprint("u", next), ""
				if rnd.IntN(2) == 0 {
					name = fmt.Sprint("key", rnd.IntN(4), "r", r)
					extra = "&sid=" + strings.Repeat(name[:4], 6)
				}
				done := make(chan *roomtest.Client, 1)
				s := servers[i]
				go func() { // it may take long
					c := &roomtest.Client{T: t}
					_ = c
					done <- nil
				}()
				<-done
				c, err := s.Dial(fmt.Sprintf("desk/%d?name=%s%s", r, name, extra), nil)
				note("%v connect %s to %d at %d: %v", at, name, r, i, err)
				if err == nil {
					clients = append(clients, who{c, i, name, r})
				}
			case op < 14 && len(clients) > 0:
				w := clients[rnd.IntN(len(clients))]
				note("%v call %s %d", at, w.name, next)
				call(w, fmt.Sprint("w", next))
			case op < 15 && len(clients) > 0:
				w := clients[rnd.IntN(len(clients))]
				note("%v bad %s", at, w.name)
				go func() { _, _ = client.Call(context.Background(), w.c.Client, badWord, word{"bad"}) }()
			case op < 16 && len(clients) > 0:
				w := clients[rnd.IntN(len(clients))]
				note("%v alarm %s", at, w.name)
				in := alarmIn{Name: fmt.Sprint("a", rnd.IntN(3)), In: 1 + rnd.Float64()*20}
				go func() { _, _ = client.Call(context.Background(), w.c.Client, setAlarm, in) }()
			case op < 18 && len(clients) > 0:
				j := rnd.IntN(len(clients))
				note("%v close %s", at, clients[j].name)
				clients[j].c.Close()
				clients = append(clients[:j], clients[j+1:]...)
			case op < 19:
				i, r := rnd.IntN(2), rnd.IntN(3)
				note("%v sleep %d at %d", at, r, i)
				s := servers[i]
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					_ = s.Room("desk", fmt.Sprint(r)).Sleep(ctx)
				}()
			case op < 20:
				i, r := rnd.IntN(2), rnd.IntN(3)
				s := servers[i]
				ref := s.Room("desk", fmt.Sprint(r))
				if rnd.IntN(3) == 0 {
					note("%v close room %d at %d", at, r, i)
					go func() {
						ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
						defer cancel()
						_ = ref.Close(ctx, 0, "")
					}()
				} else {
					note("%v kick in %d at %d", at, r, i)
					go func() {
						ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
						defer cancel()
						list, err := ref.Sessions(ctx)
						if err == nil && len(list) > 0 {
							_ = ref.Kick(ctx, list[0].ID, 0, "")
						}
					}()
				}
			case op < 22 && step < 220:
				i := rnd.IntN(2)
				f := storefault.Fault{
					On:    []storefault.Op{storefault.Save, storefault.Save, storefault.Save, storefault.All, storefault.Renew, storefault.Acquire}[rnd.IntN(6)],
					Kind:  []storefault.Kind{storefault.Fail, storefault.FailAfter, storefault.Slow, storefault.Hold, storefault.Hang, storefault.Late, storefault.Tear, storefault.TearBlind}[rnd.IntN(8)],
					Delay: time.Duration(rnd.IntN(300)) * time.Millisecond,
				}
				if rnd.IntN(2) == 0 {
					f.Odds = 0.3
				}
				note("%v fault at %d: %v %v %v", at, i, f.On, f.Kind, f.Odds)
				faults = append(faults, stores[i].Inject(f))
			case op < 24 && len(faults) > 0:
				j := rnd.IntN(len(faults))
				note("%v release", at)
				faults[j].Release()
				faults = append(faults[:j], faults[j+1:]...)
			case op == 24 && rnd.IntN(4) == 0:
				i := rnd.IntN(2)
				note("%v crash %d", at, i)
				var rest []who
				for _, w := range clients {
					if w.server != i {
						rest = append(rest, w)
					}
				}
				clients = rest
				servers[i].Crash()
			default:
				d := time.Duration(rnd.IntN(1500)) * time.Millisecond
				if rnd.IntN(10) == 0 {
					d = 15 * time.Second
				}
				time.Sleep(d)
				synctest.Wait()
			}
		}
		for _, f := range faults {
			f.Release()
		}
		for _, st := range stores {
			st.Heal()
		}
		note("%v healed", time.Since(start))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		fail := func(f string, args ...any) { t.Helper(); t.Errorf(f, args...) }
		mu.Lock()
		for text, since := range running {
			fail("the call %s of %v has no answer", text, since.Sub(start))
		}
		mu.Unlock()
		open := map[string]int{}
		for _, w := range clients {
			if w.c.Status() == client.Open {
				open[fmt.Sprint(w.name, " in ", w.room)]++
			}
		}
		listed := map[string]int{}
		for r := range 3 {
			for i := range servers {
				if page, _ := servers[i].Rooms("desk", "", 0); len(page) > 0 {
					for _, p := range page {
						if p.ID.Name == fmt.Sprint(r) {
							list, err := servers[i].Room("desk", p.ID.Name).Sessions(context.Background())
							if err != nil {
								fail("sessions of %d at %d: %v", r, i, err)
							}
							for _, s := range list {
								if s.Away.IsZero() {
									listed[fmt.Sprint(r)]++
								}
							}
						}
					}
				}
			}
			n := 0
			for k, c := range open {
				if strings.HasSuffix(k, fmt.Sprint(" in ", r)) {
					n += c
				}
			}
			if n != listed[fmt.Sprint(r)] {
				fail("room %d: %d open connections (%v), %d sessions that are said to be connected", r, n, open, listed[fmt.Sprint(r)])
			}
		}
		for _, w := range clients {
			w.c.Close()
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for i := range servers {
			if page, _ := servers[i].Rooms("desk", "", 0); len(page) > 0 {
				fail("server %d still runs %+v", i, page)
			}
		}
		for r := range 3 {
			c, err := servers[0].Dial(fmt.Sprintf("desk/%d?name=check", r), nil)
			if err != nil {
				fail("room %d cannot be entered: %v", r, err)
				continue
			}
			got := look1(c)
			seen := map[string]bool{}
			for _, w := range got.Words {
				if seen[w] && w != "bad" {
					fail("%s is there twice", w)
				}
				seen[w] = true
			}
			left := map[string]int{}
			for _, n := range got.Left {
				left[n]++
			}
			if fmt.Sprint(got.Here) != "[check]" {
				fail("room %d: here are %v", r, got.Here)
			}
			if policy == room.EachTurn {
				for text, in := range acknowledged {
					if in == r && !seen[text] {
						fail("room %d: %s was acknowledged and lost", r, text)
					}
				}
				for name, in := range known {
					if in == r && left[name] != 1 {
						fail("room %d: %s has left %d times", r, name, left[name])
					}
				}
				if seen["bad"] {
					fail("a panic was kept")
				}
			}
			c.Close()
		}
		time.Sleep(10 * time.Second)
		for _, l := range logs.seen {
			fail("logged: %s", l)
		}
		for _, s := range servers {
			s.Stop()
		}
		for _, st := range stores {
			_ = st.Close()
		}
		if t.Failed() {
			t.Log(strings.Join(history, "\n"))
			if os.Getenv("STORELOG") != "" {
				for _, st := range stores {
					t.Log(st.Log())
				}
			}
		}
	})
}
