package room

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/gosocka/socka/actors"
	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/contract"
)

// A session or an Ask that was on its way to a room when Shutdown told the rooms to close is refused, and does not bring the room
// back to life.
func TestShutdownMeetsWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewServer(&Options{Logger: slog.New(slog.DiscardHandler)}, &Definition[int, int]{Contract: contract.New("c")})
		if err != nil {
			t.Fatal(err)
		}
		id := ID{"c", "1"}
		for range 2 {
			if _, err := s.acquire(id, true); err != nil {
				t.Fatal(err)
			}
		}
		var got inbox
		from, err := s.system.Register("conn/1", &got)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		pid := s.rooms.entries[id].pid
		s.system.Send(pid, &actors.Attach{From: from, Session: "x", Data: entrant{data: 1}})
		s.system.Send(pid, &actors.Ask{From: from, RPC: "any", Create: true})
		if err := <-done; err != nil {
			t.Error(err)
		}
		refused, _ := got[0].(*actors.Close)
		if refused == nil || refused.Code != conn.CloseGoingAway {
			t.Errorf("the session got %+v", got[0])
		}
		answered, _ := got[1].(*actors.AskResult)
		if answered == nil || answered.Err == nil || answered.Err.Code != string(contract.Unavailable) {
			t.Errorf("the Ask got %+v", got[1])
		}
	})
}

type inbox []any

func (i *inbox) Deliver(msg any) { *i = append(*i, msg) }
