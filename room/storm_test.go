package room_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
)

// faults is a log that keeps what the library reports as an error of its own: an answer out of order, a push that no
// connection takes, an actor that a panic has stopped.
type faults struct {
	slog.Handler
	mu   sync.Mutex
	seen []string
}

func (f *faults) Enabled(context.Context, slog.Level) bool { return true }

func (f *faults) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError && !strings.HasPrefix(r.Message, "socka: panic in a turn") && !strings.HasPrefix(r.Message, "socka: handler failed") {
		f.mu.Lock()
		defer f.mu.Unlock()
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
		f.seen = append(f.seen, text)
	}
	return nil
}

// Everything at once, many times over: calls of all sorts, sessions and rooms that close in the midst of them, in hooks
// and from outside, panics, rooms that ask each other, and at the end a Shutdown. Every call is answered or its
// connection is closed, no turn meets another one, sessions come and go in pairs, and nothing is left over.
func TestStorm(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, seed) })
	}
}

func storm(t *testing.T, seed uint64) {
	type inside struct {
		busy     atomic.Bool
		sessions map[string]bool
	}
	var mu sync.Mutex
	insides := make(map[string]*inside) // by activation
	var activations, in atomic.Int64

	contr := contract.New("storm")
	act := contract.NewCall[Step, contract.None](contr, "act")
	slowly := contract.NewCall[Step, contract.None](contr, "slowly")
	oneWay := contract.NewOneWay[Step](contr, "oneWay")
	news := contract.NewPush[Step](contr, "news")
	type turn = room.Turn[string, string]
	def := &room.Definition[string, string]{Contract: contr, TickEvery: 700 * time.Millisecond, KeepEmpty: 2 * time.Second, WorkTimeout: 3 * time.Second}
	def.Authenticate = func(r *http.Request, id room.ID) (string, error) { return r.URL.Query().Get("name"), nil }
	def.New = func(ctx context.Context, id room.ID) (string, error) {
		name := fmt.Sprint(id, "#", activations.Add(1))
		mu.Lock()
		defer mu.Unlock()
		insides[name] = &inside{sessions: make(map[string]bool)}
		return name, nil
	}
	turnOf := func(tn *turn) func() {
		mu.Lock()
		i := insides[*tn.State]
		mu.Unlock()
		if !i.busy.CompareAndSwap(false, true) {
			t.Errorf("two turns of %s at once", *tn.State)
		}
		return func() { i.busy.Store(false) }
	}
	listed := func(tn *turn) {
		mu.Lock()
		i := insides[*tn.State]
		mu.Unlock()
		if len(tn.Sessions()) != len(i.sessions) {
			t.Errorf("%s lists %d sessions, want %d", *tn.State, len(tn.Sessions()), len(i.sessions))
		}
	}
	perform := func(ctx context.Context, tn *turn, what string) error {
		defer turnOf(tn)()
		for _, w := range strings.Split(what, "+") {
			switch {
			case w == "push":
				room.Broadcast(tn, news, Step{what})
			case w == "closeSelf" && tn.Session != nil:
				tn.Close(tn.Session, 4000, "self")
			case w == "closeFirst" && len(tn.Sessions()) > 0:
				tn.Close(tn.Sessions()[0], 4001, "first")
			case w == "closeRoom":
				tn.CloseRoom(4002, "room")
			case w == "panic":
				panic("storm")
			case w == "sleep":
				time.Sleep(300 * time.Millisecond)
			case w == "go":
				room.Go(tn, func(ctx context.Context) (int, error) {
					select {
					case <-time.After(time.Second):
					case <-ctx.Done():
					}
					return 1, nil
				}, func(ctx context.Context, tn *turn, _ int, err error) error {
					defer turnOf(tn)()
					room.Broadcast(tn, news, Step{"went"})
					if len(what)%3 == 0 && tn.Session != nil {
						tn.Close(tn.Session, 4003, "then")
					}
					return nil
				})
			case strings.HasPrefix(w, "ask "):
				_, err := room.Ask(ctx, tn.Room("storm", w[4:]), act, Step{"push+closeFirst"}, room.Create())
				return err
			case w == "fail":
				return contract.Errorf(contract.Conflict, "as told")
			}
		}
		return nil
	}
	room.Handle(def, act, func(ctx context.Context, tn *turn, s Step) (contract.None, error) {
		return contract.None{}, perform(ctx, tn, s.What)
	}, room.AllowServer)
	room.HandleOneWay(def, oneWay, func(ctx context.Context, tn *turn, s Step) error { return perform(ctx, tn, s.What) })
	room.HandleAsync(def, slowly, func(ctx context.Context, tn *turn, s Step) (func(context.Context) (string, error), error) {
		if err := perform(ctx, tn, s.What); err != nil {
			return nil, err
		}
		target := tn.Room("storm", "1")
		return func(ctx context.Context) (string, error) {
			select {
			case <-time.After(400 * time.Millisecond):
			case <-ctx.Done():
			}
			if strings.Contains(s.What, "push") {
				room.Ask(ctx, target, act, Step{"push"}, room.Key(s.What))
			}
			return s.What, nil
		}, nil
	}, func(ctx context.Context, tn *turn, what string, err error) (contract.None, error) {
		return contract.None{}, perform(ctx, tn, what)
	}, room.AllowServer)
	def.OnAttach = func(ctx context.Context, tn *turn) error {
		name := tn.Session.Data
		mu.Lock()
		insides[*tn.State].sessions[tn.Session.ID()] = true
		mu.Unlock()
		in.Add(1)
		err := errors.New("left by a panic")
		defer func() {
			if err != nil { // no OnDetach follows
				mu.Lock()
				delete(insides[*tn.State].sessions, tn.Session.ID())
				mu.Unlock()
				in.Add(-1)
			}
		}()
		listed(tn)
		err = perform(ctx, tn, name)
		return err
	}
	def.OnDetach = func(ctx context.Context, tn *turn) error {
		listed(tn)
		mu.Lock()
		delete(insides[*tn.State].sessions, tn.Session.ID())
		mu.Unlock()
		in.Add(-1)
		if len(tn.Session.Data)%4 == 1 {
			return perform(ctx, tn, "push+closeFirst+go")
		}
		if strings.Contains(tn.Session.Data, "sleep") {
			return perform(ctx, tn, "closeRoom+push")
		}
		return perform(ctx, tn, "push+ask 2")
	}
	def.OnTick = func(ctx context.Context, tn *turn) error { return perform(ctx, tn, "push") }

	log := &faults{Handler: slog.DiscardHandler}
	opts := &room.Options{Logger: slog.New(log), Conn: conn.Options{CallsPerSecond: -1}, RoomsPerSecond: -1, CheckTurns: seed%3 == 0}
	synctest.Test(t, func(t *testing.T) {
		s, err := room.NewServer(opts, def)
		if err != nil {
			t.Fatal(err)
		}
		pipes := make(pipeListener)
		web := &http.Server{Handler: s}
		go web.Serve(pipes)
		defer web.Close()
		words := []string{"push", "", "push+fail", "closeSelf", "closeFirst", "push+closeRoom", "panic", "sleep", "sleep+push", "go", "go+push", "push+go+closeSelf", "ask 1", "ask 2", "push+ask 3", "closeRoom+go"}
		names := []string{"", "", "", "push", "push+go", "closeSelf", "fail", "sleep", "panic", "closeRoom", "closeFirst", "ask 3"}
		var all sync.WaitGroup
		for n := range 12 {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			all.Go(func() {
				for range 6 {
					path := fmt.Sprintf("/ws/storm/%d?name=%s", 1+rng.IntN(3), strings.ReplaceAll(strings.ReplaceAll(names[rng.IntN(len(names))], "+", "%2B"), " ", "%20"))
					if rng.IntN(2) == 0 {
						path += "&wire=msgpack"
					}
					c := client.New("ws://storm"+path, &client.Options{Dial: pipes.dial, Logger: slog.New(slog.DiscardHandler), Reconnect: client.ReconnectOptions{Disabled: true}})
					if c.Connect(t.Context()) == nil {
						var calls sync.WaitGroup
						for range rng.IntN(12) {
							what := words[rng.IntN(len(words))]
							call := act
							if rng.IntN(3) == 0 {
								call = slowly
							}
							calls.Go(func() {
								ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
								defer cancel()
								if _, err := client.Call(ctx, c, call, Step{what}); ctx.Err() != nil {
									t.Errorf("%s(%s) was never answered: %v", call.Name(), what, err)
								}
							})
							if rng.IntN(3) == 0 {
								client.Send(context.Background(), c, oneWay, Step{what})
							}
							if rng.IntN(4) == 0 {
								time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
							}
						}
						if rng.IntN(2) == 0 {
							calls.Wait()
						}
						c.Close()
						calls.Wait()
					}
					c.Close()
				}
			})
		}
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 99))
			for range 20 {
				ref := s.Room("storm", fmt.Sprint(1+rng.IntN(3)))
				switch rng.IntN(4) {
				case 0:
					ref.Close(context.Background(), 0, "from outside")
				case 1:
					room.Push(context.Background(), ref, news, Step{"outside"})
				case 2:
					list, _ := ref.Sessions(context.Background())
					if len(list) > 0 {
						ref.Kick(context.Background(), list[rng.IntN(len(list))].ID, 0, "from outside")
					}
				case 3:
					room.Ask(context.Background(), ref, slowly, Step{"push"}, room.Key(fmt.Sprint(rng.IntN(3))), room.Create())
				}
				time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
			}
		})
		if seed%2 == 0 { // in the midst of it
			time.Sleep(3 * time.Second)
			if err := s.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
		all.Wait()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if n := in.Load(); n != 0 {
			t.Errorf("%d sessions have come and not gone", n)
		}
		if page, _ := s.Rooms("storm", "", 0); len(page) != 0 {
			t.Errorf("rooms are left: %v", page)
		}
		for _, fault := range log.seen {
			t.Error(fault)
		}
		if n := activations.Load(); n < 3 {
			t.Errorf("only %d activations: this was no storm", n)
		}
	})
}

// pipeListener accepts what dial makes.
type pipeListener chan net.Conn

func (l pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	l <- theirs
	return mine, nil
}

func (l pipeListener) Accept() (net.Conn, error) {
	if c, open := <-l; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l pipeListener) Close() error   { close(l); return nil }
func (l pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
