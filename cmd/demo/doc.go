// Command demo is a server with two kinds of rooms, chat and tic-tac-toe, and a
// page to use them:
//
//	go run github.com/gosocka/socka/cmd/demo
//
// It prints the address to open; demo -h lists the flags. One room.Server serves
// both kinds, at /ws/chat/{room}?name=Ada and /ws/tictactoe/{room}?name=Ada, as
// many rooms as people ask for. The page and the browser client are part of the
// program: it needs no other file and no network but its own.
//
// Rooms are in memory and end with the process, unless -store says where to keep
// them: a file of SQLite, or a database of Postgres by its URL.
//
// SIGINT and SIGTERM end it in good order: rooms finish what they are at, clients
// are told to come back later (close code 1001), and the exit code is 0; a second
// signal ends it at once. The exit code is 2 for flags that make no sense and 1 for other
// failures, such as a port that is taken.
//
// main.go reads the flags and runs the servers, store.go opens the store, web.go
// serves the page. It may import anything of this module.
package main
