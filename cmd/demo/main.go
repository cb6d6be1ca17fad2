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
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gosocka/socka/conn"
	"github.com/gosocka/socka/examples/chat"
	"github.com/gosocka/socka/examples/tictactoe"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/wire"
)

const usage = `Socka demo: chat and tic-tac-toe rooms in one server.

Usage: demo [flags], then open the address that it prints.

  -addr HOST:PORT     where to listen (default localhost:3450, this machine only;
                      :3450 is every interface, port 0 is any free port)
  -allow-origin URL   also let pages of this origin connect, such as
                      https://app.example.com or https://*.example.com; repeat it
                      or separate several by commas (default: the demo's own page)
  -wire json|msgpack  encoding of connections that ask for none with ?wire=… in
                      the URL (default json)
  -store PATH         keep rooms in this SQLite file, which is made if it is not
                      there; a URL sqlite:PATH or postgres://USER@HOST:PORT/DATABASE
                      does too. A chat that nobody has entered for 30 days is
                      forgotten (default: memory, and rooms end with the process)
  -h                  this text

Examples:

  demo                                     try it: open the page in two tabs
  demo -addr :8080                         let others on the network join
  demo -addr localhost:0                   when the port is taken
  demo -allow-origin http://localhost:5173 develop a page of your own against it
  demo -store rooms.db                     stop it, start it: the chat is still there

WebSockets: /ws/chat/{room}?name=Ada and /ws/tictactoe/{room}?name=Ada. /healthz
answers 200 while the server takes connections.
`

// stopTimeout is how long rooms and requests may take to finish on SIGINT or SIGTERM.
const stopTimeout = 10 * time.Second

// keepChats is how long a chat that nobody is in is kept in a store. Names of rooms are
// the visitors' inventions, so that for ever would be too long.
const keepChats = 30 * 24 * time.Hour

// outboxBytes is what may wait for one client. The default, 1 MiB, is less than a
// history of 500 messages of 2,000 characters in a script beyond ASCII.
const outboxBytes = 8 << 20

type config struct {
	addr    string
	origins []string
	wire    wire.Format
	store   string // "" for memory
}

// errUsage marks errors of the command line.
var errUsage = errors.New("run demo -h for help")

func main() {
	cfg, err := parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return
	case err == nil:
		err = run(cfg, os.Stdout, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

func parse(args []string) (config, error) {
	cfg := config{addr: "localhost:3450"}
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints errors, and the usage above
	flags.Func("addr", "", func(s string) error {
		cfg.addr = s
		_, _, err := net.SplitHostPort(s)
		return err
	})
	flags.Func("allow-origin", "", func(s string) error {
		for origin := range strings.SplitSeq(s, ",") {
			cfg.origins = append(cfg.origins, strings.TrimSpace(origin))
		}
		return nil
	})
	flags.Func("wire", "", func(s string) (err error) {
		cfg.wire, err = wire.ParseFormat(s)
		return err
	})
	var badStore error
	flags.Func("store", "", func(s string) error {
		cfg.store, badStore = s, checkStore(s) // an error from here would come with the whole value, which may have a password in it
		return nil
	})
	err := flags.Parse(args)
	if err == nil && badStore != nil {
		err = fmt.Errorf("-store: %w", badStore)
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		err = fmt.Errorf("%w; %w", err, errUsage)
	}
	return cfg, err
}

// run serves until a signal comes.
func run(cfg config, stdout io.Writer, log *slog.Logger) (err error) {
	signals, forget := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer forget()
	kept, err := openStore(signals, cfg.store, log)
	if err != nil {
		return err
	}
	chats := chat.Definition()
	if kept != nil {
		chats.KeepEmpty = keepChats
		defer func() { err = errors.Join(err, kept.Close()) }() // after the rooms' last saves
	}
	rooms, err := room.NewServer(&room.Options{
		Wire:   cfg.wire,
		Store:  kept,
		Conn:   conn.Options{AllowOrigins: cfg.origins, OutboxBytes: outboxBytes},
		Logger: log,
	}, chats, tictactoe.Definition())
	if err != nil {
		return fmt.Errorf("-allow-origin: %w; %w", err, errUsage) // nothing else of it comes from the flags
	}
	web := &http.Server{
		Handler:           handler(rooms),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second, // of requests; a WebSocket is none any more
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}

	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return errors.Join(listenError(cfg.addr, err), rooms.Shutdown(signals))
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	announce(stdout, cfg.addr, listener.Addr())

	select {
	case err := <-served: // it never ends by itself without an error
		return errors.Join(fmt.Errorf("serving %s: %w", cfg.addr, err), rooms.Shutdown(signals))
	case <-signals.Done():
	}
	forget() // the next signal ends the process, as it does by default
	log.Info("stopping", "timeout", stopTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(rooms.Shutdown(ctx), web.Shutdown(ctx))
}

func listenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		_, port, _ := net.SplitHostPort(addr)
		return fmt.Errorf("port %s is taken (%w); choose another one with -addr, or let the system choose: -addr localhost:0", port, err)
	}
	return fmt.Errorf("cannot listen: %w; choose where with -addr, for example -addr localhost:0 for any free port", err)
}

// announce prints addresses that can be clicked.
func announce(w io.Writer, addr string, bound net.Addr) {
	host, _, _ := net.SplitHostPort(addr)
	_, port, _ := net.SplitHostPort(bound.String())
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/"
	fmt.Fprintf(w, `Socka demo: %s

  chat         %[1]s?kind=chat&room=lobby
  tic-tac-toe  %[1]s?kind=tictactoe&room=lobby

Open it in two tabs. Ctrl-C stops it.
`, url)
}
