package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `socka is the tool for servers of Socka for Go.

Usage: socka COMMAND [arguments]

  bench    put load on a server and measure it
  store    look into a store of rooms, copy rooms from one to another
  help     this text

Examples:

  socka bench server                                       serve a room to measure
  socka bench calls ws://localhost:3451/bench/load         measure calls in it
  socka bench broadcast -h                                 every flag of a scenario
  socka store list sqlite:rooms.db                         the rooms in a store
  socka store export -o rooms.jsonl sqlite:rooms.db        write them to a file

socka COMMAND -h explains a command.
`

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells have it for SIGINT
)

// command is one of socka's. It ends early when ctx does.
type command func(ctx context.Context, args []string, stdout, stderr io.Writer) error

var commands = map[string]command{
	"bench": runBench,
	"store": runStore,
}

// errInterrupted is the end by a signal of a command that did what it could.
var errInterrupted = errors.New("interrupted")

// usageError is an error of the command line. help says where to read on.
type usageError struct {
	message, help string
}

func (e *usageError) Error() string { return e.message + "; run " + e.help + " for help" }

func main() {
	ctx, forget := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, forget) // the next signal ends the process, as it does by default
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs a command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdout, stderr)
	code := exitCode(err)
	if code != exitOK {
		fmt.Fprintln(stderr, "socka:", err)
	}
	return code
}

func exitCode(err error) int {
	var wrong *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &wrong):
		return exitUsage
	}
	return exitFailed
}

func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return &usageError{"a command is missing", "socka help"}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	}
	if c := commands[args[0]]; c != nil {
		return c(ctx, args[1:], stdout, stderr)
	}
	return &usageError{fmt.Sprintf("there is no command %q", args[0]), "socka help"}
}
