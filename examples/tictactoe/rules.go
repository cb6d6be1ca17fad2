package tictactoe

// Mark is what stands in a cell, and which seat a player has: X, O or neither.
type Mark string

// The marks.
const (
	Empty Mark = ""
	X     Mark = "X"
	O     Mark = "O"
)

// Other returns the opponent's mark.
func (m Mark) Other() Mark {
	switch m {
	case X:
		return O
	case O:
		return X
	}
	return Empty
}

// Board is the nine cells, row by row from the top left.
type Board [9]Mark

// Draw is the winner of a game that nobody won.
const Draw = "draw"

var lines = [8][3]int{
	{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, // rows
	{0, 3, 6}, {1, 4, 7}, {2, 5, 8}, // columns
	{0, 4, 8}, {2, 4, 6}, // diagonals
}

// Outcome returns how the game ended: "X" or "O" and the cells of the winning
// line, [Draw] if the board is full without one, "" if the game goes on.
func (b *Board) Outcome() (winner string, line []int) {
	for _, l := range lines {
		if m := b[l[0]]; m != Empty && m == b[l[1]] && m == b[l[2]] {
			return string(m), l[:]
		}
	}
	for _, m := range b {
		if m == Empty {
			return "", nil
		}
	}
	return Draw, nil
}
