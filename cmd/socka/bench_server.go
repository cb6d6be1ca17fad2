package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/examples/bench"
	"github.com/gosocka/socka/room"
)

const serverUsage = `socka bench server serves rooms to measure: a call that echoes, and one that
publishes to everybody, both validated, with typed handlers that do nothing more.
It has no limits on connections, calls and rooms, so it is for measuring on a
machine or network of your own, and for nothing else.

Usage: socka bench server [-addr HOST:PORT]

  -addr HOST:PORT   where to listen (default localhost:3451, this machine only;
                    port 0 is any free port)

To measure on one machine, keep the server and the load apart:

  taskset -c 0 socka bench server
  taskset -c 1 socka bench calls -pid PID ws://localhost:3451/bench/load
`

// benchServer serves until ctx ends.
func benchServer(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	addr := f.String("addr", "localhost:3451", "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stdout, serverUsage)
		return err
	case err == nil && f.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if err != nil {
		return &usageError{err.Error(), "socka bench server -h"}
	}
	rooms, err := room.NewServer(benchOptions(stderr), bench.Definition())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return errors.Join(fmt.Errorf("%w; choose where to listen with -addr", err), rooms.Shutdown(ctx))
	}
	web := &http.Server{Handler: rooms, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	fmt.Fprintf(stdout, "Serving rooms without limits, to be measured:\n\n  socka bench calls -pid %d ws://%s/bench/load\n\nCtrl-C stops it.\n", os.Getpid(), listener.Addr())
	select {
	case err := <-served:
		return errors.Join(err, rooms.Shutdown(ctx))
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(rooms.Shutdown(stop), web.Shutdown(stop))
}

// benchOptions lifts the limits that protect a server on the open network.
func benchOptions(stderr io.Writer) *room.Options {
	return &room.Options{
		Conn: conn.Options{
			CallsPerSecond: -1, MaxInFlight: -1, MaxConnections: -1, MaxConnectionsPerAddr: -1,
			MaxMessageBytes: 2 << 20, OutboxBytes: 4 << 20,
		},
		MaxRooms: -1, RoomsPerSecond: -1, AllRoomsPerSecond: -1,
		Logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}
