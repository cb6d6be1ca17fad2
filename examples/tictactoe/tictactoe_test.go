package tictactoe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/tictactoe"
	"github.com/gosocka/socka/roomtest"
	"github.com/gosocka/socka/store"
)

// play makes moves by turns, beginning with first, and returns the last answer.
func play(first, second *roomtest.Client, cells ...int) (g tictactoe.Game) {
	for i, cell := range cells {
		g = roomtest.Call([]*roomtest.Client{first, second}[i%2], tictactoe.Move, tictactoe.MoveIn{Cell: cell})
	}
	return g
}

// show is a game in a line: the cells, who is to move or has won, who sits there, who watches.
func show(g tictactoe.Game) string {
	var b strings.Builder
	for _, m := range g.Board {
		if m == tictactoe.Empty {
			m = "."
		}
		b.WriteString(string(m))
	}
	if g.Winner == "" {
		fmt.Fprintf(&b, " %s to move", g.Turn)
	} else {
		fmt.Fprintf(&b, " winner %s %v", g.Winner, g.Line)
	}
	for _, p := range []*tictactoe.User{g.Players.X, g.Players.O} {
		if p == nil {
			p = &tictactoe.User{DisplayName: "-"}
		}
		b.WriteString(" " + p.DisplayName)
	}
	fmt.Fprintf(&b, " +%d", g.Spectators)
	return b.String()
}

func expect(t *testing.T, g tictactoe.Game, want string) {
	t.Helper()
	if got := show(g); got != want {
		t.Errorf("the game is %q, want %q", got, want)
	}
}

func refused(t *testing.T, c *roomtest.Client, cell int, want contract.Code) {
	t.Helper()
	if err := roomtest.Refused(c, tictactoe.Move, tictactoe.MoveIn{Cell: cell}); err.Code != want {
		t.Errorf("a move to %d: got %v, want %s", cell, err, want)
	}
}

func TestGame(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada := s.Connect("tictactoe/t1?name=Ada")
		expect(t, roomtest.Expect(ada, tictactoe.StateChanged), "......... X to move Ada - +0")
		refused(t, ada, 0, tictactoe.WaitingForOpponent)

		bob := s.Connect("tictactoe/t1?name=Bob&wire=msgpack")
		eve := s.Connect("tictactoe/t1?name=Eve")
		if me := roomtest.Call(bob, tictactoe.WhoAmI, contract.None{}); me.Mark != tictactoe.O || me.DisplayName != "Bob" {
			t.Errorf("Bob is %+v", me)
		}
		if me := roomtest.Call(eve, tictactoe.WhoAmI, contract.None{}); me.Mark != tictactoe.Empty {
			t.Errorf("Eve is %+v", me)
		}
		refused(t, bob, 0, tictactoe.NotYourTurn)
		refused(t, eve, 0, tictactoe.NotAPlayer)

		// Everybody sees every move.
		roomtest.Pushes(eve, tictactoe.StateChanged)
		expect(t, play(ada, bob, 4), "....X.... O to move Ada Bob +1")
		expect(t, roomtest.Expect(eve, tictactoe.StateChanged), "....X.... O to move Ada Bob +1")
		refused(t, bob, 4, tictactoe.CellTaken)
		if err := roomtest.Refused(bob, tictactoe.Move, tictactoe.MoveIn{Cell: 9}); err.Code != contract.InvalidInput {
			t.Error(err)
		}
		if err := roomtest.Refused(bob, tictactoe.Rematch, contract.None{}); err.Code != contract.FailedPrecondition {
			t.Error(err)
		}
		expect(t, play(bob, ada, 0, 2, 1, 6), "OOX.X.X.. winner X [2 4 6] Ada Bob +1")
		refused(t, bob, 8, tictactoe.GameOver)

		// The other one begins the rematch.
		if err := roomtest.Refused(eve, tictactoe.Rematch, contract.None{}); err.Code != tictactoe.NotAPlayer {
			t.Error(err)
		}
		expect(t, roomtest.Call(ada, tictactoe.Rematch, contract.None{}), "......... O to move Ada Bob +1")
		expect(t, play(bob, ada, 4, 0, 8, 2, 1, 7, 3, 5, 6), "XOXOOXOXO winner draw [] Ada Bob +1")
		expect(t, roomtest.Call(eve, tictactoe.GetState, contract.None{}), "XOXOOXOXO winner draw [] Ada Bob +1")
	}, tictactoe.Definition())
}

func TestSeats(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		ada, bob := s.Connect("tictactoe/t1?name=Ada"), s.Connect("tictactoe/t1?name=Bob")
		eve, dan := s.Connect("tictactoe/t1?name=Eve"), s.Connect("tictactoe/t1?name=Dan")
		play(ada, bob, 0, 4)

		// Eve has waited longest. With a new player a new game begins.
		ada.Close()
		s.Settle()
		expect(t, roomtest.Call(eve, tictactoe.GetState, contract.None{}), "......... X to move Eve Bob +1")
		if me := roomtest.Call(eve, tictactoe.WhoAmI, contract.None{}); me.Mark != tictactoe.X {
			t.Errorf("Eve is %+v", me)
		}

		// A spectator who leaves changes nothing but the count.
		play(eve, bob, 0, 3, 1, 4)
		dan.Close()
		s.Settle()
		expect(t, roomtest.Call(bob, tictactoe.GetState, contract.None{}), "XX.OO.... X to move Eve Bob +0")

		// A won game can be looked at until somebody sits down.
		play(eve, bob, 2)
		bob.Close()
		s.Settle()
		expect(t, roomtest.Call(eve, tictactoe.GetState, contract.None{}), "XXXOO.... winner X [0 1 2] Eve - +0")
		refused(t, eve, 8, tictactoe.GameOver)
		if err := roomtest.Refused(eve, tictactoe.Rematch, contract.None{}); err.Code != tictactoe.WaitingForOpponent {
			t.Error(err)
		}
		s.Connect("tictactoe/t1?name=Fay")
		expect(t, roomtest.Call(eve, tictactoe.GetState, contract.None{}), "......... X to move Eve Fay +0")

		if _, err := s.Dial("tictactoe/t1?name=", nil); err == nil {
			t.Error("a blank name was let in")
		}
	}, tictactoe.Definition())
}

// With a resume key a player who is back within a minute has the seat, and the game goes on, also over a restart of the server.
func TestSeatIsKept(t *testing.T) {
	roomtest.Run(t, func(s *roomtest.Server) {
		const keyAda, keyBob = "&sid=NobodyGuessesAdasKey_1", "&sid=NobodyGuessesBobsKey_1"
		ada, bob := s.Connect("tictactoe/t1?name=Ada"+keyAda), s.Connect("tictactoe/t1?name=Bob"+keyBob)
		eve := s.Connect("tictactoe/t1?name=Eve")
		play(ada, bob, 0, 4)
		ada.Close()
		s.Advance(59 * time.Second)
		expect(t, roomtest.Call(eve, tictactoe.GetState, contract.None{}), "X...O.... X to move Ada Bob +1")
		ada = s.Connect("tictactoe/t1?name=Countess" + keyAda)
		expect(t, play(ada, bob, 1), "XX..O.... O to move Countess Bob +1")

		s.Restart()
		bob = s.Connect("tictactoe/t1?name=Bob" + keyBob)
		expect(t, play(bob, ada, 8), "XX..O...O X to move Countess Bob +0")
		ada = s.Connect("tictactoe/t1?name=Ada" + keyAda)
		expect(t, play(ada, bob, 2), "XXX.O...O winner X [0 1 2] Ada Bob +0")

		// Whose minute is over has left. When nobody is there any more nothing is kept.
		ada.Close()
		s.Advance(61 * time.Second)
		expect(t, roomtest.Call(bob, tictactoe.GetState, contract.None{}), "XXX.O...O winner X [0 1 2] - Bob +0")
		bob.Close()
		s.Advance(61 * time.Second)
		if rooms, err := s.Store().List(t.Context(), "", store.Key{}, 10); err != nil || len(rooms) != 0 {
			t.Errorf("rooms that nobody is in: %+v, %v", rooms, err)
		}
	}, tictactoe.Definition())
}
