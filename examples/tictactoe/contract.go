package tictactoe

import "github.com/gosocka/socka/contract"

// Contract is everything that passes between a game room and those in it.
var Contract = contract.New("tictactoe")

// What may be asked of the room.
var (
	GetState = contract.NewCall[contract.None, Game](Contract, "getState", contract.CallOptions{Doc: "The game as it is."})
	WhoAmI   = contract.NewCall[contract.None, Self](Contract, "whoAmI", contract.CallOptions{Doc: "Who the caller is, and which seat is the caller's."})
	Move     = contract.NewCall[MoveIn, Game](Contract, "move", contract.CallOptions{Doc: "Puts the caller's mark into a cell. Refused with not_a_player, game_over, waiting_for_opponent, not_your_turn or cell_taken."})
	Rematch  = contract.NewCall[contract.None, Game](Contract, "rematch", contract.CallOptions{Doc: "Begins the next game. Refused with not_a_player, waiting_for_opponent, or failed_precondition while the game goes on."})
)

// StateChanged tells everybody in the room how the game stands. A newer state
// makes an older one that was not sent yet superfluous.
var StateChanged = contract.NewPush[Game](Contract, "state", contract.PushOptions{Doc: "The game as it is now.", Delivery: contract.LatestBy("")})

// Why a move is refused; clients branch on these.
const (
	NotYourTurn        contract.Code = "not_your_turn"
	CellTaken          contract.Code = "cell_taken"
	GameOver           contract.Code = "game_over"
	NotAPlayer         contract.Code = "not_a_player"
	WaitingForOpponent contract.Code = "waiting_for_opponent"
)

// Game is how the game stands.
type Game struct {
	Board      Board   `json:"board"` // nine of "", "X" and "O"
	Turn       Mark    `json:"turn" jsonschema:"enum=X,enum=O"`
	Winner     string  `json:"winner,omitempty" jsonschema:"enum=X,enum=O,enum=draw"` // left out while the game goes on
	Line       []int   `json:"line,omitempty" jsonschema:"minItems=3,maxItems=3"`     // the winner's three cells
	Players    Players `json:"players"`
	Spectators int     `json:"spectators" jsonschema:"minimum=0"`
}

// Players is who sits where; a free seat is left out.
type Players struct {
	X *User `json:"X,omitempty"`
	O *User `json:"O,omitempty"`
}

// User is one player.
type User struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName"`
}

// Self is what the caller is: the mark is "" for a spectator.
type Self struct {
	UserID      string `json:"userId"`
	DisplayName string `json:"displayName"`
	Mark        Mark   `json:"mark"`
}

// MoveIn is a cell, 0 to 8, row by row from the top left.
type MoveIn struct {
	Cell int `json:"cell" jsonschema:"minimum=0,maximum=8"`
}
