package roomtest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosocka/socka/client"
	"github.com/gosocka/socka/room"
	"github.com/gosocka/socka/store"
	"github.com/gosocka/socka/wire"
)

// Server is a room.Server that listens in memory, within a test. Its methods, and those of its clients, are for the
// test's own goroutine; they fail the test at once when something is not as it should be.
type Server struct {
	*room.Server
	T *testing.T

	opts     room.Options
	defs     []room.AnyDefinition
	listener *listener
	http     *http.Server
	served   chan struct{}
	clients  []*Client
}

// Run runs f in a bubble of virtual time, with a server for the definitions.
func Run(t *testing.T, f func(s *Server), defs ...room.AnyDefinition) {
	t.Helper()
	RunOptions(t, nil, f, defs...)
}

// RunOptions is [Run] with options for the server. CheckTurns is set in any case; errors without a code are exposed, so
// that a failing test says why; a nil Logger means silence. The limits of the server hold, and all clients share one
// address: a test that calls hundreds of times, or starts hundreds of rooms, without letting time pass sets
// opts.Conn.CallsPerSecond or opts.RoomsPerSecond to -1.
func RunOptions(t *testing.T, opts *room.Options, f func(s *Server), defs ...room.AnyDefinition) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := Start(t, opts, defs...)
		defer s.Stop()
		f(s)
	})
}

// Start is [RunOptions] for a test that is in a bubble already, because it makes something there that the options need: a
// store, above all. Call Stop at the end, within the bubble.
func Start(t *testing.T, opts *room.Options, defs ...room.AnyDefinition) *Server {
	t.Helper()
	var o room.Options
	if opts != nil {
		o = *opts
	}
	o.CheckTurns, o.ExposeErrors = true, true
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Store == nil {
		o.Store = store.NewMemory()
	}
	s := &Server{T: t, opts: o, defs: defs}
	s.begin()
	return s
}

// begin starts a server on the same store as the one before.
func (s *Server) begin() {
	s.T.Helper()
	srv, err := room.NewServer(&s.opts, s.defs...)
	if err != nil {
		s.T.Fatal(err)
	}
	s.Server, s.listener, s.served = srv, newListener(), make(chan struct{})
	s.http = &http.Server{Handler: srv, ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn)}
	listener, served, server := s.listener, s.served, s.http
	go func() {
		defer close(served)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.T.Errorf("roomtest: the HTTP server stopped: %v", err)
		}
	}()
}

// Store is where the server keeps its rooms: opts.Store, or memory.
func (s *Server) Store() store.Store { return s.opts.Store }

// Restart stops the server in good order and starts it anew on the same store. All connections close.
func (s *Server) Restart() {
	s.T.Helper()
	s.Stop()
	s.clients = nil
	s.begin()
	synctest.Wait()
}

// Crash ends the server as the death of its process would, and starts another on the same store. All connections break.
// Rooms that ran are the dead server's until its lease ends: use Advance to let that pass (opts.LeaseTTL and a fifth of
// it; 3.6 seconds by default).
func (s *Server) Crash() {
	s.T.Helper()
	s.Kill()
	synctest.Wait()
	s.closeHTTP()
	s.clients = nil
	s.begin()
	synctest.Wait()
}

// Sleep puts a room, given as "kind/room", to sleep at once, and fails the test if it has work to do.
func (s *Server) Sleep(path string) {
	s.T.Helper()
	synctest.Wait()
	kind, name, _ := strings.Cut(path, "/")
	if err := s.Room(kind, name).Sleep(s.T.Context()); err != nil {
		s.T.Fatalf("roomtest: sleep of %s: %v", path, err)
	}
	synctest.Wait()
}

// Stop ends everything and fails the test if something does not end.
func (s *Server) Stop() {
	s.T.Helper()
	for _, c := range s.clients {
		c.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !errors.Is(s.Ready(), room.ErrServerClosed) { // else the test has seen to it
		if err := s.Server.Shutdown(ctx); err != nil {
			s.T.Errorf("roomtest: shutdown: %v", err)
		}
	}
	s.closeHTTP()
}

func (s *Server) closeHTTP() {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.T.Errorf("roomtest: HTTP shutdown: %v", err)
	}
	<-s.served
}

// Connect connects a client to a room: path is "kind/room", with a query if Authenticate reads one, such as
// "chat/lobby?name=Ada"; wire=msgpack in it works as everywhere. It returns when the session is attached and everything
// that its arrival caused has been delivered.
func (s *Server) Connect(path string) *Client {
	s.T.Helper()
	c, err := s.Dial(path, nil)
	if err != nil {
		s.T.Fatalf("roomtest: connect to %s: %v", path, err)
	}
	return c
}

// Dial is [Server.Connect] for a test of refusals, and for client options. Reconnecting is off unless the options say
// otherwise: opts.Reconnect.Disabled is set when opts is nil.
func (s *Server) Dial(path string, opts *client.Options) (*Client, error) {
	s.T.Helper()
	c := &Client{T: s.T, path: path}
	o := client.Options{Reconnect: client.ReconnectOptions{Disabled: true}}
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Dial = s.listener.dial
	observe := o.Observe
	o.Observe = func(f wire.Frame) {
		c.observe(f)
		if observe != nil {
			observe(f)
		}
	}
	c.Client = client.New("ws://roomtest/ws/"+strings.TrimPrefix(path, "/"), &o)
	s.clients = append(s.clients, c)
	if err := c.Client.Connect(s.T.Context()); err != nil {
		return nil, err
	}
	synctest.Wait()
	if c.Status() != client.Open { // refused by OnAttach, after the upgrade
		return nil, c.Err()
	}
	return c, nil
}

// Advance lets d of virtual time pass and waits until everything that was due has run.
func (s *Server) Advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Settle waits until everything that can run has run, without time passing. [Call], [Expect] and the like do so
// themselves.
func (s *Server) Settle() { synctest.Wait() }

// listener hands out the server's ends of pipes.
type listener struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newListener() *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return pipeAddr{} }

func (l *listener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	select {
	case l.conns <- peer{theirs}:
		return mine, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// peer gives a pipe the address of a machine of its own, so that limits per address see one.
type peer struct{ net.Conn }

func (peer) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "tcp" }
func (pipeAddr) String() string  { return "127.0.0.1:1" }
