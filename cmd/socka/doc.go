// Command socka is the tool for servers of this project:
//
//	socka bench    put load on a server and measure it
//	socka store    look into a store of rooms, copy rooms from one to another
//
// Install it with go install github.com/gosocka/socka/cmd/socka@latest, or run it
// from a checkout with go run ./cmd/socka. Every command explains itself with -h.
//
// Results go to standard output, progress and errors to standard error. The exit
// code is 0 when all went well, 1 when something failed, 2 when the command line
// makes no sense, and 130 when a signal ended it early: the results of a
// measurement are then those until the signal, and what was said to be done in a
// store was done.
//
// main.go picks the command; each command has a file or a few of its own name.
// The load itself is in internal/load, the work on stores in internal/rooms. It
// may import anything of this module.
package main
