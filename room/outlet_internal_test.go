package room

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/wire"
)

// tray is a connection in memory that can hold. It writes down what it lets go of, and when.
type tray struct {
	mu      sync.Mutex
	start   time.Time
	waiting []string
	left    []string
}

func (c *tray) name(msg any) string {
	switch m := msg.(type) {
	case *actors.Push:
		return "push"
	case *actors.Answer:
		return fmt.Sprint("answer ", m.Number)
	}
	return fmt.Sprintf("%T", msg)
}

func (c *tray) Hold(msg any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, c.name(msg))
	return len(c.waiting) == 1
}

func (c *tray) Deliver(msg any) { c.Hold(msg); c.Flush() }

func (c *tray) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = append(c.left, fmt.Sprint(time.Since(c.start), " ", c.waiting))
	c.waiting = nil
}

// take returns what has left since the last time.
func (c *tray) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.left
	c.left, c.start = nil, time.Now()
	return left
}

// newTrays runs a server with a room of n members, whose connections are trays, in a bubble. A call of "sleep" takes the
// room as many milliseconds as its number says.
func newTrays(t *testing.T, n int, f func(t *testing.T, trays []*tray, send func(calls ...*actors.Call))) {
	synctest.Test(t, func(t *testing.T) {
		c := contract.New("c")
		type sleepIn struct {
			MS int `json:"ms"`
		}
		sleep := contract.NewCall[sleepIn, contract.None](c, "sleep")
		tell := contract.NewCall[contract.None, contract.None](c, "tell")
		told := contract.NewPush[contract.None](c, "told")
		def := &Definition[int, int]{Contract: c, MaxSessions: -1}
		Handle(def, sleep, func(_ context.Context, _ *Turn[int, int], in sleepIn) (contract.None, error) {
			time.Sleep(time.Duration(in.MS) * time.Millisecond)
			return contract.None{}, nil
		})
		Handle(def, tell, func(_ context.Context, t *Turn[int, int], _ contract.None) (contract.None, error) {
			Broadcast(t, told, contract.None{})
			return contract.None{}, nil
		})
		s, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)}, def)
		if err != nil {
			t.Fatal(err)
		}
		trays := make([]*tray, n)
		var pid *actors.PID
		for i := range trays {
			trays[i] = &tray{start: time.Now()}
			from, err := s.system.Register("conn/"+strconv.Itoa(i), trays[i])
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.acquire(ID{"c", "1"}, true)
			if err != nil {
				t.Fatal(err)
			}
			pid = e.pid
			s.system.Send(pid, &actors.Attach{From: from, Session: strconv.Itoa(i), Data: entrant{data: 1, create: true}})
		}
		synctest.Wait()
		f(t, trays, func(calls ...*actors.Call) {
			for i := len(calls) - 2; i >= 0; i-- {
				calls[i].Follow(calls[i+1])
			}
			s.system.Send(pid, calls[0])
		})
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func aCall(number uint64, rpc, body string) *actors.Call {
	return &actors.Call{Session: "0", Number: number, Format: wire.JSON, ID: "1", RPC: rpc, Body: []byte(body)}
}

// What comes together leaves together, at once.
func TestWhatARunSendsLeavesTogether(t *testing.T) {
	newTrays(t, 2, func(t *testing.T, trays []*tray, send func(...*actors.Call)) {
		send(aCall(1, "tell", "{}"), aCall(2, "tell", "{}"), aCall(3, "sleep", `{"ms":0}`))
		synctest.Wait()
		send(aCall(4, "tell", "{}"))
		synctest.Wait()
		for i, want := range [][]string{
			{"0s [push answer 1 push answer 2 answer 3]", "0s [push answer 4]"},
			{"0s [push push]", "0s [push]"},
		} {
			if got := trays[i].take(); !slices.Equal(got, want) {
				t.Errorf("member %d: got %q, want %q", i, got, want)
			}
		}
	})
}

// A turn that takes long holds up what earlier ones sent for a millisecond, no longer; nor do many short ones.
func TestNothingIsHeldForLong(t *testing.T) {
	newTrays(t, 1, func(t *testing.T, trays []*tray, send func(...*actors.Call)) {
		send(aCall(1, "tell", "{}"), aCall(2, "sleep", `{"ms":5000}`), aCall(3, "sleep", `{"ms":5000}`))
		time.Sleep(time.Minute)
		want := []string{"1ms [push answer 1]", "5.001s [answer 2]", "10s [answer 3]"}
		if got := trays[0].take(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		var calls []*actors.Call
		for i := range 3 * holdTurns {
			calls = append(calls, aCall(uint64(4+i), "sleep", `{"ms":0}`))
		}
		send(calls...)
		synctest.Wait()
		if n := len(trays[0].take()); n < 3 {
			t.Errorf("%d calls were answered with %d writes", len(calls), n)
		}
	})
}

// Members of a large room get all of it, whoever writes.
func TestALargeRoomIsWrittenByMany(t *testing.T) {
	const members = 4*flushTogether + 7
	newTrays(t, members, func(t *testing.T, trays []*tray, send func(...*actors.Call)) {
		send(aCall(1, "tell", "{}"), aCall(2, "tell", "{}"))
		synctest.Wait()
		for i, c := range trays[1:] {
			if got, want := c.take(), []string{"0s [push push]"}; !slices.Equal(got, want) {
				t.Fatalf("member %d of %d: got %q, want %q", i+1, members, got, want)
			}
		}
	})
}

// Empty rooms end in the order in which their time is up, each after KeepEmpty, also those that were asked meanwhile.
func TestEmptyRoomsEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := contract.New("c")
		touch := contract.NewCall[contract.None, contract.None](c, "touch")
		def := &Definition[int, int]{Contract: c, KeepEmpty: time.Minute}
		Handle(def, touch, func(_ context.Context, t *Turn[int, int], _ contract.None) (contract.None, error) {
			*t.State++
			return contract.None{}, nil
		}, AllowServer)
		s, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)}, def)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(name string) {
			t.Helper()
			if _, err := Ask(t.Context(), s.Room("c", name), touch, contract.None{}, Create()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		running := func(want ...string) {
			t.Helper()
			synctest.Wait()
			var names []string
			for page, after := s.Rooms("c", "", 100); ; page, after = s.Rooms("c", after, 100) {
				for _, info := range page {
					names = append(names, info.ID.Name)
				}
				if after == "" {
					break
				}
			}
			if !slices.Equal(names, want) {
				t.Errorf("after %v: %q run, want %q", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), names, want)
			}
		}
		for _, name := range []string{"a", "b", "c", "d"} { // at 0, 10, 20, 30 s
			ask(name)
			time.Sleep(10 * time.Second)
		}
		ask("b") // at 40 s
		if err := s.Room("c", "c").Close(t.Context(), 0, ""); err != nil {
			t.Fatal(err)
		}
		running("a", "b", "d")
		time.Sleep(21 * time.Second) // 61 s
		running("b", "d")
		time.Sleep(30 * time.Second) // 91 s
		running("b")
		time.Sleep(10 * time.Second) // 101 s
		running()
		ask("a")
		time.Sleep(59 * time.Second)
		running("a")
		time.Sleep(2 * time.Second)
		running()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
