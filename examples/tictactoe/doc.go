// Package tictactoe is a game room: two players, any number of spectators.
//
// rules.go is the game alone, without a room; contract.go is what clients and
// rooms agree on; room.go is the room: seats, turns, rematch.
//
// The first two who come sit down as X and O, in this order. Everybody else
// watches, and takes a seat as soon as one is free: whoever has waited longest
// comes first. A seat belongs to a session: who leaves loses it, and gets it back
// on return only if nobody was waiting. A client that sends a resume key (sid in
// the URL) keeps its seat for a minute without a connection, also while the server
// is started anew.
//
// Whenever somebody sits down a fresh game begins, with X to move: no one
// inherits a half-played game or somebody else's victory. Until then the board of
// a player who was left alone stays as it was, so that a won game can be looked
// at, but no move is possible. When a game is over either player may ask for a
// rematch; who did not begin the last game begins the next.
//
// Every change goes to everybody as one push, state, which is the whole game: a
// client has nothing to add up, and of a client that reads too slowly only the
// newest state is kept.
//
// The package may import contract, room and the examples' own internal packages.
package tictactoe
