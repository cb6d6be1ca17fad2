package tictactoe

import (
	"fmt"
	"slices"
	"testing"
)

func TestOutcome(t *testing.T) {
	for _, test := range []struct {
		board, winner string
		line          []int
	}{
		{".........", "", nil},
		{"XX.OO....", "", nil},
		{"XXXOO....", "X", []int{0, 1, 2}},
		{"XX.OOOX..", "O", []int{3, 4, 5}},
		{"OO.OX.XXX", "X", []int{6, 7, 8}},
		{"XO.XO.X..", "X", []int{0, 3, 6}},
		{"XO..OX.OX", "O", []int{1, 4, 7}},
		{".OX.OX..X", "X", []int{2, 5, 8}},
		{"XO.OX...X", "X", []int{0, 4, 8}},
		{"X.OXO.O.X", "O", []int{2, 4, 6}},
		{"XOXXOOOXX", "draw", nil},
		{"XOXOXOOX.", "", nil},
		{"XOXOXOOXX", "X", []int{0, 4, 8}}, // full, but won
	} {
		var b Board
		for i, m := range test.board {
			if m != '.' {
				b[i] = Mark(m)
			}
		}
		if winner, line := b.Outcome(); winner != test.winner || !slices.Equal(line, test.line) {
			t.Errorf("%s: got %q %v, want %q %v", test.board, winner, line, test.winner, test.line)
		}
	}
}

func TestOther(t *testing.T) {
	if got := fmt.Sprintf("%q", []Mark{X.Other(), O.Other(), Empty.Other()}); got != `["O" "X" ""]` {
		t.Errorf("X, O and nobody play against %s", got)
	}
}
