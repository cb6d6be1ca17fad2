package tictactoe

import (
	"context"
	"net/http"
	"slices"

	"github.com/gosocka/socka/contract"
	"github.com/gosocka/socka/examples/internal/nickname"
	"github.com/gosocka/socka/room"
)

// State is what a room knows beside who is in it.
type State struct {
	Board Board
	Turn  Mark // whose move it is; stays when the game is over
	First Mark // who began
}

// Player is what the room knows of one session. Who sits where is not kept twice:
// it is this Mark, and who has waited longest is first in t.Sessions().
type Player struct {
	Name string
	Mark Mark // the seat; Empty for a spectator
}

type (
	turn    = room.Turn[State, Player]
	session = room.Session[Player]
)

// Definition returns the game room, of kind "tictactoe". Give it to room.NewServer.
func Definition() *room.Definition[State, Player] {
	def := &room.Definition[State, Player]{
		Contract:     Contract,
		New:          func(context.Context, room.ID) (State, error) { return newGame(X), nil },
		Authenticate: authenticate,
		OnAttach:     onAttach,
		OnResume:     onResume,
		OnDetach:     onDetach,
		Principal:    func(Player) string { return "" }, // nobody has an account: the resume key alone says whose seat it is
		KeepEmpty:    -1,                                // whoever comes next begins a new game anyhow
	}
	room.HandleRead(def, GetState, getState)
	room.HandleRead(def, WhoAmI, whoAmI)
	room.Handle(def, Move, move)
	room.Handle(def, Rematch, rematch)
	return def
}

func newGame(first Mark) State { return State{Turn: first, First: first} }

func authenticate(r *http.Request, _ room.ID) (Player, error) {
	name, err := nickname.FromRequest(r)
	return Player{Name: name}, err
}

func onAttach(_ context.Context, t *turn) error {
	seat(t, t.Sessions())
	announce(t, t.Sessions())
	return nil
}

// onResume runs when somebody whose connection was lost is back in time: the seat
// was kept. The name may have changed, and the game has perhaps gone on.
func onResume(_ context.Context, t *turn, fresh Player) error {
	t.Session.Data.Name = fresh.Name
	announce(t, t.Sessions())
	return nil
}

// onDetach frees the seat. The session is still listed in its last turn, so the
// others are those without it.
func onDetach(_ context.Context, t *turn) error {
	others := slices.DeleteFunc(t.Sessions(), func(s *session) bool { return s == t.Session })
	seat(t, others)
	announce(t, others)
	return nil
}

func getState(_ context.Context, t *turn, _ contract.None) (Game, error) {
	return game(t, t.Sessions()), nil
}

func whoAmI(_ context.Context, t *turn, _ contract.None) (Self, error) {
	return Self{t.Session.ID(), t.Session.Data.Name, t.Session.Data.Mark}, nil
}

func move(_ context.Context, t *turn, in MoveIn) (Game, error) {
	mark := t.Session.Data.Mark
	winner, _ := t.State.Board.Outcome()
	switch {
	case mark == Empty:
		return Game{}, contract.Errorf(NotAPlayer, "you are watching; only players move")
	case winner != "":
		return Game{}, contract.Errorf(GameOver, "the game is over; ask for a rematch")
	case holder(t.Sessions(), mark.Other()) == nil:
		return Game{}, contract.Errorf(WaitingForOpponent, "nobody sits on the other side yet")
	case t.State.Turn != mark:
		return Game{}, contract.Errorf(NotYourTurn, "it is %s's turn", t.State.Turn)
	case t.State.Board[in.Cell] != Empty:
		return Game{}, contract.Errorf(CellTaken, "cell %d is taken", in.Cell)
	}
	t.State.Board[in.Cell] = mark
	t.State.Turn = mark.Other()
	return announce(t, t.Sessions()), nil
}

func rematch(_ context.Context, t *turn, _ contract.None) (Game, error) {
	mark := t.Session.Data.Mark
	winner, _ := t.State.Board.Outcome()
	switch {
	case mark == Empty:
		return Game{}, contract.Errorf(NotAPlayer, "you are watching; only players ask for a rematch")
	case winner == "":
		return Game{}, contract.Errorf(contract.FailedPrecondition, "the game is not over yet")
	case holder(t.Sessions(), mark.Other()) == nil:
		return Game{}, contract.Errorf(WaitingForOpponent, "nobody sits on the other side yet")
	}
	*t.State = newGame(t.State.First.Other())
	return announce(t, t.Sessions()), nil
}

// seat gives free seats to those of the sessions who have waited longest. A new
// player means a new game.
func seat(t *turn, sessions []*session) {
	for _, mark := range []Mark{X, O} {
		next := holder(sessions, Empty)
		if next == nil || holder(sessions, mark) != nil {
			continue
		}
		next.Data.Mark = mark
		*t.State = newGame(X)
	}
}

// holder returns the first session with the mark, nil if there is none.
func holder(sessions []*session, mark Mark) *session {
	i := slices.IndexFunc(sessions, func(s *session) bool { return s.Data.Mark == mark })
	if i < 0 {
		return nil
	}
	return sessions[i]
}

// announce sends the game, as it stands among the sessions, to them, and returns it.
func announce(t *turn, sessions []*session) Game {
	g := game(t, sessions)
	room.Broadcast(t, StateChanged, g, room.To(sessions...))
	return g
}

// game is the state as clients see it.
func game(t *turn, sessions []*session) Game {
	g := Game{Board: t.State.Board, Turn: t.State.Turn}
	g.Winner, g.Line = t.State.Board.Outcome()
	for _, s := range sessions {
		user := &User{s.ID(), s.Data.Name}
		switch s.Data.Mark {
		case X:
			g.Players.X = user
		case O:
			g.Players.O = user
		default:
			g.Spectators++
		}
	}
	return g
}
