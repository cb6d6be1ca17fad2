package roomtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/roomtest"
)

// The room to test: a countdown that anybody may start.
var (
	Countdown = contract.New("countdown")
	Start     = contract.NewCall[From, contract.None](Countdown, "start")
	Left      = contract.NewPush[Remaining](Countdown, "left")
)

type (
	From struct {
		Seconds int `json:"seconds" jsonschema:"minimum=1,maximum=60"`
	}
	Remaining struct {
		Seconds int `json:"seconds"`
	}
	Clock struct{ Left int }
	turn  = room.Turn[Clock, struct{}]
)

func Definition() *room.Definition[Clock, struct{}] {
	def := &room.Definition[Clock, struct{}]{Contract: Countdown, TickEvery: time.Second}
	room.Handle(def, Start, func(ctx context.Context, t *turn, in From) (contract.None, error) {
		if t.State.Left > 0 {
			return contract.None{}, contract.Errorf(contract.Conflict, "a countdown is running")
		}
		t.State.Left = in.Seconds
		return contract.None{}, nil
	})
	def.OnTick = func(ctx context.Context, t *turn) error {
		if t.State.Left > 0 {
			t.State.Left--
			room.Broadcast(t, Left, Remaining{t.State.Left})
		}
		return nil
	}
	return def
}

// A room's test is a plain Go test. It runs in virtual time, with a server and real clients in memory.
func testCountdown(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("countdown/k2"), s.Connect("countdown/k2?wire=msgpack")
		roomtest.Call(ada, Start, From{Seconds: 60})
		if err := roomtest.Refused(bob, Start, From{Seconds: 3}); err.Code != contract.Conflict {
			t.Errorf("a second start: %v", err)
		}
		roomtest.ExpectNone(bob, Left)
		s.Advance(time.Minute) // takes no time
		if ticks := roomtest.Pushes(bob, Left); len(ticks) != 60 || ticks[59].Seconds != 0 {
			t.Errorf("Bob saw %v", ticks)
		}
	}, Definition())
}

func Example() {
	_ = testCountdown // in a program's own test file it is called TestCountdown, and "go test" runs it
}
